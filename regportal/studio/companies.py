"""Accounts: the list of companies, and one of them with its people and what is open."""

from typing import Annotated

from flask import Blueprint, Response, g, render_template
from pydantic import Field
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.insight import accounts
from regportal.insight.accounts import AccountRow, Accounts
from regportal.insight.filters import Filters
from regportal.insight.paging import Page
from regportal.insight.people import People
from regportal.store import current
from regportal.studio.contacts import CONTACTS
from regportal.studio.lists import FORM, List, asked, filters_of, mark_asked
from regportal.studio.policies import page
from regportal.studio.saying import Sayer
from regportal.studio.seeing import READ, note, owners

bp = Blueprint("companies", __name__)


class One(Filters):
    """Which account is shown."""

    key: Annotated[str, Field(min_length=1, max_length=320)]


def _accounts(session: Session, filters: Accounts, at: str | None, size: int) -> Page[AccountRow]:
    """Return a page of whom somebody sees."""
    return accounts.page(session, filters, at, size, owners=owners())


ACCOUNTS = List("accounts", Accounts, AccountRow, _accounts)


@bp.get("/accounts")
@page(Permission.CONTACTS)
def listed() -> str:
    """List accounts."""
    return ACCOUNTS.shown("studio/accounts.html")


@bp.get(f"/accounts.{FORM}")
@page(Permission.CONTACTS, fresh=True)
def listed_as(form: str) -> Response:
    """Return the list as a file."""
    return ACCOUNTS.taken(form)


@bp.get("/account-of")
@page(Permission.CONTACTS)
def shown() -> str:
    """Show one account: its key, which a CRM made, may be anything, and is no path."""
    filters = filters_of(One)
    key = filters.key
    with current.store().read() as session:
        one = accounts.account(session, key, owners=owners())
        deals = accounts.open_in(session, key, owners=owners())
        people = CONTACTS.read(session, People(account=key), mark_asked(), 20)
    note(READ, "account", key)
    return render_template(
        "studio/account_of.html",
        title=one.name or one.key,
        one=one,
        deals=deals,
        found=people,
        asked=asked(filters),
        says=Sayer(current.published(), g.locale),
    )
