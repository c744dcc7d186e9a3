"""Opportunities, phases and moves, as people and programs read them."""

import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.default import DEFAULT
from regportal.buying.english import moment_in_words
from regportal.buying.evidence import grounds, named_in
from regportal.buying.labels import labels_of, locale_of, title
from regportal.buying.models import ContactRole, KeptStanding, Move, Opportunity
from regportal.buying.naming import opportunity_called
from regportal.buying.overrides import last_said
from regportal.buying.saying import NO_LONGER, words_of
from regportal.buying.schema import Buying
from regportal.buying.voice import ENGLISH, Voice
from regportal.buying.words import (
    Deed,
    Ground,
    called,
    sentence,
    was_over,
    was_said,
)
from regportal.connectors.rules import in_full
from regportal.identity.actions import emails_of
from regportal.identity.models import Claim, Contact
from regportal.store.documents import Published, Shelf
from regportal.store.words import N_, SOURCE
from regportal.tracking.models import Attributed, Attribution, Interaction

Titled = Callable[[Published, str], str]
"""Says what people call an object."""
UNNAMED = N_("somebody")
"""Who did it, where the contact is no longer ours to name."""
WITHOUT = {
    "correction": (NO_LONGER,),
    "crm": (NO_LONGER,),
    "rules": (N_("the rules are others now"),),
}
"""By cause why a phase moved, where nothing that anybody did moved it."""
BESIDE = frozenset({"stage", "override"})
"""What ``show opportunity`` tells only people: the keys of its --json are settled."""
PAGE = 500
"""How many moves are explained at a time."""


def model_of(published: Published) -> tuple[Buying, int]:
    """Return the buying model that holds, and its version; the house's own is version 0."""
    models = published.all(Buying)
    return (models[0], published.version(Buying, models[0].key)) if models else (DEFAULT, 0)


def moves_of(session: Session, opportunity: Opportunity) -> Sequence[Move]:
    """Return every move of an opportunity, oldest first."""
    return session.scalars(
        sa.select(Move).where(Move.opportunity_id == opportunity.id).order_by(Move.at, Move.id)
    ).all()


def last_move(session: Session, opportunity: Opportunity) -> Move | None:
    """Return the move that led to the phase an opportunity is in; None where it began there."""
    moves = moves_of(session, opportunity)
    return next((each for each in reversed(moves) if each.to_phase == opportunity.phase), None)


def parts_of(
    session: Session, opportunity: Opportunity, *, on: datetime | None = None
) -> list[tuple[Contact, str | None]]:
    """Return who has which part today, or had it ``on`` a moment; the one to talk to first."""
    had: tuple[sa.ColumnElement[bool], ...] = (ContactRole.until.is_(None),)
    if on is not None:
        had = (ContactRole.since <= on, sa.or_(*had, ContactRole.until > on))
    rows = session.execute(
        sa.select(Contact, ContactRole.role)
        .join(ContactRole, ContactRole.contact_id == Contact.id)
        .where(ContactRole.opportunity_id == opportunity.id, *had)
        .order_by(ContactRole.is_primary.desc(), ContactRole.since, Contact.email)
    )
    return [(contact, role) for contact, role in rows]


def reasons(
    session: Session,
    published: Published,
    moves: Sequence[Move],
    *,
    at: datetime | None = None,
) -> dict[uuid.UUID, str]:
    """
    Return the one plain sentence of each move, by the move's id.

    It names whose a deed is now, or was known to be ``at`` a moment.
    """
    model, _ = model_of(published)
    rests_on = grounds_of(session, published, moves, at=at)
    return {
        move.id: sentence(
            label(published, model, move.to_phase), move.at, rests_on[move.id], model.zone
        )
        for move in moves
    }


def grounds_of(
    session: Session,
    published: Published,
    moves: Sequence[Move],
    *,
    at: datetime | None = None,
    titled: Titled = title,
    locale: str = SOURCE,
) -> dict[uuid.UUID, list[Ground | str]]:
    """
    Return what each move rests on, by the move's id, as it is known now, or was ``at`` a moment.

    ``titled`` says what people call an object; what is no deed is said in the language ``locale``.
    """
    model, _ = model_of(published)
    voice = Voice(model.zone, locale, labels_of(published))
    unnamed = voice.says(UNNAMED)
    named = [uuid.UUID(each) for move in moves for each in interactions_of(move)]
    deeds = deeds_of(session, published, named, at=at, titled=titled, voice=voice)
    people = [each for move in moves for each in named_in(move.evidence)]
    names = {str(who): email for who, email in emails_of(session, people).items()}
    parts = [part for move in moves for part in move.evidence]
    word_of = words_of(session, parts, voice, lambda name: title(published, name))
    return {
        move.id: grounds(
            move.evidence, deeds, lambda who: names.get(str(who), unnamed), word_of, voice
        )
        or [voice.says(each) for each in WITHOUT.get(move.cause, ())]
        for move in moves
    }


def label(published: Published, model: Buying, name: str) -> str:
    """Return what people call a phase."""
    return called(model, name, locale_of(published))


def interactions_of(move: Move) -> list[str]:
    """Return the ids of the interactions behind a move, each once."""
    return list(dict.fromkeys(each for part in move.evidence for each in part["interactions"]))


def opportunity_shown(session: Session, name: str) -> dict[str, Any]:
    """
    Return an opportunity as ``show opportunity`` prints it, and what is told ``BESIDE`` it.

    ``name`` is our key or ``<connector>:<external id>``. Raises NotHereError for another one.
    """
    opportunity = opportunity_called(session, name)
    last = last_move(session, opportunity)
    published = Shelf().published(session)
    return {
        "key": opportunity.key,
        "external_id": opportunity.external_id,
        "name": opportunity.name,
        "phase": opportunity.phase,
        "since": in_full(opportunity.phase_since),
        "reason": reasons(session, published, [last])[last.id] if last else None,
        "evidence": interactions_of(last) if last else [],
        "contacts": [
            {"email": contact.address.shown, "role": role}
            for contact, role in parts_of(session, opportunity)
        ],
        "open": not opportunity.is_closed,
        "won": opportunity.is_won,
        "stage": opportunity.stage,
        "override": override_shown(session, published, opportunity.id, opportunity.phase_since),
    }


def override_shown(
    session: Session,
    published: Published,
    opportunity: uuid.UUID,
    since: datetime,
    *,
    on: datetime | None = None,
) -> dict[str, Any] | None:
    """
    Return what a colleague says over the rules of an opportunity, and what they say.

    Or what somebody said last, where its end left the opportunity in its phase, which it is in
    ``since`` then. Of a moment that is past (``on``) nobody can tell what the rules said.
    """
    said = last_said(session, opportunity, on)
    ended = None if said is None or not said.has_ended(on) else said.ended
    if said is None or (ended and since > said.since):
        return None
    model, _ = model_of(published)
    words = [was_said(said.by, said.until, said.because, Voice(model.zone))]
    rules: tuple[str | None, datetime | None] = (None, None)
    if ended and said.ended_at:
        words = [f"ended {moment_in_words(said.ended_at, model.zone)}: {was_over(said.by, ended)}"]
    elif on is None:
        rules = _by_rules(session, opportunity)
        beside = _rules_said(published, model, *rules, says=said.phase)
        words = [beside] if since == said.since else [*words, beside]  # the move says the rest
    return {
        "phase": said.phase,
        "by": said.by,
        "because": said.because,
        "since": in_full(said.since),
        "until": in_full(said.until),
        "ended": ended,
        "rules": {"phase": rules[0], "since": in_full(rules[1]) if rules[1] else None},
        "text": "; ".join(words),
    }


def _by_rules(session: Session, opportunity: uuid.UUID) -> tuple[str | None, datetime | None]:
    """Return where the rules are with an opportunity, and since when, if that is worked out."""
    row = session.execute(
        sa.select(KeptStanding.phase, KeptStanding.since).where(
            KeptStanding.subject_id == opportunity
        )
    ).one_or_none()
    return (row.phase, row.since) if row else (None, None)


def _rules_said(
    published: Published, model: Buying, phase: str | None, since: datetime | None, *, says: str
) -> str:
    """Return where the rules are, beside somebody who ``says`` a phase."""
    if phase is None:
        return "the worker has not worked out yet what the rules say"
    when = f" since {moment_in_words(since, model.zone)}" if since else ""
    return f"the rules say {label(published, model, phase)}{when}{', too' if phase == says else ''}"


def opportunities_of_contact(session: Session, contact_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the opportunities a contact has a part in, as ``show contact`` prints them."""
    rows = session.execute(
        sa.select(Opportunity, ContactRole.role)
        .join(ContactRole, ContactRole.opportunity_id == Opportunity.id)
        .where(ContactRole.contact_id == contact_id, ContactRole.until.is_(None))
        .order_by(Opportunity.connector, Opportunity.external_id)
    )
    return [
        {
            "key": opportunity.key,
            "connector": opportunity.connector,
            "external_id": opportunity.external_id,
            "phase": opportunity.phase,
            "role": role,
        }
        for opportunity, role in rows
    ]


def list_moves(session: Session) -> list[dict[str, Any]]:
    """Return every move with its reason, oldest first, one flat row each."""
    published = Shelf().published(session)
    rows = session.execute(
        sa.select(Move, Opportunity)
        .join(Opportunity, Opportunity.id == Move.opportunity_id)
        .order_by(Move.at, Move.id)
    ).all()
    listed: list[dict[str, Any]] = []
    for start in range(0, len(rows), PAGE):
        page = rows[start : start + PAGE]
        why = reasons(session, published, [move for move, _ in page])
        listed += [
            {
                "at": in_full(move.at),
                **opportunity.named,
                "from": move.from_phase,
                "to": move.to_phase,
                "cause": move.cause,
                "reason": why[move.id],
                "rules_version": move.rules_version,
            }
            for move, opportunity in page
        ]
    return listed


def deeds_of(
    session: Session,
    published: Published,
    ids: Collection[uuid.UUID],
    *,
    at: datetime | None = None,
    titled: Titled = title,
    voice: Voice = ENGLISH,
) -> dict[str, Deed]:
    """
    Return what was done, in words, by the interaction's id; by whom as it was known then.

    What turned out to be nobody's is told of whom it was taken to be: so it was believed.
    """
    known = Attribution.at <= at if at is not None else sa.true()
    named = Attribution.contact_id.is_not(None)
    rows = session.execute(
        sa.select(Attribution.interaction_id, Attribution.contact_id)
        .where(Attribution.interaction_id.in_(ids), known, named)
        .order_by(Attribution.at, Attribution.id)
    )
    whose: dict[uuid.UUID, uuid.UUID | None] = dict(rows.all())
    interactions = session.scalars(sa.select(Interaction).where(Interaction.id.in_(ids))).all()
    doers = {each.id: whose.get(each.id, each.contact_id) for each in interactions}
    emails = emails_of(session, doers.values())
    claimed = {
        each.id: each.claim_id
        for each in interactions
        if each.attribution is Attributed.CLAIMED and each.id not in whose
    }
    claims, unnamed = _claimed(session, claimed.values(), voice), voice.says(UNNAMED)
    return {
        str(each.id): Deed(
            claims.get(claimed.get(each.id)) or emails.get(doers[each.id], unnamed),
            each.type,
            titled(published, each.object),
        )
        for each in interactions
    }


def _claimed(
    session: Session, claims: Collection[uuid.UUID | None], voice: Voice
) -> dict[uuid.UUID | None, str]:
    """Return as whom somebody claimed to do something that nobody has proven."""
    rows = session.scalars(sa.select(Claim).where(Claim.id.in_(claims))) if claims else ()
    says = N_("somebody as %(who)s")
    return {claim.id: voice.says(says, who=claim.address.shown) for claim in rows}
