"""The language of our letters and of a person's own pages, chosen there by whoever reads them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from regportal.errors import BadRequestError
from regportal.forms.pages import languages
from regportal.identity.models import Contact
from regportal.identity.people import is_left
from regportal.store.documents import Published
from regportal.store.words import N_, autonym, direction, nearest


def languages_shown(published: Published, contact: Contact) -> list[dict[str, Any]]:
    """
    Return the languages there are to choose from, in their own words; none where there is one.

    ``chosen`` is the one our letters are written in because somebody chose it.
    """
    offered = languages(published)
    chosen = nearest([contact.language], offered) if contact.language else None
    return [
        {
            "key": one,
            "name": autonym(one),
            "dir": direction(one),
            "chosen": one == chosen,
        }
        for one in (offered if len(offered) > 1 else ())
    ]


def speak(
    session: Session, published: Published, contacts: Iterable[Contact], language: str
) -> None:
    """
    Write to these addresses in a language from now on, and show them their pages in it.

    What was left for another address is somebody else's by now, and keeps its own. Raises
    BadRequestError for a language the site has no texts in.
    """
    if language not in languages(published):
        raise BadRequestError(N_("Please press one of the buttons."))
    his = list(contacts)
    for contact in his:
        if len(his) == 1 or not is_left(session, contact.id):
            contact.language = language
