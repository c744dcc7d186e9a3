"""Taking two addresses for one person's, or taking that back: the links, the log and the news."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.forms.news import contact_news, joined_news
from regportal.identity.models import Contact
from regportal.identity.people import contacts_of, doubted_by, join, split
from regportal.identity.rules import PROOF
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
    before = contacts_of(session, kept.person_id)
    others = contacts_of(session, joined.person_id)
    join(session, kept, joined, because=because, by=by, now=now)
    after = contacts_of(session, kept.person_id)
    main = next(one for one in after if one.id == one.person_id)
    new = [one for one in others if one in after and one is not main]
    news = [joined_news(session, published, main, new, "contact.merged", now=now)]
    apart = [one for one in (*before, *others) if one not in after]
    if apart:
        news.append(joined_news(session, published, main, apart, "contact.split", now=now))
    _tell(session, published, news, {one.id: one for one in (*after, *apart)}.values(), now=now)


def part_proven(session: Session, published: Published, proven: Contact, *, now: datetime) -> None:
    """
    Tell somebody who has just proven his address apart from whoever only a CRM joined him to.

    What the other one has proven is not his, however it looked in the CRM (identity/people.py);
    an administrator may join them again.
    """
    for one in doubted_by(session, proven):
        because = "both have proven their addresses"
        split_people(session, published, one, because=because, by=PROOF, now=now)


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

    Past moves stay; where what is left leads to another phase, that is one more. Raises
    RegportalError where there is nothing to take back.
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
