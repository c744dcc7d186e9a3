import json
import re
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from werkzeug.serving import make_server

from tests.browsing import go
from tests.patience import PATIENCE
from tests.visiting import BY_A_PERSON
from tools.ports import free_port
from tools.screenshots import demo, play

ICON = "favicon.ico"
A_PERSONS = (
    "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with demo(tmp_path_factory.mktemp("demo")) as address:
        yield address


@pytest.fixture
def complaints(page):
    said = []
    grave = {"error", "warning"}
    page.on("console", lambda one: said.append((one.location["url"], one.text, one.type in grave)))
    page.on("pageerror", lambda error: said.append(("", str(error), True)))
    return said


def test_the_five_steps_tick_themselves_off_without_a_complaint_of_the_browser(
    page, site, complaints
):
    play(page, site)

    expect(page.locator(".steps .done")).to_have_count(5)
    assert [one for one in complaints if one[2] and ICON not in one[0]] == []


def test_the_home_page_tells_of_the_guide_what_the_portal_tells(site):
    page = requests.get(site, timeout=PATIENCE).text
    link = re.search(r'href="(http\S+/g/buyers-guide)"', page)[1]
    told = requests.get(f"{link}/include", timeout=PATIENCE).text
    abstract = told_of("p", told)[2:]

    assert [" ".join(one.split()) for one in told_of("p", page)] == abstract != []
    [of_page], [of_portal] = (told_of("script", one) for one in (page, told))
    assert json.loads(of_page) == json.loads(of_portal)


def told_of(name, html):
    """Return what stands in elements of a page's gate: its paragraphs, or the data beside it."""
    begins = {"p": "<p>", "script": '<script type="application/ld.json">'}[name]
    inside = html[html.index("<regportal-gate") :]
    inside = inside if name == "script" else inside.partition("</regportal-gate>")[0]
    return re.findall(f"{begins}(.+?)</{name}>", inside, re.DOTALL)


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_the_story_holds_whatever_the_consent_banner_is_answered(
    launch_browser, browser_type_launch_args, tmp_path, answer
):
    arguments = [*browser_type_launch_args["args"], A_PERSONS]
    told, page = [], launch_browser(args=arguments).new_page()
    page.on("request", lambda one: told.append(one.url.rpartition("/")[2]))
    page.add_init_script(BY_A_PERSON)
    with demo(tmp_path) as site:
        play(page, site, banner=answer)

        expect(page.locator(".steps .done")).to_have_count(5)
        go(page, f"{site}/crm")
        read = page.locator(".feed").get_by_text("looked at")
        expect(read).to_have_count(3 if answer == "Yes" else 0)
        kept = {one["name"]: one["expires"] for one in page.context.cookies()}
        assert told.count("choice") == 1
        assert kept["rp_v"] > 0  # the gate's "remember me" holds beside a No

        go(page, site)
        assert (page.evaluate("localStorage.regportal") is not None) == (answer == "Yes")
        expect(page.locator("#choice")).to_be_hidden()
        page.get_by_role("button", name=f"Your choice: {answer}").click()
        expect(page.get_by_role("button", name="Yes", exact=True)).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="We note nothing.")).to_have_count(1)
        expect(page.locator("main")).to_be_focused()


def test_nobody_is_asked_whose_browser_says_no_to_every_site(page, site):
    page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })"
    )
    go(page, site)
    page.locator("regportal-gate input").first.wait_for()

    expect(page.locator("#choice")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_can_be_used_by_everybody(page, site, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    portal = site.rpartition(":")[0] + f":{int(site.rpartition(':')[2]) - 1}"
    addresses = [f"{site}{path}" for path in ("/", "/prices", "/customers", "/story", "/crm")]
    for address in [*addresses, f"{portal}/g/buyers-guide", f"{portal}/nothing-here"]:
        go(page, address)

        assert Axe().run(page).response["violations"] == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_a_second_start_finds_its_place_and_a_fresh_one_begins_anew(page, tmp_path):
    port = free_port(together=2)
    for options, day in (((), "Day 1"), ((), "Day 2"), (("--fresh",), "Day 1")):
        with demo(tmp_path, *options, port=port) as address:
            go(page, address)
            if day == "Day 1":  # nothing is answered yet, whatever the browser keeps
                page.get_by_role("button", name="No", exact=True).click()
            expect(page.get_by_role("button", name="Your choice: No")).to_be_visible()
            go(page, f"{address}/story")
            expect(page.locator(".bar")).to_contain_text(day)
            page.get_by_role("button", name="Come back tomorrow").click()


def test_the_story_leads_to_the_studio_and_whoever_comes_first_becomes_its_owner(page, tmp_path):
    with demo(tmp_path) as site:
        go(page, f"{site}/story")
        page.get_by_role("link", name="Studio").click()
        page.get_by_label("Your e-mail address").fill("ann@acme.example")
        page.get_by_label("Your name").fill("Ann Example")
        for field in page.locator("input[type=password]").all():
            field.fill("a horse, a battery, a staple")
        page.get_by_role("button", name="Come in").click()
        expect(page.get_by_role("heading", name="Acme Products")).to_be_visible()
        go(page, f"{site}/story")
        page.get_by_role("link", name="Studio").click()

        expect(page.get_by_role("heading", name="Acme Products")).to_be_visible()


def test_ctrl_c_ends_it_and_leaves_nothing_running(tmp_path):
    port = free_port(together=2)
    command = [sys.executable, "-m", "regportal", "demo", "--port", str(port)]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while "Ctrl-C" not in (running.stdout.readline()):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE)

    assert running.returncode == 0
    for free in (port, port + 1):
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", free))


def test_a_port_in_use_is_said_in_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "regportal", "demo", "--port", str(port)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(port) in done.stderr
    assert not (tmp_path / "instance" / "demo").exists()


# --- the element, in a real browser ---


@pytest.fixture
def silent_portal(pages):
    """A portal whose script comes and whose gates do not; it is the page's own origin."""
    port = free_port(together=2)
    origin = f"http://localhost:{port}"
    pages.extensions["demo.stage"] = replace(pages.extensions["demo.stage"], portal=origin)
    server = make_server("127.0.0.1", port, pages, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield origin
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_gate_that_does_not_answer_leaves_its_link(page, silent_portal):
    go(page, f"{silent_portal}/privacy")
    page.evaluate("customElements.get('regportal-gate').patience = 300")
    failed = page.evaluate(
        """() => new Promise(tell => {
            const gate = document.createElement('regportal-gate')
            const link = document.createElement('a')
            link.href = '/g/price-list'
            link.textContent = 'Get the price list'
            gate.setAttribute('gate', 'price-list')
            gate.append(link)
            document.addEventListener('regportal:failed', event => tell(event.detail))
            document.querySelector('main').prepend(gate)
        })"""
    )

    assert failed == {"gate": "price-list"}
    expect(page.get_by_role("link", name="Get the price list")).to_be_visible()
    expect(page.locator("regportal-gate iframe")).to_have_count(0)


def test_only_the_frame_itself_may_say_how_tall_it_is(page, site):
    go(page, f"{site}/prices")
    page.locator("regportal-gate input").first.wait_for()
    page.locator("regportal-gate").evaluate("gate => gate.setAttribute('mode', 'frame')")
    frame = page.locator("regportal-gate iframe[data-ready]")
    frame.wait_for()
    before = frame.bounding_box()["height"]
    page.evaluate("postMessage({ v: 1, type: 'height', height: 7777 }, '*')")
    page.wait_for_timeout(100)

    assert frame.bounding_box()["height"] == before
    assert before > 200
