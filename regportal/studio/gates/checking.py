"""Looking at a page of the company's own: whether it really shows a gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from regportal.connectors.egress import Egress, Limits
from regportal.embedding.judging import Wrong, wrongs
from regportal.embedding.looking import seen_in
from regportal.embedding.ours import ours_of
from regportal.errors import UnreachableError
from regportal.store import current
from regportal.store.words import N_, Sentence

MOST = 2 * 1024 * 1024
"""Bytes of a page that are read; what stands after them is not seen."""
PATIENCE = Limits(connect=3, read=5, total=8)
"""Somebody waits before the page."""
SHOWS = N_("The page shows this gate.")
FRAMES = N_("The page shows this gate, in a frame of its own.")
LINKS = N_("The page leads to this gate by a link.")
LACKS = N_("This gate is not on the page.")
PUT = N_("Put the lines above into it. What a script of the page adds later is not seen here.")
FAR = N_("The page could not be opened: %(why)s.")
LEADS_ON = N_("The page leads on to another address: take that one.")
AGAIN = N_("Can everybody open it, without signing in?")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found on a page."""

    url: str
    says: str
    fine: bool
    wrong: Sequence[Wrong] = ()


def check(url: str, gate: str) -> Verdict:
    """Return whether a page shows a gate, and what keeps it from that."""
    settings = current.settings()
    egress = Egress(settings.allow_private_targets, limits=PATIENCE)
    try:
        answer = egress.ask("GET", url, headers={"Accept": "text/html"}, most=MOST)
    except UnreachableError as error:
        return Verdict(url, Sentence(FAR, why=str(error)), fine=False, wrong=[Wrong("", AGAIN)])
    finally:
        egress.close()
    if answer.status in range(300, 400):
        onward = Wrong(answer.headers.get("Location", ""), "")
        return Verdict(url, LEADS_ON, fine=False, wrong=[onward])
    scripts = Path(current_app.root_path) / "static" / "js"
    ours = ours_of(settings.base_url, current.published(), scripts)
    seen = seen_in(url, answer.status, answer.body, ours)
    state = seen.states.get(gate)
    if state in {"framed", "linked"}:
        return Verdict(url, FRAMES if state == "framed" else LINKS, fine=True)
    found = wrongs(seen, ours)
    if state is None and not any(one.what.startswith("The page answers") for one in found):
        return Verdict(url, LACKS, fine=False, wrong=[Wrong("", PUT)])
    return Verdict(url, SHOWS if not found else "", fine=not found, wrong=found)
