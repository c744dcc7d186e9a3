"""Whether a person did it or a machine: from how it was asked for, and how fast."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import crawleruseragents

from regportal.tracking.models import Judged

RULES = "2026-11"
"""The version of these rules; it is kept with each judgement."""
GENERIC = re.compile(
    r"(?<!cu)bot\b|crawl|spider|scrap|preview|headless|phantomjs|selenium|\bcurl\b|wget|python|"
    r"java/|okhttp|axios|node-fetch|go-http|httpclient|monitor|uptime|(?<!cam)scan|fetcher|"
    r"synthetic|indexer|archiver|observatory|cypress|https?://|\w@\w+\.[a-z]",
    re.IGNORECASE,
)
"""What programs call themselves that no list has heard of yet, and whom to ask about them."""
BROWSERS = re.compile(
    r"^Mozilla/|AppleWebKit|Gecko|MSIE|Trident|Opera|U[PC] ?\.?(Browser|Link|WEB)|MIDP|Dalvik|"
    r"CFNetwork|Android|iPhone|iOS|^(Lynx|Links|ELinks|w3m|Dillo|NetSurf|Amiga|IBrowse|NCSA)",
    re.IGNORECASE,
)
"""What is in the name of every browser, and of every app with one inside."""
AHEAD = {
    purpose: f"fetched ahead of anybody: {purpose}"
    for purpose in ("prefetch", "prerender", "preview")
}
"""What browsers call a page that they fetch before anybody asked for it, and what that means."""
BURST, WITHIN = 8, timedelta(seconds=2)
"""So many different objects in so short a time: no hand is so quick."""
PLAYED = 3.0
"""Times as fast as life: the quickest that players offer, and some to spare."""
LATE = timedelta(seconds=30)
"""What a player may be ahead of us: what it has buffered, and the way here."""
AT_ONCE = 100
"""Patterns of crawlers looked for at once."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who did it, by one version of the rules."""

    judged: Judged
    because: str | None = None
    """Why it is a machine's."""
    rules: str = RULES


PERSON = Judgement(Judged.PERSON)


def by_request(agent: str | None, purpose: str = "", method: str = "POST") -> Judgement:
    """
    Judge how something was asked for: by whom, and ahead of what. A name of None says nothing.

    >>> by_request("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0").judged
    <Judged.PERSON: 'person'>
    >>> by_request("Mozilla/5.0 (compatible; Googlebot/2.1)").because
    'a crawler: Googlebot/'
    >>> by_request("Mozilla/5.0 Firefox/153.0", purpose="prefetch;prerender").because
    'fetched ahead of anybody: prefetch'
    """
    if method == "HEAD":
        return _machine("only asked whether it is there: HEAD")
    ahead = next((because for word, because in AHEAD.items() if word in purpose.lower()), None)
    if ahead:
        return _machine(ahead)
    crawler = crawler_of(agent) if agent is not None else None
    return _machine(crawler) if crawler else PERSON


def visitors_own(agent: str) -> str | None:
    """
    Return the name of a visitor's browser where a server may ask for him; None for its own name.

    >>> visitors_own("Mozilla/5.0 (compatible; Googlebot/2.1)")
    'Mozilla/5.0 (compatible; Googlebot/2.1)'
    >>> visitors_own("python-requests/2.33") is None
    True
    """
    return agent if BROWSERS.search(agent) else None


@lru_cache(maxsize=4096)
def crawler_of(agent: str) -> str | None:
    """Return why a program is a machine's, from the name it gives itself; None for a browser."""
    if not agent.strip():
        return "gives itself no name"
    for some in _crawlers():
        if found := some.search(agent):
            return f"a crawler: {found[0]}"
    if generic := GENERIC.search(agent):
        return f"calls itself a program: {generic[0]}"
    return None if BROWSERS.search(agent) else "does not call itself a browser"


def by_pace(moments: Iterable[tuple[datetime, str]]) -> Judgement:
    """
    Judge how fast one visitor went from object to object.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> ten = [(noon + timedelta(milliseconds=150 * n), f"/page-{n}") for n in range(10)]
    >>> by_pace(ten).because
    '8 different objects within 2 seconds'
    >>> by_pace([(at, "/one-page") for at, _ in ten]).judged
    <Judged.PERSON: 'person'>
    """
    moments = list(moments)
    if len({name for _, name in moments}) < BURST:
        return PERSON
    recent: deque[tuple[datetime, str]] = deque()
    names: Counter[str] = Counter()
    for at, name in sorted(moments):
        while recent and at - recent[0][0] >= WITHIN:
            _, past = recent.popleft()
            names[past] -= 1
            if not names[past]:
                del names[past]
        recent.append((at, name))
        names[name] += 1
        if len(names) >= BURST:
            return _machine(f"{BURST} different objects within {WITHIN.seconds} seconds")
    return PERSON


def by_film(seconds: float, begun_at: datetime, told_at: datetime) -> Judgement:
    """
    Judge whether so much of a film can have been seen since a visit began.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> by_film(600, noon, noon + timedelta(minutes=4)).judged
    <Judged.PERSON: 'person'>
    >>> by_film(600, noon, noon + timedelta(minutes=2)).because
    'saw 600 seconds in 120'
    """
    passed = told_at - begun_at
    if timedelta(seconds=seconds) > passed * PLAYED + LATE:
        return _machine(f"saw {seconds:.0f} seconds in {passed.total_seconds():.0f}")
    return PERSON


def of_own_staff(*, yes: bool) -> Judgement:
    """Return what the company's own people do: it is recorded as a machine's (``site.ignore``)."""
    return _machine("own staff") if yes else PERSON


def strictest(*judgements: Judgement) -> Judgement:
    """Return the first judgement that says a machine did it; else that a person did."""
    return next((one for one in judgements if one.judged is Judged.MACHINE), PERSON)


def _machine(because: str) -> Judgement:
    """Return that a machine did it, and why."""
    return Judgement(Judged.MACHINE, because)


@lru_cache(maxsize=1)
def _crawlers() -> Sequence[re.Pattern[str]]:
    """Return the patterns of all crawlers that are known, some at a time: one is too long."""
    patterns = [str(one["pattern"]) for one in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    return [
        re.compile("|".join(patterns[start : start + AT_ONCE]))
        for start in range(0, len(patterns), AT_ONCE)
    ]
