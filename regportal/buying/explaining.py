"""Why an opportunity is where it is, who has come how far, and what would move it next."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.asking import Teller
from regportal.buying.compiled import Model, compiled
from regportal.buying.evidence import grounds, named_in
from regportal.buying.facts import moment, when
from regportal.buying.glance import consensus
from regportal.buying.kept import read
from regportal.buying.labels import labels_of, title
from regportal.buying.lacking import Behind, Lack, Missing, by_time, stays_until, way_back, ways_on
from regportal.buying.models import KeptStanding, Move, Opportunity
from regportal.buying.naming import opportunity_called
from regportal.buying.people import Person, people_of
from regportal.buying.reading import (
    UNNAMED,
    deeds_of,
    interactions_of,
    label,
    last_move,
    model_of,
    override_shown,
    parts_of,
    reasons,
)
from regportal.buying.saying import words_of
from regportal.buying.schema import Condition
from regportal.buying.shadows import shadow_of
from regportal.buying.standing import NEVER, Standing
from regportal.buying.voice import Voice
from regportal.buying.words import verb
from regportal.connectors.rules import in_full
from regportal.identity.actions import emails_of
from regportal.identity.models import Contact
from regportal.store.documents import Published
from regportal.store.words import N_, SOURCE
from regportal.tracking.models import Interaction

Row = dict[str, Any]
WON = N_("it is won: its phase stays as it is, unless the CRM opens it again")
CLOSED = N_("it is closed: its phase stays as it is, unless the CRM opens it again")
NO_SUCH_PHASE = N_(
    "the published rules know no phase %(phase)s (any more): the worker will work out anew where"
    " it is"
)
NOT_YET = N_("the worker has not worked out yet where it is under the published rules")
BEFORE = N_("%(needs)s; not before %(at)s")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is published, under which an opportunity or a person is explained, and when."""

    session: Session
    published: Published
    model: Model
    teller: Teller
    now: datetime

    @classmethod
    def of(
        cls, session: Session, published: Published, now: datetime, locale: str = SOURCE
    ) -> "_Asked":
        """Return what is published, told in a language."""
        buying, _ = model_of(published)
        voice = Voice(buying.zone, locale, labels_of(published))
        teller = Teller(voice, lambda name: title(published, name))
        return cls(session, published, compiled(buying), teller, now)

    def label(self, phase: str) -> str:
        """Return what people call a phase."""
        return self.teller.voice.says(label(self.published, self.model.buying, phase))

    def named(self, phase: str) -> Row:
        """Return a phase for programs and for people."""
        return {"phase": phase, "label": self.label(phase)}

    def standings(self, subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, Standing]:
        """Return where these stand under the rules that are published."""
        rows = self.session.execute(
            sa.select(KeptStanding.subject_id, KeptStanding.state).where(
                KeptStanding.subject_id.in_(subjects), KeptStanding.rules == self.model.digest
            )
        )
        found = ((key, read(state, self.model.digest, uuid.UUID)) for key, state in rows)
        return {key: standing for key, standing in found if standing is not None}

    def own_phase(self, standing: Standing) -> Row:
        """Return which phase somebody is in by himself, and since when, unless since ever."""
        since = None if standing.since == NEVER else when(standing.since)
        return self.stay(self.model.names[standing.phase], since)

    def stay(self, phase: str, since: datetime | None = None) -> Row:
        """Return a phase, and since when somebody or something is in it."""
        told = self.named(phase)
        if since is None:
            return told | {"since": None, "text": told["label"]}
        text = f"{told['label']} since {self.teller.voice.moment(since)}"
        return told | {"since": in_full(since), "text": text}


def phase_of_person(
    session: Session, published: Published, person: uuid.UUID, *, now: datetime
) -> Row | None:
    """Return the phase a person is in by what he did himself; None where he stands nowhere yet."""
    asked = _Asked.of(session, published, now)
    standing = asked.standings([person]).get(person)
    return None if standing is None else asked.own_phase(standing)


def explained(
    session: Session, published: Published, name: str, *, now: datetime, locale: str = SOURCE
) -> Row:
    """
    Return why an opportunity is in its phase, and what would move it next.

    ``name`` is our key or ``<connector>:<external id>``. What is missing, and the note, are in the
    language ``locale``. Raises NotHereError for another one.
    """
    asked = _Asked.of(session, published, now, locale)
    opportunity = opportunity_called(session, name)
    last = last_move(session, opportunity)
    parts = parts_of(session, opportunity)
    people = people_of(session, {contact.id for contact, _ in parts})
    subjects = {opportunity.id, *(person.id for person in people.values())}
    standings = asked.standings(subjects)
    standing = standings.get(opportunity.id)
    trouble = _trouble(asked, opportunity, standing)
    told: Row = {
        "key": opportunity.key,
        "connector": opportunity.connector,
        "external_id": opportunity.external_id,
        "name": opportunity.name,
        "open": not opportunity.is_closed,
        "won": opportunity.is_won,
        **asked.stay(opportunity.phase, opportunity.phase_since),
        "cause": last.cause if last else None,
        "reason": reasons(session, published, [last])[last.id] if last else None,
        "override": override_shown(session, published, opportunity.id, opportunity.phase_since),
        "shadow": _shadow(asked, opportunity),
        "evidence": [*_evidence(asked, last)] if last else [],
        "group": _group(asked, parts, people, standings, standing),
        "consensus": None,
        "next": [],
        "back": None,
        "by_time": None,
        "note": trouble,
    }
    if standing is None or trouble is not None:
        return told
    if len(told["group"]) > 1 and standing.phase > 0:
        told["consensus"] = consensus(asked.model.buying, standing, opportunity.phase)
    others = {key: one for key, one in standings.items() if key != opportunity.id}
    return told | _future(asked, standing, others)


def next_told(
    session: Session, published: Published, opportunity: Opportunity, *, now: datetime, locale: str
) -> str | None:
    """Return the phase that is nearest and what it needs, in a language; None: nothing is known."""
    asked = _Asked.of(session, published, now, locale)
    standing = asked.standings([opportunity.id]).get(opportunity.id)
    if standing is None or _trouble(asked, opportunity, standing) is not None:
        return None
    ways = ways_on(asked.model, standing, moment(now))
    return f"{asked.label(ways[0].phase)}: {asked.teller.tell(ways[0].missing)}" if ways else None


def _trouble(asked: _Asked, opportunity: Opportunity, standing: Standing | None) -> str | None:
    """Return why nothing can be said of what comes next, if nothing can."""
    says = asked.teller.voice.says
    if opportunity.is_closed:
        return says(WON if opportunity.is_won else CLOSED)
    if opportunity.phase not in asked.model.names:
        return says(NO_SUCH_PHASE, phase=repr(opportunity.phase))
    return says(NOT_YET) if standing is None else None


def _shadow(asked: _Asked, opportunity: Opportunity) -> Row | None:
    """Return where the draft in shadow has an opportunity; None: there is no draft, or it waits."""
    found = None if opportunity.is_closed else shadow_of(asked.session, opportunity.id)
    if found is None:
        return None
    draft, phase, since = found
    name = label(asked.published, draft, phase)
    long = "" if since is None else f" since {asked.teller.voice.moment(since)}"
    has = "has it there, too," if phase == opportunity.phase else f"would have it in {name}"
    return {
        "phase": phase,
        "label": name,
        "since": None if since is None else in_full(since),
        "text": f"the draft in shadow {has}{long}".removesuffix(","),
    }


# --- why it is there ---


def _evidence(asked: _Asked, move: Move) -> Iterator[Row]:
    """Yield each condition that a move satisfied, with who did what and when."""
    ids = [uuid.UUID(each) for each in interactions_of(move)]
    deeds = deeds_of(asked.session, asked.published, ids)
    rows = asked.session.execute(
        sa.select(Interaction.id, Interaction.occurred_at).where(Interaction.id.in_(ids))
    )
    moments = {str(key): at for key, at in rows}
    emails = emails_of(asked.session, named_in(move.evidence))
    names = {str(who): email for who, email in emails.items()}
    voice = asked.teller.voice
    word_of = words_of(asked.session, move.evidence, voice, asked.teller.title_of)
    for part in move.evidence:
        (ground,) = grounds([part], deeds, lambda who: names.get(str(who), UNNAMED), word_of, voice)
        yield {
            "condition": ground if isinstance(ground, str) else _counted(asked.teller, part),
            "interactions": [
                {
                    "id": each,
                    "at": in_full(moments[each]),
                    "who": deeds[each].who,
                    "type": deeds[each].type,
                    "what": deeds[each].what,
                    "text": f"{asked.teller.voice.moment(moments[each])} {deeds[each].who}"
                    f" {verb(deeds[each].type)} {deeds[each].what}",
                }
                for each in part["interactions"]
                if each in deeds
            ],
            "people": [
                names.get(each, UNNAMED) for each in part.get("people", part.get("group", ()))
            ],
        }


def _counted(teller: Teller, part: Mapping[str, Any]) -> str:
    """Return what a condition about interactions asked for, as its evidence keeps it."""
    condition = Condition.model_validate(
        {
            "event": part["event"],
            "where": {"category": part["category"]} if part["category"] else None,
            "count": {"at_least": part["at_least"]},
            "within": part["within"],
            "watched": part.get("watched"),
        }
    )
    return teller.asked(condition)


# --- the group ---


def _group(
    asked: _Asked,
    parts: Sequence[tuple[Contact, str | None]],
    people: Mapping[uuid.UUID, Person],
    standings: Mapping[uuid.UUID, Standing],
    standing: Standing | None,
) -> list[Row]:
    """
    Return each person with a part once, and how far he has come by himself.

    Of whom nothing was worked out alone, the ``standing`` of the opportunity knows it.
    """
    group: dict[uuid.UUID, Row] = {}
    for contact, role in parts:
        key = people[contact.id].id
        if key not in group:
            known = standing.people.get(key) if standing else None
            theirs: Row = {"phase": None, "label": None, "since": None, "text": "not known yet"}
            if key in standings:
                theirs = asked.own_phase(standings[key])
            elif known:
                theirs = asked.stay(asked.model.names[known.phase])
            group[key] = {"email": contact.address.shown, "roles": [], **theirs}
        if role and role not in group[key]["roles"]:
            group[key]["roles"].append(role)
    return [*group.values()]


# --- what would move it ---


def _future(asked: _Asked, standing: Standing, people: Mapping[uuid.UUID, Standing]) -> Row:
    """Return what would move a standing on or back, and what time alone does."""
    model, now = asked.model, moment(asked.now)
    back = way_back(model, standing, now)
    stays = stays_until(model, standing)
    step = by_time(model, standing, now, people)
    told: Row = {
        "next": [_way(asked, way.phase, way.missing) for way in ways_on(model, standing, now)],
        "back": _way(asked, back.phase, back.missing) | {"not_before": None} if back else None,
        "by_time": None,
    }
    if back and stays is not None and stays > now:
        told["back"]["not_before"] = in_full(when(stays))
        voice, needs = asked.teller.voice, told["back"]["needs"]
        told["back"]["needs"] = voice.says(BEFORE, needs=needs, at=voice.moment(when(stays)))
    if step is not None:
        at, to = when(step[0]), step[1].to
        soon = f"on {asked.teller.voice.moment(at)}, if nobody does anything"
        told["by_time"] = asked.named(to) | {
            "at": in_full(at),
            "forward": model.index(to) > standing.phase,
            "text": f"{asked.label(to)} {soon if step[0] > now else 'as soon as the worker looks'}",
        }
    return told


def _way(asked: _Asked, phase: str, missing: Missing) -> Row:
    """Return what is missing for a phase, in words and piece by piece."""
    return asked.named(phase) | {
        "steps": missing.steps,
        "needs": asked.teller.tell(missing),
        "missing": _piece(asked.teller, missing),
    }


def _piece(teller: Teller, missing: Missing) -> Row:
    """Return what is missing as programs read it: all or any of several, or one thing."""
    if isinstance(missing, Lack):
        return {
            "text": teller.tell(missing),
            "condition": missing.condition.model_dump(
                mode="json", by_alias=True, exclude_defaults=True
            ),
            "unwanted": missing.unwanted,
            "have": missing.have,
            "until": None if missing.until is None else in_full(when(missing.until)),
        }
    if isinstance(missing, Behind):
        return {
            "text": teller.tell(missing),
            "group": missing.quorum.least,
            "have": missing.have,
        }
    return {missing.how: [_piece(teller, part) for part in missing.parts]}
