import signal
import socket
import subprocess
import sys
import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from werkzeug.serving import make_server

from tests.browsing import go
from tools.screenshots import demo, free_ports, play

ICON = "favicon.ico"


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
    for options, day in (((), "Day 1"), ((), "Day 2"), (("--fresh",), "Day 1")):
        with demo(tmp_path, *options) as address:
            go(page, f"{address}/story")
            expect(page.locator(".bar")).to_contain_text(day)
            page.get_by_role("button", name="Come back tomorrow").click()


def test_ctrl_c_ends_it_and_leaves_nothing_running(tmp_path):
    port = free_ports()
    command = [sys.executable, "-m", "regportal", "demo", "--port", str(port)]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while "Ctrl-C" not in (running.stdout.readline()):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)

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
    port = free_ports()
    origin = f"http://localhost:{port}"
    stage = pages.extensions["demo.stage"]
    pages.extensions["demo.stage"] = type(stage)(
        origin, stage.web, stage.mail, stage.notebook, stage.crm, stage.age
    )
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
