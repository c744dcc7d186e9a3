"""What somebody meets who comes again and again: a strip of visits, each with its gate and why."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from babel.dates import format_skeleton
from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.documents.drafts import open_drafts, pieces_of
from regportal.documents.preview import address_of
from regportal.documents.previewing import Scene, as_drafted
from regportal.documents.scenarios import SOMEBODY
from regportal.documents.simulating import Met, simulate
from regportal.errors import BadRequestError, DocumentError
from regportal.forms.fields import country_told, shown_value
from regportal.forms.schema import Gate, Question
from regportal.forms.turnouts import counted
from regportal.store import current
from regportal.store.documents import Published, Site
from regportal.store.words import N_, locale_of_dates, moment_shown
from regportal.studio.policies import page
from regportal.studio.saying import Sayer
from regportal.studio.simulator.fields import Imagined

DID = {
    "answered": N_("filled in the form"),
    "declined": N_("would rather not say"),
    "left": N_("went away"),
    "opened": N_("pressed the button"),
}
GETS = {"file": N_("gets the file at once"), "mail": N_("gets a mail with a link")}

bp = Blueprint("simulator", __name__)


@dataclass(frozen=True, slots=True)
class Card:
    """One visit as the strip shows it."""

    met: Met
    at: str
    gate: str
    asked: str | None
    answer: str | None
    """What he answered."""
    newsletter: str | None
    phase: str | None
    passed: Sequence[tuple[str, str]]
    """What is neither asked nor offered, and why."""
    picture: str
    """Where the portal shows the gate as he finds it."""


@bp.get("/simulator")
@page(Permission.SIMULATE)
def simulator() -> ResponseReturnValue:
    """Show what somebody meets each time he comes: the usual one, as long as nobody says more."""
    form, now = Imagined(request.args or None), datetime.now(UTC)
    with current.store().read() as session:
        drafts = _drafts(session)
        published = _meant(session, form, {key for key, _ in drafts})
        turnouts = counted(session)
    site = published.find(Site, "site")
    at_desk = (one for one in published.all(Gate) if site and not one.stands_at_kiosk(site))
    gates = [*at_desk]
    form.offer(gates, drafts)
    cards: list[Card] = []
    if gates and not form.draft.errors and (not request.args or form.validate()):
        try:
            met = simulate(
                published, form.scenario(), begins=now, turnouts=turnouts, locale=g.locale
            )
        except BadRequestError as error:
            form.gate.errors = [str(error)]
        else:
            cards = [*_cards(met, published, form.draft.data, now)]
    return (
        render_template(
            "studio/simulator.html",
            form=form,
            gates=gates,
            strip=zip(cards, form.visits, strict=False),
            did=DID,
            gets=GETS,
            says=Sayer(published, g.locale),
        ),
        422 if form.errors or form.draft.errors or form.gate.errors else 200,
    )


def _drafts(session: Session) -> list[tuple[str, str]]:
    """Return every draft by its key, with what it is about and when it was written."""
    found = []
    for draft in open_drafts(session):
        about = ", ".join(f"{piece.kind} {piece.key}" for piece in pieces_of(session, draft))
        found.append((str(draft.id), f"{about} · {moment_shown(draft.changed_at, g.locale)}"))
    return found


def _meant(session: Session, form: Imagined, drafts: set[str]) -> Published:
    """Return the documents that are to hold; where a draft could not, its field says why."""
    if form.draft.data in drafts:
        try:
            return as_drafted(session, uuid.UUID(form.draft.data))
        except DocumentError as error:
            form.draft.errors = [str(fault) for fault in error.faults]
    return current.published(session)


def _cards(met: Sequence[Met], published: Published, draft: str, now: datetime) -> Iterator[Card]:
    """Yield each visit as the strip shows it."""
    says = Sayer(published, g.locale)
    for before, one in zip((None, *met), met, strict=False):
        question = published.one(Question, one.question) if one.question else None
        is_known = one.came_as != "none"
        scene = Scene(
            gate=one.gate,
            email=one.email,
            question=one.question,
            newsletter=one.newsletter,
            known_as=SOMEBODY if is_known else None,
            proven=one.came_as == "verified",
            country=country_told(published, before.known) if before else None,
        )
        questions = ((says.question(key), why) for key, why in one.not_asked)
        letters = ((says.newsletter(key), why) for key, why in one.not_offered)
        yield Card(
            met=one,
            at=format_skeleton("yMMMEd", one.at, locale=locale_of_dates(g.locale)),
            gate=says.gate(one.gate),
            asked=says.question(one.question) if one.question else None,
            answer=_answer(question, one),
            newsletter=says.newsletter(one.newsletter) if one.newsletter else None,
            phase=says.phase(one.standing.phase) if one.standing else None,
            passed=[*questions, *letters],
            picture=address_of(scene, uuid.UUID(draft) if draft else None, now=now),
        )


def _answer(question: Question | None, met: Met) -> str | None:
    """Return what he answered this time, as people read it."""
    if question is None or met.did != "answered":
        return None
    return shown_value(question, met.known.get(question.key), g.locale)
