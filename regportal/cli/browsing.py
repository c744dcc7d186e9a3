"""Looking at a page with a real browser; nothing is submitted there."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from regportal.embedding.judging import NAMES
from regportal.embedding.seen import Answer, Blocked, Element, Ours, Script, Seen
from regportal.errors import ConfigError

NAMED = "REGPORTAL_BROWSER"
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
ON_A_MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
ARGUMENTS = ("--disable-blink-features=AutomationControlled",)
"""The recorder keeps quiet where a program steers the browser; here it is to say what else."""
PATIENCE = 30_000
"""Milliseconds in which the page must be there."""
GATES = 12_000
"""Milliseconds in which its gates must show; they give up after ten seconds."""
CHOOSES = re.compile(r"regportal\s*(\?)?\.\s*choose\b")
HARMLESS = {"GET", "HEAD", "OPTIONS"}

LISTEN = """
window.__seen = {blocked: [], states: {}}
addEventListener('securitypolicyviolation', one => {
  const seen = [one.effectiveDirective, one.blockedURI, one.sourceFile ?? '']
  if (one.disposition === 'enforce') __seen.blocked.push(seen)
})
for (const state of ['asked', 'refused', 'opened', 'failed'])
  addEventListener(`regportal:${state}`, one => __seen.states[one.detail?.gate] = state, true)
"""
SCRIPTS = """names => [...document.scripts]
  .filter(one => names.includes(one.src.split(/[?#]/)[0].split('/').pop()))
  .map(one => [one.src, one.type, one.integrity])"""
ELEMENTS = """() => [...document.querySelectorAll('regportal-gate')].map(one =>
  [one.getAttribute('gate') ?? '', one.matches(':defined'),
   one.querySelector('a[href]')?.href ?? null,
   Number.parseFloat(getComputedStyle(one).minHeight) > 0,
   one.getAttribute('mode') ?? '', one.hasAttribute('light')])"""
SHOWN = "count => __seen.blocked.length || Object.keys(__seen.states).length >= count"
ASK = """address => fetch(address, {
  method: 'POST', headers: {'Content-Type': 'application/json', 'X-RP-Visitor': ''}, body: '{}',
}).then(answer => answer.status, () => null)"""

FRAME = """address => new Promise(done => {
  const frame = document.createElement('iframe')
  const end = () => { frame.remove(); done() }
  addEventListener('securitypolicyviolation', end, {once: true})
  frame.addEventListener('load', end)
  setTimeout(end, 5000)
  frame.src = address
  document.body.append(frame)
})"""
"""Ask whether the page lets frames of ours in: what is stopped before comes to none."""
FILM = """address => new Promise(done => {
  const film = document.createElement('video')
  film.addEventListener('error', () => done())
  setTimeout(done, 5000)
  film.src = address
})"""
"""Ask whether it lets films of ours in; no gate is passed to see one."""


def look(urls: Sequence[str], ours: Ours, arguments: Sequence[str] = ARGUMENTS) -> Iterator[Seen]:
    """
    Yield what a browser that nobody has used meets on each page.

    Raises ConfigError where there is no browser to look with, or a page does not come.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        says = "a page is looked at with playwright: pip install 'regportal[page]'"
        raise ConfigError(says) from None
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=browser_here(),
                args=[*arguments, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            )
        except Error as error:
            says = f"no browser starts: install chromium, or name one in {NAMED}"
            raise ConfigError(f"{says} ({_first(error)})") from error
        for url in urls:
            context = browser.new_context(service_workers="block")
            try:
                yield _seen(context.new_page(), url, ours)
            except Error as error:
                raise ConfigError(f"{url} cannot be looked at: {_first(error)}") from error
            finally:
                context.close()
        browser.close()


def browser_here() -> str | None:
    """Return the browser of this machine: REGPORTAL_BROWSER, or an installed one; else None."""
    named = os.environ.get(NAMED)
    found = [named] if named else [*map(shutil.which, BROWSERS), *ON_A_MAC]
    return next((one for one in found if one and Path(one).exists()), None)


def _first(error: Exception) -> str:
    """Return the first line of what a browser says."""
    return str(error).strip().splitlines()[0]


def _seen(page: Any, url: str, ours: Ours) -> Seen:
    """Open the page, bring every gate into view, and ask the portal as a script of the page."""
    from playwright.sync_api import TimeoutError as TooLateError

    asking: list[bool] = []

    def pass_on(route: Any) -> None:
        """Let nothing be submitted but our own question."""
        if route.request.method in HARMLESS or asking:
            route.continue_()
        else:
            route.abort("blockedbyclient")

    def keep(response: Any) -> None:
        responses.append(response)

    console: list[str] = []
    failed: dict[str, str] = {}
    responses: list[Any] = []
    page.route("**/*", pass_on)
    page.add_init_script(LISTEN)
    page.on("console", lambda said: console.append(said.text))
    page.on("requestfailed", lambda one: failed.setdefault(one.url, one.failure or "it failed"))
    page.on("response", keep)
    opened = page.goto(url, timeout=PATIENCE)
    elements = [Element(*one) for one in page.evaluate(ELEMENTS)]
    for place in page.locator("regportal-gate").all():
        place.scroll_into_view_if_needed(timeout=PATIENCE)
    keys = {one.gate for one in elements if one.upgraded and one.gate in ours.gates}
    try:
        page.wait_for_function(SHOWN, arg=len(keys), timeout=GATES)
    except TooLateError:
        console.append("the gates did not show in time")
    seen = page.evaluate("() => __seen")
    asking.append(True)
    api = page.evaluate(ASK, f"{ours.url}/api/v1/choice")
    for ask in (FRAME, FILM):
        page.evaluate(ask, f"{ours.url}/theme.css")
    return Seen(
        url=page.url,
        status=opened.status if opened else 0,
        scripts=tuple(Script(*one) for one in page.evaluate(SCRIPTS, list(NAMES))),
        elements=tuple(_with_status(page, one, ours) for one in elements),
        states=seen["states"],
        blocked=tuple(Blocked(*one) for one in page.evaluate("() => __seen.blocked")),
        answers=tuple(
            Answer(one.url, one.status, cast("dict[str, str]", one.all_headers()))
            for one in responses
            if one.url.startswith(f"{ours.url}/")
        ),
        failed=failed,
        console=tuple(console),
        api=api,
        chooses=_chooses(page, responses, ours),
    )


def _with_status(page: Any, element: Element, ours: Ours) -> Element:
    """Return an element with how its link is answered, where it leads to us."""
    if element.link is None or not element.link.startswith(f"{ours.url}/g/"):
        return element
    answer = page.request.get(element.link, timeout=PATIENCE, fail_on_status_code=False)
    return replace(element, link_status=answer.status)


def _chooses(page: Any, responses: Sequence[Any], ours: Ours) -> bool:
    """Return whether anything that the page brings calls ``regportal.choose``."""
    own = [
        one.text()
        for one in responses
        if one.request.resource_type == "script" and not one.url.startswith(f"{ours.url}/static/")
    ]
    return any(map(CHOOSES.search, [page.content(), *own]))
