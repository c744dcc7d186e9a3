"""Opportunities: the list of them, and one on one screen: since when and why, who, what next."""

import uuid
from datetime import UTC, datetime

from flask import Blueprint, Response, g, render_template
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.buying.alerts.words import reason
from regportal.buying.explaining import explained
from regportal.buying.models import Move, Opportunity
from regportal.buying.reading import grounds_of, moves_of
from regportal.errors import NotHereError
from regportal.insight import accounts, opportunities
from regportal.insight.opportunities import Opportunities, OpportunityRow
from regportal.insight.paging import Page
from regportal.insight.scope import opportunity_seen
from regportal.store import current
from regportal.studio.lists import FORM, List
from regportal.studio.policies import page
from regportal.studio.saying import Sayer
from regportal.studio.seeing import READ, note, owners

KIND = "opportunity"
"""As the audit log names one."""

bp = Blueprint("opportunities", __name__)


def _opportunities(
    session: Session, filters: Opportunities, at: str | None, size: int
) -> Page[OpportunityRow]:
    """Return a page of what somebody sees."""
    return opportunities.page(session, filters, at, size, owners=owners())


OPPORTUNITIES = List("opportunities", Opportunities, OpportunityRow, _opportunities)


@bp.get("/opportunities")
@page(Permission.CONTACTS)
def listed() -> str:
    """List opportunities."""
    says = Sayer(current.published(), g.locale)
    own = says.voice.listed(sorted(owners() or ()))
    return OPPORTUNITIES.shown("studio/opportunities.html", says=says, own=own)


@bp.get(f"/opportunities.{FORM}")
@page(Permission.CONTACTS, fresh=True)
def listed_as(form: str) -> Response:
    """Return the list as a file."""
    return OPPORTUNITIES.taken(form)


@bp.get("/opportunities/<uuid:opportunity_id>")
@page(Permission.CONTACTS)
def shown(opportunity_id: uuid.UUID) -> str:
    """Show one opportunity."""
    published, now = current.published(), datetime.now(UTC)
    says = Sayer(published, g.locale)
    with current.store().read() as session:
        one = opportunity_seen(session, opportunity_id, owners())
        told = explained(session, published, one.key, now=now, locale=g.locale)
        members = opportunities.members_of(session, one.id)
        moves = [*reversed(moves_of(session, one))]
        why = _reasons(session, says, moves)
        account = _account(session, one)
    note(READ, KIND, one.key)
    by_email = {person["email"]: person for person in told["group"]}
    return render_template(
        "studio/opportunity.html",
        title=one.name or one.external_id,
        one=one,
        told=told,
        members=[(member, by_email.get(member.email)) for member in members],
        moves=[(move, why[move.id]) for move in moves],
        why=next((why[move.id] for move in moves if move.to_phase == one.phase), None),
        account=account,
        owner=(one.owner or {}).get("name") or (one.owner or {}).get("email"),
        says=says,
        now=now,
    )


def _account(session: Session, one: Opportunity) -> str | None:
    """Return the key of whose purchase it is; None: we know nobody there."""
    told = (one.account or {}).get("external_id")
    try:
        return accounts.account(session, f"{one.connector}:{told}", owners=owners()).key
    except NotHereError:
        return None


def _reasons(session: Session, says: Sayer, moves: list[Move]) -> dict[uuid.UUID, str]:
    """Return why each move was made, by its key."""
    published, locale = says.published, says.locale
    rests_on = grounds_of(session, published, moves, locale=locale)
    return {
        move.id: reason(
            says.phase(move.to_phase), move.at, rests_on[move.id], says.voice.zone, locale
        )
        for move in moves
    }
