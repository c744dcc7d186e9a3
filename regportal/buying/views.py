"""Where other systems of the company read what an account did: all of its contacts together."""

from typing import Annotated

from pydantic import Field

from regportal.buying.accounts import contacts_of_account
from regportal.identity.api import Api
from regportal.store import current
from regportal.store.asked import Asked
from regportal.tracking.timelines import Page, Timeline, Visits, timeline_of, visits_page

bp = Api("buying", __name__, "accounts", "What companies do.")


class OfAccount(Asked):
    """Whose time series."""

    key: Annotated[
        str,
        Field(
            max_length=300,
            description="`<connector>:<external id>` of the CRM's account, or a company's domain.",
        ),
    ]


@bp.call("GET /accounts/<key>/interactions", scope="timeline", answers=Timeline, refuses=(404,))
def account_timeline(path: OfAccount, query: Page) -> Timeline:
    """Return a page of what an account's contacts did, newest first."""
    with current.store().read() as session:
        return timeline_of(session, contacts_of_account(session, path.key), query)


@bp.call("GET /accounts/<key>/visits", scope="timeline", answers=Visits, refuses=(404,))
def account_visits(path: OfAccount, query: Page) -> Visits:
    """Return a page of the visits of an account's contacts, newest first, and what led to them."""
    with current.store().read() as session:
        return visits_page(session, contacts_of_account(session, path.key), query)
