"""`regportal doctor --page`: pages with one thing wrong each, looked at by a real browser."""

import json
import os
import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from regportal.app import web_root
from regportal.cli import regportal
from regportal.embedding.builds import present
from regportal.embedding.judging import UNTOLD, mode, notes, wrongs
from regportal.embedding.seen import Answer, Blocked, Element, Ours, Script, Seen
from tests import commands, films
from tests.commands import ROOT
from tests.patience import PATIENCE
from tests.portal import SITE, served
from tools.ensure_browser import CHROMIUM, ensure

pytestmark = pytest.mark.xdist_group("looked at")  # all pages at once, in one place

CHOICE = "<script>const yes = () => regportal.choose({recognise: false, track: true})</script>"
BUILD = present(web_root() / "static" / "js")
NAME = "regportal.js"
ROOM = "regportal-gate { min-height: 30rem }"
FILM = """
assets: [{key: tour, title: A tour, category: video, file: tour.mp4}]
gates: [{key: tour, asset: tour, headline: The tour}]
"""


def gate(portal, key="guide", link=None):
    inside = f'<a href="{portal}/g/{link or key}">Get it</a>' if link != "" else "Get it"
    return f'<regportal-gate gate="{key}">{inside}</regportal-gate>'


def script(portal, integrity=None, kind="module", address=None):
    src = f"{portal}/{address or BUILD.address(NAME)}"
    integrity = integrity or BUILD.integrity(NAME)
    return f'<script type="{kind}" src="{src}" integrity="{integrity}" crossorigin></script>'


def pages(portal):
    """Each page's HTML and its policy; what is wrong with it says its name."""
    allowed = f"script-src {portal} 'unsafe-inline'; frame-src {portal}; connect-src {portal}"
    good = script(portal) + CHOICE + gate(portal)
    moving = good.replace("<regportal-gate", '<regportal-gate class="no-room"')
    by_script = good.replace("<regportal-gate", '<regportal-gate mode="script"')
    nothing = f"script-src {portal} 'unsafe-inline'; frame-src 'none'; connect-src"
    return {
        "good": (good, allowed),
        "connection and frame blocked": (good, f"{nothing} 'none'"),
        "everything blocked": (good, "default-src 'unsafe-inline'"),
        "by script": (by_script, f"{nothing} {portal}"),
        "by script and blocked": (by_script, f"{nothing} 'none'"),
        "by script and by mail": (by_script.replace("guide", "prices"), f"{nothing} {portal}"),
        "by script beside a frame": (by_script + gate(portal, "must"), f"{nothing} {portal}"),
        "no script": (CHOICE + gate(portal), ""),
        "script blocked": (good, f"script-src 'unsafe-inline'; frame-src {portal}"),
        "connection blocked": (good, allowed.replace("connect-src", "connect-src 'none'; img-src")),
        "wrong hash": (script(portal, f"sha384-{'A' * 64}") + CHOICE + gate(portal), ""),
        "no module": (script(portal, kind="text/javascript") + CHOICE + gate(portal), ""),
        "no such version": (
            script(portal, address="static/js/0.0.0/regportal.js") + CHOICE + gate(portal),
            "",
        ),
        "another portal": (script("http://localhost:9") + CHOICE + gate(portal), ""),
        "no such gate": (script(portal) + CHOICE + gate(portal, "prises"), ""),
        "no link": (script(portal) + CHOICE + gate(portal, link=""), ""),
        "another link": (script(portal) + CHOICE + gate(portal, link="study"), ""),
        "no choice": (script(portal) + gate(portal), ""),
        "no room": (moving, ""),
        "light": (good.replace("<regportal-gate", "<regportal-gate light"), allowed),
        "film": (script(portal) + CHOICE + gate(portal, "tour"), f"{allowed}; media-src 'none'"),
        "frame forbidden": (script(portal) + CHOICE + gate(portal, "study"), ""),
        "cached": (script(portal) + CHOICE + gate(portal, "must"), ""),
    }


EXPECTED = {
    "no script": ["Our script is not on the page."],
    "script blocked": ["Content-Security-Policy blocks our script."],
    "connection and frame blocked": [
        "Content-Security-Policy blocks what our script asks the portal.",
        "Content-Security-Policy blocks the gate's frame.",
    ],
    "everything blocked": [
        "Content-Security-Policy blocks what our script asks the portal.",
        "Content-Security-Policy blocks the gate's frame.",
        "Content-Security-Policy blocks our script.",
    ],
    "by script": [],
    "by script and blocked": ["Content-Security-Policy blocks what our script asks the portal."],
    "by script and by mail": ["Content-Security-Policy blocks the gate's frame."],
    "by script beside a frame": ["Content-Security-Policy blocks the gate's frame."],
    "connection blocked": ["Content-Security-Policy blocks what our script asks the portal."],
    "wrong hash": ["The integrity hash is not that of"],
    "no module": ["The script is not loaded as a module."],
    "no such version": ["cannot be loaded: this portal has no such version."],
    "another portal": ["A script is from another portal: http://localhost:9/static/js/"],
    "no such gate": ['There is no published gate "prises".'],
    "no link": ['The gate "guide" has no link inside'],
    "another link": ['The link inside the gate "guide" leads to'],
    "no choice": [],
    "no room": [],
    "light": [],
    "film": [],
    "frame forbidden": ["does not show: it is answered with X-Frame-Options: DENY."],
    "cached": ["g/must comes with Cache-Control: public, max-age=60.", "hands out a cookie"],
}

NOTED = {
    "no choice": [UNTOLD],
    "no room": ["No style of the page leaves room for guide"],
    "light": ["guide cannot be light here, where it comes in a frame"],
    "by script and by mail": [
        "The file of prices goes by mail, so it is shown in a frame all the same"
    ],
}
MODES = {
    "by script": "M4, another site, by script: ",
    "by script and blocked": "M4, ",
    "by script and by mail": "M4, ",
    "by script beside a frame": "M3, another site: ",
}


def spoilt(app):
    """Stand between as a careless proxy: two gates' answers are changed on the way."""

    def passing(environ, start_response):
        path = environ["PATH_INFO"]

        def changed(status, headers, *rest):
            if path == "/g/study":
                headers = [one for one in headers if one[0] != "Content-Security-Policy"]
                headers += [("X-Frame-Options", "DENY")]
            if path == "/g/must":
                headers = [one for one in headers if one[0] != "Cache-Control"]
                headers += [("Cache-Control", "public, max-age=60"), ("Set-Cookie", "rp_s=x")]
            return start_response(status, headers, *rest)

        return app(environ, changed)

    return passing


@pytest.fixture(scope="module")
def site(_sqlite_template, tmp_path_factory):
    """A portal, and the pages of a site on another origin."""
    import shutil

    folder = tmp_path_factory.mktemp("looked")
    shutil.copyfile(_sqlite_template, folder / "regportal.db")
    with ExitStack() as stack:
        told = {}

        @Request.application
        def show(request):
            html, policy = pages(told["portal"])[request.path.strip("/").replace("-", " ")]
            head = f"<title>Widgets</title><style>{ROOM} .no-room {{ min-height: 0 }}</style>"
            page = Response(f"<!doctype html>{head}{html}", mimetype="text/html")
            if policy:
                page.headers["Content-Security-Policy"] = policy
            return page

        server = make_server("127.0.0.1", 0, show, threaded=True)
        origin = f"http://127.0.0.1:{server.server_port}"
        near = origin.replace("127.0.0.1", "localhost")
        text = SITE.replace("https://www.acme.example]", f"{origin}, {near}]")
        database = f"sqlite:///{folder}/regportal.db"
        portal, told["portal"] = stack.enter_context(served(database, folder, text))
        films.publish(portal, FILM, {"tour.mp4": b"\0\0\0\x20ftypisom"})
        portal.app.__dict__["wsgi_app"] = spoilt(portal.app.wsgi_app)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        environment = os.environ | {
            "REGPORTAL_DATABASE_URL": database,
            "REGPORTAL_INSTANCE": str(folder / "instance"),
            "REGPORTAL_BASE_URL": told["portal"],
            "REGPORTAL_BROWSER": str(ensure(CHROMIUM)),
        }
        yield origin, partial(look, environment)


def look(environment, *arguments):
    return commands.run(
        "doctor", *arguments, folder=ROOT, environment=environment, timeout=5 * PATIENCE
    )


@pytest.fixture(scope="module")
def found(site):
    """What is wrong with each page, all of them looked at at once."""
    origin, doctor = site
    addresses = {f"{origin}/{name.replace(' ', '-')}": name for name in EXPECTED}
    ended = doctor("--json", *(f"--page={one}" for one in addresses))

    assert ended.returncode == 1
    assert ended.stdout, ended.stderr
    return {addresses[one["page"]]: one for one in json.loads(ended.stdout)}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_page_is_told_what_is_wrong_with_it_and_nothing_else(found, name):
    wrong = found[name]["wrong"]

    assert len(wrong) == len(EXPECTED[name]), wrong
    for one, says in zip(wrong, EXPECTED[name], strict=True):
        assert says in one["what"]
        assert one["do"].endswith(".")
    assert found[name]["mode"].startswith(MODES.get(name, "M3, "))
    assert ("by script (M4): guide" in found[name]["mode"]) == (name == "by script beside a frame")
    assert [one.partition(": ")[0] for one in found[name]["notes"]] == NOTED.get(name, [])


def test_a_film_that_would_play_in_the_page_needs_its_policy(site):
    origin, doctor = site
    near = origin.replace("127.0.0.1", "localhost")
    [told] = json.loads(doctor("--json", f"--page={near}/film").stdout)
    [wrong] = told["wrong"]

    assert "Content-Security-Policy blocks the film behind the gate." in wrong["what"]
    assert wrong["do"].endswith("to media-src of the page's policy.")


def test_a_site_that_wants_only_a_gate_or_has_a_minified_banner_is_noted_and_not_bad(site):
    origin, doctor = site
    ended = doctor(f"--page={origin}/no-choice")

    assert ended.returncode == 0, ended.stderr
    assert "note No regportal.choose( is seen in the page's scripts." in ended.stdout
    assert "BAD" not in ended.stdout


# --- what a browser meets elsewhere: decided on what it would have seen ---

PORTAL = "https://go.acme.example"
PAGE = "https://www.acme.example/prices"
OURS = Ours(PORTAL, ["https://www.acme.example"], ["guide"], {f"static/js/{NAME}": "sha384-x"})
GOOD = Seen(
    PAGE,
    200,
    scripts=(Script(f"{PORTAL}/static/js/{NAME}", "module", ""),),
    elements=(Element("guide", upgraded=True, link=f"{PORTAL}/g/guide", link_status=200),),
    states={"guide": "asked"},
    answers=(Answer(f"{PORTAL}/g/guide?in=frame", 200, {"cache-control": "no-store"}),),
)


def met(**changes):
    return [one.what for one in wrongs(replace(GOOD, **changes), OURS)]


def test_a_good_page_has_nothing_wrong():
    assert met() == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"status": 404}, "The page answers 404."),
        ({"url": "https://shop.acme.example/"}, "does not know pages of https://shop.acme.example"),
        (
            {"scripts": (Script(f"http://go.acme.example/static/js/{NAME}", "module", ""),)},
            "The page is https and names the portal by http",
        ),
        (
            {"scripts": (Script(f"{PORTAL}/static/js/recorder.js", "module", ""),)},
            "only the recorder's script",
        ),
        (
            {"blocked": (Blocked("trusted-types", "", f"{PORTAL}/static/js/{NAME}"),)},
            "Trusted Types stop our script",
        ),
        (
            {"elements": (Element("guide", upgraded=False, link=f"{PORTAL}/g/guide"),)},
            "the script did not run",
        ),
        ({"states": {"guide": "failed"}, "answers": ()}, "the portal did not answer"),
        (
            {
                "states": {},
                "answers": (
                    Answer(
                        f"{PORTAL}/g/guide",
                        200,
                        {
                            "cache-control": "no-store",
                            "content-security-policy": "frame-ancestors 'self'",
                        },
                    ),
                ),
            },
            "frame-ancestors of its answer does not name this page",
        ),
        (
            {
                "elements": (
                    Element("guide", upgraded=True, link=f"{PORTAL}/g/guide", link_status=502),
                )
            },
            "answers 502",
        ),
        (
            {
                "answers": (
                    Answer(f"{PORTAL}/g/guide", 200, {"cache-control": "no-store", "age": "7"}),
                )
            },
            "came out of a cache (Age: 7)",
        ),
        ({"api": None}, "cannot read what the portal answers (CORS)"),
        ({"api": 502}, "Something between answers 502"),
        ({"console": ("regportal records nothing: no https",)}, "Nothing is recorded: no https."),
    ],
)
def test_each_other_thing_is_said_alone(changes, says):
    [found] = met(**changes)

    assert says in found


def test_a_token_for_scripts_that_nobody_needs_is_noted():
    [gate] = GOOD.elements
    near = replace(GOOD, elements=(replace(gate, mode="script"),))

    assert wrongs(near, OURS) == []
    assert [one.partition(" here")[0] for one in notes(near, OURS)] == [
        'guide needs no mode="script"'
    ]


@pytest.mark.parametrize(
    ("page", "is_mode"),
    [
        ("https://go.acme.example/prices", "M1"),
        ("https://www.acme.example/prices", "M2"),
        ("https://www.other.example/prices", "M3"),
    ],
)
def test_it_says_which_mode_a_page_is_in(page, is_mode):
    assert mode(page, PORTAL).startswith(is_mode)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "www.acme.example", "http://"])
def test_nobody_is_asked_to_look_at_what_is_no_page(url):
    assert CliRunner().invoke(regportal, ["doctor", "--page", url]).exit_code == 2


def test_a_good_page_is_told_in_two_lines_and_leaves_with_0(site):
    origin, doctor = site
    ended = doctor(f"--page={origin}/good")

    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) == 2
