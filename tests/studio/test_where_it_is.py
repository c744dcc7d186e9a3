"""Where the Studio answers, with which headers, and what it shares with the public pages."""

import re
import subprocess
import sys
from contextlib import closing

import pytest

from regportal.app import create_app
from regportal.config import load
from regportal.errors import ConfigError
from tests import commands
from tests.environment import environment_of
from tests.portal import ORIGIN, Portal
from tests.studio.staff import PASSWORD, Company, Desk

OWN = "http://127.0.0.1:8100"
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), "
    "browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Reporting-Endpoints": 'csp="/studio/_r/csp"',
}
SECRET = {
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
}
POLICY = (
    "default-src 'none'; script-src 'nonce-R'{}; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; {}form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types rp; "
    "report-to csp"
)
P8 = {
    "Content-Security-Policy": POLICY.format(" 'strict-dynamic'", f"frame-src {ORIGIN}; "),
    "Cross-Origin-Embedder-Policy": "require-corp",
    **SECRET,
}
P9 = P8 | {"Content-Security-Policy": POLICY.format("", "")}
P10 = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    **SECRET,
}
STYLE = {
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "public, max-age=300",
    "Set-Cookie": None,
}


def check(answer, expected):
    found = {name: answer.headers.get(name) for name in COMMON | expected}
    policy = found["Content-Security-Policy"]
    found["Content-Security-Policy"] = re.sub(r"'nonce-[\w-]{22}'", "'nonce-R'", policy)
    assert found == COMMON | expected
    assert answer.headers["Content-Type"].endswith("; charset=utf-8")
    assert "Server" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/", "/account", "/simulator", "/people", "/audit", "/tf-setup", "/verify"]
)
def test_pages_of_whoever_is_signed_in(company, path):
    check(company.at_desk("ann@acme.example", "owner").get(path), P8)


def test_the_way_in(company):
    check(Desk(company.portal).get("/login"), P9)


@pytest.mark.parametrize("path", ["/nowhere", "/people", "/welcome/nothing"])
def test_what_is_refused(company, path):
    check(company.at_desk("bo@acme.example", "marketer").get(path), P10)


@pytest.mark.parametrize(
    "path",
    ["/static/studio.css", "/static/theme.js", "/bootstrap/static/css/bootstrap.min.css"],
)
def test_styles_and_scripts_are_our_own_and_the_same_for_all(company, path):
    answer = Desk(company.portal).get(path)

    assert answer.status == 200
    check(answer, STYLE)


def test_the_nonce_is_new_every_time_and_every_script_has_it(company):
    desk = company.at_desk("ann@acme.example", "owner")
    nonces = set()
    for _ in range(3):
        page = desk.get("/")
        [nonce] = re.findall(r"'nonce-([\w-]+)'", page.headers["Content-Security-Policy"])
        assert set(re.findall(r'<script[^>]*nonce="([^"]+)"', page.text)) == {nonce}
        assert page.text.count("<script") == page.text.count("nonce=")
        nonces.add(nonce)

    assert len(nonces) == 3


@pytest.mark.parametrize("path", ["/studio", "/studio/"])
def test_it_lies_below_the_address_of_the_portal(company, path):
    client = company.portal.app.test_client()
    answer = client.get(path, base_url=ORIGIN)

    assert answer.status_code in {303, 308}
    assert client.get("/studious", base_url=ORIGIN).status_code == 404
    assert client.get("/g/guide", base_url=ORIGIN).status_code == 200


def test_it_is_made_when_it_is_asked_for_first(portal):
    made = portal.app.extensions["regportal.studio"]
    portal.app.test_client().get("/g/guide", base_url=ORIGIN)

    assert made._made is None
    assert made.studio is made.studio


def test_a_command_and_the_public_pages_do_not_load_what_signs_people_in():
    loaded = (
        "import sys, regportal.app, regportal.cli.serve; print('flask_security' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, check=True, text=True
    )

    assert told.stdout == "False\n"


def test_both_have_the_same_store_and_wake_the_same_worker(company):
    woken = []
    public, studio = company.portal.app.extensions, company.studio.extensions
    public["regportal.wake"] = woken.append
    studio["regportal.wake"]("deliver")

    assert woken == ["deliver"]
    for name in ("store", "vault", "shelf", "settings", "storage"):
        assert studio[f"regportal.{name}"] is public[f"regportal.{name}"]


def test_more_than_a_mebibyte_is_not_taken(company):
    desk = company.at_desk("ann@acme.example", "owner")

    assert desk.post("/account", {"name": "x" * 2**20}).status == 413


def test_a_host_of_its_own_answers_for_the_studio_and_for_nothing_else(database_url, tmp_path):
    with closing(Portal(database_url, tmp_path, limits="off", studio_url=OWN)) as portal:
        portal.publish()
        company = Company(portal)
        company.hire("ann@acme.example", "owner")
        client = portal.app.test_client()
        page = client.get("/login", base_url=OWN)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))[1]
        fields = {"email": "ann@acme.example", "password": PASSWORD, "csrf_token": token}
        done = client.post("/login", data=fields, headers={"Origin": OWN}, base_url=OWN)

        assert (done.status_code, done.headers["Location"]) == (302, "/")
        assert client.get("/", base_url=OWN).status_code == 200
        assert client.get("/g/guide", base_url=OWN).status_code == 404
        assert client.get("/studio/login", base_url=ORIGIN).status_code == 404
        assert client.get("/g/guide", base_url=ORIGIN).status_code == 200


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"studio_url": "studio.acme.example"}, "must be an http or https address"),
        ({"studio_url": "https://studio.acme.example/in"}, "without a path"),
        ({"studio_url": "http://studio.acme.example"}, "its scheme"),
        ({"studio_url": "https://www.acme.example"}, "another host"),
    ],
)
def test_an_address_of_the_studio_that_cannot_be_says_so(given, says, tmp_path):
    with pytest.raises(ConfigError, match=says):
        load(
            base_url="https://www.acme.example",
            secret_key="k" * 32,
            instance=tmp_path,
            _env_file=None,
            **given,
        )


def test_over_https_the_cookie_is_bound_to_its_host(database_url, tmp_path):
    settings = load(
        base_url="https://www.acme.example",
        secret_key="k" * 32,
        database_url=database_url,
        instance=tmp_path / "instance",
        _env_file=None,
    )
    app = create_app(settings)
    page = app.test_client().get("/studio/login", base_url="https://www.acme.example")
    [cookie] = page.headers.getlist("Set-Cookie")
    app.extensions["regportal.store"].close()

    assert cookie.startswith("__Host-rp_pre=")
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie
    assert page.headers["Strict-Transport-Security"] == "max-age=63072000"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_commands_invite_list_change_and_disable(database_url, tmp_path):
    environment = environment_of(database_url=database_url, instance=tmp_path / "instance")

    def run(*arguments):
        done = commands.run("user", *arguments, folder=tmp_path, environment=environment)
        return done.returncode, done.stdout, done.stderr

    code, link, says = run("add", "Bo@acme.example", "--role", "marketer", "--role", "seller")
    assert (code, "seven days" in says) == (0, True)
    assert re.fullmatch(r"http://localhost:8000/studio/welcome/[\w-]{43}\n", link)
    assert run("add", "bo@acme.example", "--role", "owner")[0] == 1
    assert run("add", "nobody", "--role", "owner")[0] == 2
    assert run("add", "cy@acme.example")[0] == 2
    assert run("link", "cy@acme.example") == (
        1,
        "",
        "nobody of the company has the address cy@acme.example\n",
    )
    assert '"roles": ["marketer", "seller"], "state": "invited"' in run("list", "--json")[1]
    assert run("roles", "bo@acme.example", "--role", "auditor")[:2] == (
        0,
        "bo@acme.example: Auditor\n",
    )
    assert run("disable", "bo@acme.example")[1] == "bo@acme.example is disabled\n"
    assert "disabled" in run("link", "bo@acme.example")[2]
    assert run("enable", "bo@acme.example")[0] == 0
    assert run("list")[1].startswith("email=bo@acme.example  name=Bo@acme.example")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_as_long_as_nobody_may_come_in_a_start_prints_the_link_for_the_first(
    database_url, tmp_path
):
    environment = environment_of(database_url=database_url, instance=tmp_path / "instance")
    begun = commands.Command("serve", "--port", "0", folder=tmp_path, environment=environment)
    with closing(begun) as serving:
        ready, why, link = (serving.stdout.readline().strip() for _ in range(3))

    url = ready.removeprefix("regportal is ready at ")
    assert "owner" in why
    assert re.fullmatch(rf"{url}/studio/welcome/[\w-]{{43}}", link)
