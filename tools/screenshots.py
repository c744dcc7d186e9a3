"""
Play the demo's five steps in a browser and keep pictures of it.

    python tools/screenshots.py            the pictures of the documentation, in docs/images/
    python tools/screenshots.py FOLDER     one of every step, in that folder
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.ensure_browser import ensure
from tools.ports import free_port

ROOT = Path(__file__).parent.parent
WHERE = ROOT / "docs" / "images"
KEPT = {"gate", "question", "crm"}
EMAIL = "ann@widgetworks.example"
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]

Look = Callable[[str], None]


@contextlib.contextmanager
def demo(folder: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """Run the demo in a folder; give the address of its second origin, and end it."""
    port = port or free_port(together=2)
    command = [sys.executable, "-m", "regportal", "demo", "--port", str(port), *options]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("REGPORTAL_")
    }
    environment["PYTHONPATH"] = str(ROOT)
    running = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    site = f"http://localhost:{port + 1}"
    try:
        _await(f"{site}/story", running)
        yield site
    finally:
        running.terminate()
        running.communicate(timeout=30)


def play(page: Page, site: str, look: Look = lambda _: None, *, banner: str | None = None) -> None:
    """
    Do what the five steps of the story say; ``look`` is called where there is something.

    ``banner`` is what the consent banner is answered, if anything.
    """
    gate = page.locator("regportal-gate")
    page.goto(f"{site}/story")
    look("story")
    page.get_by_role("link", name="Open the Acme site").click()
    gate.locator("input[name=email]").wait_for()
    if banner:
        page.get_by_role("button", name=banner, exact=True).click()
    gate.locator("input[name=email]").fill(EMAIL)
    look("gate")
    _take(page, gate.locator("button[name=remember][value=yes]"))
    look("done")

    _next(page, site, "Open the CRM")
    page.get_by_role("button", name="Open an opportunity").click()
    page.locator(".track .now").filter(has_text="unaware").wait_for()
    look("claim")

    _tomorrow(page, site)
    _next(page, site, "Open the customer story")
    page.goto(page.locator("a.primary").get_attribute("href") or "")
    page.locator("[data-question=country] select").select_option("GB")
    look("question")
    _take(page, page.locator("form[data-rp=gate] button[type=submit]").first)

    _tomorrow(page, site)
    _next(page, site, "Open the prices")
    gate.locator("[data-question=company] input").fill("Widget Works Ltd")
    look("prices")
    gate.locator("form[data-rp=gate] button[type=submit]").first.click()
    gate.locator("[data-rp=mailed]").wait_for()
    look("mailed")

    _next(page, site, "Open the mailbox")
    page.locator(".letter").nth(1).wait_for()
    look("mailbox")
    page.goto(page.locator(".letter a").first.get_attribute("href") or "")
    look("confirm")
    _take(page, page.locator("button[data-rp=confirm]"))
    look("price-list")

    page.goto(f"{site}/crm")
    page.locator(".track .now").filter(has_text="comparison").wait_for()
    page.locator(".badge.verified").wait_for()
    page.get_by_text("Widget Works Ltd", exact=True).wait_for()
    look("crm")
    page.goto(f"{site}/story")
    page.get_by_text("That is all of it.").wait_for()
    look("end")


def _next(page: Page, site: str, button: str) -> None:
    """Press the button of the step that is next, when the one before it has ticked itself off."""
    page.goto(f"{site}/story")
    page.locator(".steps .now").get_by_role("link", name=button).click()


def _take(page: Page, button: Locator) -> None:
    """Press the button that gives a file, and wait until it has started by itself."""
    with page.expect_download():
        button.click()
    page.locator("a[data-rp=download]").wait_for()


def _tomorrow(page: Page, site: str) -> None:
    """Let a day pass."""
    page.goto(f"{site}/story")
    page.get_by_role("button", name="Come back tomorrow").click()


def _await(address: str, running: subprocess.Popen[str]) -> None:
    """Wait until a page answers; raise where the demo ends instead."""
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - our own address
        except OSError:
            if running.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _shoot(browser: Browser, site: str, folder: Path) -> None:
    """Play the story once and keep what it looks like."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=1.5)

    def look(name: str) -> None:
        if name in KEPT or folder != WHERE:
            page.evaluate(
                "document.querySelector('regportal-gate')?.scrollIntoView({ block: 'center' })"
            )
            _keep(page, folder / f"{name}.png")

    play(page, site, look, banner="No")
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.context.clear_cookies()
    page.goto(site)
    page.goto(page.locator("regportal-gate a").get_attribute("href") or site)
    _keep(page, folder / "phone.png")


def _keep(page: Page, path: Path) -> None:
    """Take one picture, when everything on it stands still; in 256 colours it stays small."""
    page.wait_for_timeout(400)
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else WHERE
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with (
        tempfile.TemporaryDirectory() as place,
        demo(Path(place)) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=ensure(), args=arguments)
        _shoot(browser, site, folder)
        browser.close()


if __name__ == "__main__":
    main()
