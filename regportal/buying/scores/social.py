"""Scores and companies: what colleagues' deeds give somebody, and what all of them are worth."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.accounts import account_of, contacts_of_account
from regportal.buying.models import ContactRole
from regportal.buying.scores.models import ScoreState
from regportal.buying.scores.rollup import Account, Member, rolled_up, social
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Parts, Standing
from regportal.identity.models import Contact


def social_of(
    session: Session, scoring: Scoring, people: Collection[uuid.UUID], *, at: datetime
) -> Mapping[uuid.UUID, float]:
    """
    Return what the deeds of colleagues give these people; nothing where it is not asked for.

    An edge is drawn from evidence alone: that both are of one account. It goes one step, no
    further, so nobody's own points come back to him.
    """
    part = scoring.score.social
    if part is None:
        return {}
    accounts = account_of(session, people)
    found = {}
    worth = {key: _parts(session, scoring, key, at) for key in {*accounts.values()}}
    for person, key in accounts.items():
        others = [parts.behaviour for one, parts in worth[key].items() if one != person]
        found[person] = social(part.of_each, part.at_most, others)
    return found


def account_worth(session: Session, scoring: Scoring, key: str, *, at: datetime) -> Account:
    """
    Return what the people of an account are worth together under a score, and who is engaged.

    Raises NotHereError where there is no such account.
    """
    worth = _parts(session, scoring, key, at)
    roles = dict(
        session.execute(
            sa.select(ContactRole.contact_id, ContactRole.role)
            .where(ContactRole.contact_id.in_(worth), ContactRole.until.is_(None))
            .order_by(ContactRole.since)
        ).all()
    )
    members = [Member(parts.total, roles.get(one)) for one, parts in worth.items()]
    return rolled_up(scoring.score.account, members)


def _parts(session: Session, scoring: Scoring, key: str, at: datetime) -> Mapping[uuid.UUID, Parts]:
    """Return the parts of everybody's score in an account, by the key that stands for him."""
    contacts = contacts_of_account(session, key)
    people = sa.select(Contact.person_id).where(Contact.id.in_(contacts))
    rows = session.execute(
        sa.select(ScoreState.contact_id, ScoreState.fixed, ScoreState.sums).where(
            ScoreState.contact_id.in_(people),
            ScoreState.score == scoring.key,
            ScoreState.version == scoring.version,
        )
    )
    return {
        contact: Standing.of(fixed, sums).parts(scoring, at.timestamp())
        for contact, fixed, sums in rows
    }
