"""The link in each of these mails, by which its reader says how often he wants them."""

import uuid
from collections.abc import Sequence

from itsdangerous import BadSignature
from sqlalchemy.orm import Session

from regportal.buying.alerts.models import AlertReader
from regportal.errors import NotHereError
from regportal.identity.tokens import signing

PURPOSE = "regportal.alerts"


def link_token(reader_id: uuid.UUID, keys: Sequence[bytes]) -> str:
    """Return the token of a reader's link; nothing of it is kept."""
    return signing(keys, PURPOSE).dumps(reader_id.hex)


def reader_called(session: Session, token: str, keys: Sequence[bytes]) -> AlertReader:
    """Return whose link this is; raise NotHereError where it is nobody's."""
    try:
        key = uuid.UUID(signing(keys, PURPOSE).loads(token))
    except (BadSignature, AttributeError, TypeError, ValueError):
        key = uuid.UUID(int=0)
    reader = session.get(AlertReader, key)
    if reader is None:
        raise NotHereError("This link leads nowhere.")
    return reader
