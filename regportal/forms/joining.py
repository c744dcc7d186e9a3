"""Taking two addresses for one person's, or taking that back: the links, the log and the news."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.forms.news import contact_news, joined_news
from regportal.identity.models import Contact
from regportal.identity.people import contacts_of, join, split
from regportal.outbox.actions import News, owe
from regportal.store.documents import Published
from regportal.tracking.actions import log
from regportal.tracking.models import EntryKind


def join_people(
    session: Session,
    published: Published,
    kept: Contact,
    joined: Contact,
    *,
    because: str,
    by: str,
    now: datetime,
) -> None:
    """
    Let what two addresses did and answered count as one person's; tell it, and weigh it anew.

    No permission is widened: each address keeps its own. Raises RegportalError where they may
    not be joined (identity/people.py).
    """
    theirs = contacts_of(session, joined.person_id)
    join(session, kept, joined, because=because, by=by, now=now)
    main = contacts_of(session, kept.person_id)[0]
    told = joined_news(session, published, main, theirs, "contact.merged", now=now)
    _tell(session, published, [told], [main, *theirs], now=now)


def split_people(
    session: Session,
    published: Published,
    joined: Contact,
    *,
    because: str,
    by: str,
    now: datetime,
) -> None:
    """
    Take back that an address is another person's; tell it, and weigh it anew.

    A phase that was moved meanwhile stays: the past is not rewritten. Raises RegportalError
    where there is nothing to take back.
    """
    before = contacts_of(session, joined.person_id)
    split(session, joined, because=because, by=by, now=now)
    main = before[0]
    apart = [one for one in before if one.person_id != main.person_id]
    told = joined_news(session, published, main, apart, "contact.split", now=now)
    own = contacts_of(session, apart[0].person_id)[0]
    again = contact_news(session, published, own, "contact.updated", now=now)
    _tell(session, published, [told, again], before, now=now)


def _tell(
    session: Session,
    published: Published,
    news: Iterable[News],
    contacts: Iterable[Contact],
    *,
    now: datetime,
) -> None:
    """Owe the connectors the news, and let the weigher look at everybody's opportunities."""
    for one in news:
        owe(session, published.all(Connector), one, now=now)
    for contact in contacts:
        log(session, EntryKind.ATTRIBUTION, contact.id, now=now)
