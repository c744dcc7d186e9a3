"""The first page: what is published, and whether everything that is owed arrives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, g, render_template

from regportal.accounts.roles import Permission
from regportal.connectors.schema import Connector
from regportal.consent.schema import Newsletter
from regportal.errors import NotHereError
from regportal.forms.schema import Gate
from regportal.outbox.masking import without_addresses
from regportal.store import current
from regportal.store.documents import said
from regportal.store.words import N_
from regportal.studio.ages import age_of
from regportal.studio.policies import may, page
from regportal.studio.vitals import vitals_of

WORK = {
    "unpack": N_("Interactions to be sorted"),
    "understand": N_("Messages of CRMs to be understood"),
    "settle": N_("Answers to our mails to be followed up"),
    "weigh": N_("Interactions to be weighed"),
}
"""How people call each task of the worker."""

bp = Blueprint("overview", __name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One connector, or the mail, and how far behind it is."""

    key: str
    waiting: int
    lag: str
    """Since when the oldest waits; empty where nothing does."""
    parked: int
    trouble: str
    """Why it is not spoken to, or could not be asked."""


@bp.get("/")
@page(Permission.OVERVIEW)
def overview() -> str:
    """Show what is published, and how what is owed goes out."""
    now = datetime.now(UTC)
    with current.store().read() as session:
        published = current.published(session)
        vitals = vitals_of(session, published, now=now)
    try:
        name = current.site().name
    except NotHereError:
        name = ""
    return render_template(
        "studio/overview.html",
        site_name=said(name, g.locale) if name else "",
        number=published.number,
        may_write=may(Permission.GATES),
        gates=[(one.key, said(one.headline, g.locale)) for one in published.all(Gate)],
        newsletters=len(published.all(Newsletter)),
        connectors=len(published.all(Connector)),
        delivery=_delivery(vitals.owed, now),
        work=[
            (WORK[task], waits.number, age_of(waits.since, now))
            for task, waits in vitals.work.items()
        ],
        workers=vitals.workers,
        portal=current.settings().base_url,
    )


def _delivery(owed: Mapping[str, Any], now: datetime) -> Sequence[Line]:
    """Return how far behind each of them is."""
    return [
        Line(
            key,
            one.waiting.number,
            age_of(one.waiting.since, now),
            one.parked,
            one.paused or without_addresses(one.poll_trouble or ""),
        )
        for key, one in owed.items()
    ]
