"""
Keep pictures of every page of the Studio, with what the demo's story leaves behind.

    python tools/studio_pictures.py            all of them
    python tools/studio_pictures.py PAGE …     only these

They go into docs/images/studio/, light, dark and as on a phone, and docs/studio-pages.md shows
them. Look at them: that is what they are for.
"""

import io
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.ensure_browser import ensure
from tools.screenshots import ARGUMENTS, demo, play

ROOT = Path(__file__).parent.parent
WHERE = ROOT / "docs" / "images" / "studio"
GALLERY = ROOT / "docs" / "studio-pages.md"
PAGES = {
    "overview": "/",
    "numbers": "/numbers",
    "opportunities": "/opportunities",
    "contacts": "/contacts",
    "unconfirmed": "/contacts/unconfirmed",
    "accounts": "/accounts",
    "gates": "/gates",
    "new-gate": "/gates/new",
    "questions": "/questions",
    "question": "/questions/country",
    "simulator": "/simulator",
    "rules": "/rules",
    "connectors": "/connectors",
    "connector": "/connectors/crm",
    "outbox": "/outbox",
    "replay": "/outbox/replay",
    "people": "/people",
    "invite": "/people/invite",
    "audit": "/audit",
    "account": "/account",
    "password": "/change",
    "second-factor": "/tf-setup",
    "recovery-codes": "/mf-recovery-codes",
    "passkeys": "/wan-register",
    "verify": "/verify",
    "verify-passkey": "/wan-verify",
    "login": "/login",
}
"""Every page that an address opens, by what its pictures are called; the last one signed out."""
LOOKS = {"light": (1280, 800), "dark": (1280, 800), "phone": (390, 844)}
"""How each is seen: the size of the window."""
OWNER, PASSWORD = "ann@acme.example", "a horse, a battery, a staple"
HEAD = """# The pages of the Studio

What [studio.md](studio.md) tells of, in pictures: light, dark, and on a phone.
`tools/studio_pictures.py` takes them of the demo and writes this page.
"""


def gallery() -> str:
    """Return the page that shows every picture."""
    shown = [HEAD]
    for name, path in PAGES.items():
        pictures = " ".join(
            f"![{name}, {look}](images/studio/{name}-{look}.webp)" for look in LOOKS
        )
        shown.append(f"## `{path}`\n\n{pictures}\n")
    return "\n".join(shown)


def _come_in(page: Page, site: str) -> str:
    """Become the owner by the link of the story; return the address of the Studio."""
    page.goto(f"{site}/story")
    page.get_by_role("link", name="Studio").click()
    page.get_by_label("Your e-mail address").fill(OWNER)
    page.get_by_label("Your name").fill("Ann Example")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name="Come in").click()
    page.locator(".bar").wait_for()
    return page.url.rstrip("/")


def _shoot(browser: Browser, site: str, names: list[str]) -> None:
    """Play the story, come in, and keep what these pages look like."""
    agent = f"Mozilla/5.0 Chrome/{browser.version}"  # whoever is headless is no person
    page = browser.new_page(viewport={"width": 1280, "height": 800}, user_agent=agent)
    play(page, site, banner="Yes")
    studio = _come_in(page, site)
    for name in names:
        if name == "login":
            page.context.clear_cookies()
        for look, (width, height) in LOOKS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme="dark" if look == "dark" else "light")
            page.goto(f"{studio}{PAGES[name]}")
            _keep(page, WHERE / f"{name}-{look}.webp")


def _keep(page: Page, path: Path) -> None:
    """Take one picture; in 256 colours it stays small."""
    taken = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    few = taken.quantize(dither=Image.Dither.NONE).convert("RGB")
    few.save(path, lossless=True, method=6)
    print(path)


def main() -> None:
    """Take the pictures."""
    names = [name for name in PAGES if not sys.argv[1:] or name in sys.argv[1:]]
    WHERE.mkdir(parents=True, exist_ok=True)
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with (
        tempfile.TemporaryDirectory() as place,
        demo(Path(place)) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=ensure(), args=arguments)
        _shoot(browser, site, names)
        browser.close()
    GALLERY.write_text(gallery(), encoding="utf-8")


if __name__ == "__main__":
    main()
