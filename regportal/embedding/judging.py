"""What is wrong with a marketing page that is to show a gate, in one list, and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regportal.embedding.seen import (
    REFUSED,
    Answer,
    Element,
    Ours,
    Script,
    Seen,
    is_near,
    origin_of,
)

NAMES = ("regportal.js", "recorder.js")
"""The scripts that a page loads by itself."""
LINES = "`regportal snippet GATE` prints the lines."
FRAMES = {"frame-src", "child-src"}
"""What of a page's policy is about frames…"""
MEDIA = {"media-src"}
"""…and about films."""
UNTOLD = (
    "No regportal.choose( is seen in the page's scripts. To record what visitors do, let your"
    " consent banner call it (docs/recording.md); gates work without."
)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong, and what to do about it."""

    what: str
    do: str


def wrongs(seen: Seen, ours: Ours) -> list[Wrong]:
    """Return everything that is wrong with a page; nothing where all is as it should be."""
    if seen.status >= REFUSED:
        return [Wrong(f"The page answers {seen.status}.", "Look at the address.")]
    found = list(_place(seen, ours))
    found += _policy(seen, ours)
    found += _scripts(seen, ours)
    found += _gates(seen, ours, explained=bool(found))
    found += _caches(seen, ours)
    found += _api(seen, ours, explained=bool(found))
    found += _recorder(seen)
    return found


def notes(seen: Seen, ours: Ours) -> list[str]:
    """
    Return what keeps no gate from showing.

    It may well be meant so: a site need not record, a banner may be minified, and something
    around a gate may leave room for it.
    """
    if seen.status >= REFUSED or not seen.scripts:
        return []
    found = [] if seen.chooses else [UNTOLD]
    cramped = dict.fromkeys(one.gate for one in seen.elements if not one.room)
    by_mail = dict.fromkeys(
        one.gate for one in seen.elements if one.mode == "script" and one.gate in ours.by_mail
    )
    if by_mail:
        says = f"The file of {', '.join(by_mail)} goes by mail, so it is shown in a frame all the"
        found.append(f'{says} same: mode="script" is for gates with delivery: instant.')
    by_script = dict.fromkeys(one.gate for one in seen.elements if one.mode == "script")
    if by_script and is_near(seen.url, ours.url):
        says = (
            f'{", ".join(by_script)} needs no mode="script" here, where the portal has its cookies:'
        )
        found.append(f"{says} it makes a token that every script of the page can read.")
    if cramped:
        says = f"No style of the page leaves room for {', '.join(cramped)}: what stands below moves"
        found.append(f"{says} when the gate comes. `regportal snippet GATE` prints the rule.")
    light = dict.fromkeys(
        one.gate for one in seen.elements if one.light and _is_framed(one, seen, ours)
    )
    if light:
        says = f"{', '.join(light)} cannot be light here, where it comes in a frame:"
        found.append(f"{says} it has the portal's own style.")
    return found


def mode(page: str, portal: str, elements: Sequence[Element] = ()) -> str:
    """
    Return which mode of embedding this is (docs/embedding.md), and what it means.

    >>> mode("https://www.acme.example/prices", "https://go.acme.example").partition(":")[0]
    'M2, the same site'
    """
    if origin_of(page) == origin_of(portal):
        return "M1, below the site: returning visitors are recognised"
    if is_near(page, portal):
        return (
            "M2, the same site: returning visitors are recognised; Safari may forget after 7 days"
        )
    by_script = dict.fromkeys(one.gate for one in elements if one.mode == "script")
    if len(by_script) == len({one.gate for one in elements}) > 0:
        return (
            "M4, another site, by script: a returning visitor is recognised on this site only, by "
            "a token that every script of it can read"
        )
    also = f"; by script (M4): {', '.join(by_script)}" if by_script else ""
    return (
        "M3, another site: browsers block or part its cookies, so a returning visitor is "
        f"recognised on this site only{also}"
    )


def _place(seen: Seen, ours: Ours) -> Iterator[Wrong]:
    """Say where the page is that may not be there."""
    origin = origin_of(seen.url)
    if origin not in {*ours.origins, ours.origin}:
        yield Wrong(
            f"The portal does not know pages of {origin}.",
            f"Add {origin} to site.origins in the documents, and apply.",
        )
    if seen.url.startswith("https:") and _names(seen, "http:", ours):
        yield Wrong(
            "The page is https and names the portal by http: browsers block that.",
            "Write https:// before the portal's address.",
        )


def _names(seen: Seen, scheme: str, ours: Ours) -> bool:
    """Return whether the page names the portal by a scheme."""
    address = scheme + ours.url.partition(":")[2]
    named = [one.src for one in seen.scripts] + [one.link or "" for one in seen.elements]
    return any(one.startswith(f"{address}/") for one in named)


def _policy(seen: Seen, ours: Ours) -> Iterator[Wrong]:
    """Say what the page's own Content-Security-Policy keeps from happening."""
    told = set() if any(_is_framed(one, seen, ours) for one in seen.elements) else FRAMES.copy()
    told |= set() if any(_plays(one, seen, ours) for one in seen.elements) else MEDIA
    for one in sorted(seen.blocked, key=lambda each: each.directive):
        directive = one.directive.removesuffix("-elem")
        if "trusted-types" in directive and one.by.startswith(f"{ours.url}/"):
            yield Wrong(
                "The page's Trusted Types stop our script.",
                "Use the present script: `regportal snippet` prints its line.",
            )
        elif one.address.startswith(ours.origin) and directive not in told:
            told.add(directive)
            yield Wrong(
                f"The page's Content-Security-Policy blocks {_what(directive)}.",
                f"Add {ours.origin} to {directive} of the page's policy.",
            )


def _is_framed(one: Element, seen: Seen, ours: Ours) -> bool:
    """Return whether a gate comes in a frame, where nothing stops it (docs/embedding.md)."""
    if one.mode == "script":
        return one.gate in ours.by_mail
    return one.mode == "frame" or not is_near(seen.url, ours.url)


def _plays(one: Element, seen: Seen, ours: Ours) -> bool:
    """Return whether a gate plays a film in the page itself, which its policy may stop."""
    drawn = one.mode != "script" and not _is_framed(one, seen, ours)
    return drawn and one.gate in ours.films


def _what(directive: str) -> str:
    """Return what a directive is about."""
    names = {
        "script-src": "our script",
        "connect-src": "what our script asks the portal",
        "frame-src": "the gate's frame",
        "child-src": "the gate's frame",
        "media-src": "the film behind the gate",
    }
    return names.get(directive, f"what {directive} is about")


def _scripts(seen: Seen, ours: Ours) -> Iterator[Wrong]:
    """Say what is wrong with the script elements."""
    if not seen.scripts:
        yield Wrong("Our script is not on the page.", f"Put it into the page's head: {LINES}")
    for one in seen.scripts:
        yield from _script(one, seen, ours)
    has_gate = bool(seen.elements and seen.scripts)
    if has_gate and not any("regportal.js" in one.src for one in seen.scripts):
        says = "The page has a gate, and only the recorder's script."
        yield Wrong(says, f"Load regportal.js: {LINES}")


def _script(one: Script, seen: Seen, ours: Ours) -> Iterator[Wrong]:
    """Say what is wrong with one of them."""
    below = one.src.removeprefix(f"{ours.url}/")
    if below == one.src and not (seen.url.startswith("https:") and one.src.startswith("http:")):
        says = f"A script is from another portal: {one.src}."
        yield Wrong(says, f"Ours is {ours.url}: {LINES}")
    if below == one.src:
        return
    if one.kind != "module":
        yield Wrong("The script is not loaded as a module.", 'Write <script type="module" …>.')
    right = ours.hashes.get(below)
    if one.integrity and right is not None and right not in one.integrity.split():
        says = f"The integrity hash is not that of {one.src}."
        yield Wrong(says, f"Address and hash belong together; take both anew: {LINES}")
        return
    why = _answered(seen, one.src) or seen.failed.get(one.src)
    if why and right is None:
        why = "this portal has no such version"
    if why and not any(each.address == one.src for each in seen.blocked):
        yield Wrong(f"The script {one.src} cannot be loaded: {why}.", f"Take it anew: {LINES}")


def _answered(seen: Seen, url: str) -> str | None:
    """Return how an address was answered, where that is no good answer."""
    status = next((one.status for one in seen.answers if one.url == url), 0)
    return f"the answer is {status}" if status >= REFUSED else None


def _gates(seen: Seen, ours: Ours, *, explained: bool) -> Iterator[Wrong]:
    """Say what is wrong with each gate of the page."""
    for one in seen.elements:
        page = f"{ours.url}/g/{one.gate}"
        if one.gate not in ours.gates:
            yield Wrong(
                f'There is no published gate "{one.gate}".',
                f"Published are: {', '.join(sorted(ours.gates)) or 'none'}.",
            )
        elif not explained and not one.upgraded:
            yield Wrong(
                f'The gate "{one.gate}" is only its link: the script did not run.',
                "Look into the browser's console for what stopped it.",
            )
        elif not explained and seen.states.get(one.gate) not in {"asked", "opened", "refused"}:
            yield Wrong(
                f'The gate "{one.gate}" does not show: {_why(seen, page)}.', _mend(seen, page)
            )
        if one.link is None:
            yield Wrong(
                f'The gate "{one.gate}" has no link inside: without our script nobody gets in.',
                f'Put <a href="{page}">…</a> inside.',
            )
        elif one.link.partition("?")[0] != page and one.gate in ours.gates:
            yield Wrong(
                f'The link inside the gate "{one.gate}" leads to {one.link}.', f"Write {page}."
            )
        elif (one.link_status or 0) >= REFUSED and one.gate in ours.gates:
            yield Wrong(
                f'The link inside the gate "{one.gate}" answers {one.link_status}.',
                "Look what stands between the page and the portal.",
            )


def _framed(seen: Seen, page: str) -> Answer | None:
    """Return how the gate was answered inside this page."""
    places = {page, page.replace("/g/", "/api/v1/gates/")}
    return next((one for one in seen.answers if one.url.partition("?")[0] in places), None)


def _why(seen: Seen, page: str) -> str:
    """Return why a gate does not show."""
    answer = _framed(seen, page)
    if answer is None:
        return seen.failed.get(page, "the portal did not answer")
    policy = answer.headers.get("content-security-policy", "")
    if "frame-ancestors" in policy and origin_of(seen.url) not in policy:
        return "frame-ancestors of its answer does not name this page"
    if "frame-ancestors" not in policy and "x-frame-options" in answer.headers:
        return f"it is answered with X-Frame-Options: {answer.headers['x-frame-options']}"
    return f"its page answers {answer.status}"


def _mend(seen: Seen, page: str) -> str:
    """Return what to do about it."""
    answer = _framed(seen, page)
    if answer is not None and answer.status < REFUSED:
        return "Let the proxy in front of the portal pass its headers on as they are."
    return "Open the link inside: does the portal answer? What stands in between?"


def _caches(seen: Seen, ours: Ours) -> Iterator[Wrong]:
    """Say which answers for one person may be kept for others."""
    for one in seen.answers:
        below = one.url.removeprefix(f"{ours.url}/")
        personal = below != one.url and below.startswith(("g/", "api/v1/", "me", "d/"))
        if not personal or below.endswith("/shell") or one.status >= REFUSED:
            continue
        kept = one.headers.get("cache-control", "")
        if "no-store" not in kept:
            yield Wrong(
                f"{below.partition('?')[0]} comes with Cache-Control: {kept or 'nothing'}.",
                "The portal says no-store there: let the proxy or CDN pass it on as it is.",
            )
        elif "age" in one.headers:
            yield Wrong(
                f"{below.partition('?')[0]} came out of a cache (Age: {one.headers['age']}).",
                "Let the proxy or CDN cache nothing of the portal but /static/ and /theme.css.",
            )
        if "set-cookie" in one.headers and ("age" in one.headers or "no-store" not in kept):
            yield Wrong(
                f"{below.partition('?')[0]} hands out a cookie that a cache may give to others.",
                "Empty that cache now: one visitor may be taken for another.",
            )


def _api(seen: Seen, ours: Ours, *, explained: bool) -> Iterator[Wrong]:
    """Say where scripts of the page cannot talk to the portal."""
    if seen.api == REFUSED or explained or not seen.scripts:
        return
    if seen.api is None:
        yield Wrong(
            "The page's scripts cannot read what the portal answers (CORS).",
            "Let the proxy pass on Origin to the portal, and its Access-Control headers back.",
        )
    else:
        yield Wrong(
            f"Something between answers {seen.api} in the portal's place at /api/v1/.",
            f"Let {ours.url}/api/ reach the portal, with POST and OPTIONS.",
        )


def _recorder(seen: Seen) -> Iterator[Wrong]:
    """Say why the recorder records nothing, and would not."""
    for line in seen.console:
        _, marked, why = line.partition("records nothing: ")
        if marked and why not in {"no choice yet", "the visitor refused"}:
            yield Wrong(f"Nothing is recorded: {why}.", "See docs/recording.md.")
