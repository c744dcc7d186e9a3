"""Why 72? A score by part and by deed, worked out from the log as it would be anew."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.accounts import account_of
from regportal.buying.explaining import phase_of_person
from regportal.buying.facts import Sign
from regportal.buying.labels import title
from regportal.buying.people import Person, people_of
from regportal.buying.scores.actions import scorings_of
from regportal.buying.scores.course import Course
from regportal.buying.scores.crossing import next_change
from regportal.buying.scores.decay import NEVER, Sum, left
from regportal.buying.scores.models import ScoreCrossing
from regportal.buying.scores.news import tenths
from regportal.buying.scores.people import facts_known, signs_known
from regportal.buying.scores.profile import Facts, lines_of, points_of, unknown_in
from regportal.buying.scores.reading import compared_with, scoring_called
from regportal.buying.scores.rollup import grade
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.social import account_worth, social_of
from regportal.buying.scores.standing import Standing, heard_of
from regportal.connectors.rules import in_full
from regportal.errors import NotHereError
from regportal.identity.actions import find_contact
from regportal.store.among import among
from regportal.store.documents import Published, Site
from regportal.store.schema import said
from regportal.tracking.models import Interaction

Row = dict[str, Any]
NAMES = sa.select(Interaction.id, Interaction.object).where(among(Interaction.id))


@dataclass(frozen=True, slots=True)
class _Whom:
    """Somebody, and everything that is known of him."""

    person: Person
    facts: Facts
    signs: Sequence[Sign]
    titles: Mapping[uuid.UUID, str]


def explained(
    session: Session,
    published: Published,
    email: str,
    name: str | None = None,
    *,
    graded: bool = False,
    now: datetime,
) -> Row:
    """
    Return every score of the person with this address, or the one of a name, with its reasons.

    ``graded``: also how he compares with everybody else of these 90 days. Raises NotHereError
    for an address nobody proved, and for a score there is not.
    """
    contact = find_contact(session, email) if email.isprintable() else None
    if contact is None:
        raise NotHereError(f"nobody is known by the address {email!r}")
    scorings = [scoring_called(published, name)] if name else scorings_of(published)
    person = people_of(session, [contact.id])[contact.id]
    signs = signs_known(session, [person], now).get(person.id, ())
    whom = _Whom(
        person,
        facts_known(session, published, [person])[person.id],
        signs,
        _titles(session, published, signs),
    )
    locale = Site.of(published).locale if published.find(Site, "site") else "en"
    return {
        "key": str(person.id),
        "email": contact.address.shown,
        "phase": phase_of_person(session, published, person.id, now=now),
        "scores": [
            {
                "score": one.key,
                "label": said(one.score.label, locale) if one.score.label else one.key,
                **_score(session, one, whom, graded=graded, now=now),
            }
            for one in scorings
        ],
    }


def _score(session: Session, scoring: Scoring, whom: _Whom, *, graded: bool, now: datetime) -> Row:
    """Return one score with its reasons."""
    at, person, profile = now.timestamp(), whom.person, scoring.score.profile
    standing = Course.anew(scoring, points_of(profile, whom.facts), whom.signs).standing
    ties = social_of(session, scoring, [person.id], at=now)
    parts = standing.parts(scoring, at)._replace(social=ties.get(person.id, 0.0))
    level = standing.level(scoring, at)
    wake = next_change(scoring, standing, at)
    among = compared_with(session, scoring, at=now) if graded else (None, None)
    return {
        "value": tenths(parts.total),
        "level": scoring.level_name(level),
        "since": _since(session, person.id, scoring, level),
        "grade": grade(parts.profile, parts.behaviour, among),
        "parts": {part: tenths(value) for part, value in parts._asdict().items()},
        "profile": [
            {"what": line.subject, "known": line.known, "points": line.points}
            for line in lines_of(profile, whom.facts)
            if line.fits
        ],
        "unknown": unknown_in(profile, whom.facts),
        "behaviour": [*_groups(scoring, standing, whom, at)],
        "last": _moment(standing.last),
        "next": _next(scoring, standing, wake) if wake else None,
        "account": _account(session, scoring, person, now),
    }


def _since(session: Session, whose: uuid.UUID, scoring: Scoring, level: int) -> str | None:
    """Return when the present level was reached, if that was seen."""
    found = session.scalars(
        sa.select(ScoreCrossing)
        .where(ScoreCrossing.contact_id == whose, ScoreCrossing.score == scoring.key)
        .order_by(ScoreCrossing.at.desc(), ScoreCrossing.id.desc())
        .limit(1)
    ).first()
    is_it = found is not None and found.to_level == scoring.level_name(level)
    return in_full(found.at) if found is not None and is_it else None


def _groups(scoring: Scoring, standing: Standing, whom: _Whom, at: float) -> Iterator[Row]:
    """Yield each group of deeds with what each deed gave, and what is left of it."""
    deeds = [*_deeds(scoring, whom, at)]
    for index, group in enumerate(scoring.score.behaviour):
        gives, takes = standing.group(scoring, index, at)
        theirs = [deed for place, deed in deeds if place == index]
        yield {
            "group": group.group,
            "points": tenths(gives - takes),
            "half_life": group.half_life,
            "at_most": group.at_most,
            "deeds": sorted(theirs, key=lambda deed: (-abs(deed["now"]), deed["at"])),
        }


def _deeds(scoring: Scoring, whom: _Whom, at: float) -> Iterator[tuple[int, Row]]:
    """Yield what each sign gave to which group; nothing where there had been enough of it."""
    again = Standing()
    for sign in whom.signs:
        when = sign.occurred_at.timestamp()
        for rule, counts in again.asked(scoring, heard_of(sign)):
            points = rule.points if counts else 0
            now = left(Sum(points, when), at, scoring.half_lives[rule.group])
            yield (
                rule.group,
                {
                    "interaction": str(sign.id),
                    "type": sign.type,
                    "what": whom.titles.get(sign.id, ""),
                    "at": in_full(sign.occurred_at),
                    "points": points,
                    "now": tenths(now),
                },
            )


def _moment(at: float) -> str | None:
    """Return a moment as it is written, if there is one."""
    return in_full(datetime.fromtimestamp(at, UTC)) if at > NEVER else None


def _next(scoring: Scoring, standing: Standing, wake: float) -> Row:
    """Return what time alone will change, and when."""
    return {
        "at": _moment(wake),
        "level": scoring.level_name(standing.level(scoring, wake)),
    }


def _account(session: Session, scoring: Scoring, person: Person, now: datetime) -> Row | None:
    """Return what all of his company are worth together; None where nobody knows of one."""
    key = account_of(session, [person.id]).get(person.id)
    if key is None:
        return None
    worth = account_worth(session, scoring, key, at=now)
    return {
        "key": key,
        "value": tenths(worth.value),
        "people": worth.people,
        "roles": [*worth.roles],
    }


def _titles(session: Session, published: Published, signs: Sequence[Sign]) -> dict[uuid.UUID, str]:
    """Return what each sign was about, as people call it."""
    rows = session.execute(NAMES, {"ids": [sign.id for sign in signs]})
    return {one: title(published, name) for one, name in rows}
