"""The links in each of these mails: how often its reader wants them, and that it was not they."""

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from itsdangerous import BadSignature
from sqlalchemy.orm import Session

from regportal.buying.alerts.models import AlertReader
from regportal.errors import NotHereError
from regportal.store.tokens import signing

PURPOSE = "regportal.alerts"
DOUBT = "regportal.alerts.doubt"
GOOD_FOR = timedelta(days=30)
"""How long a reader may say that it was somebody else."""
KEY, SECONDS = 16, 5
"""Bytes of a key, and of a moment."""
NOWHERE = "This link leads nowhere."


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
        raise NotHereError(NOWHERE)
    return reader


class DoubtLink(NamedTuple):
    """Who may say of which move that it was somebody else, and until when."""

    reader_id: uuid.UUID
    move_id: uuid.UUID
    until: datetime


def doubt_token(
    reader_id: uuid.UUID, move_id: uuid.UUID, keys: Sequence[bytes], *, now: datetime
) -> str:
    """Return the token by which this reader says so of this move; nothing of it is kept."""
    until = int((now + GOOD_FOR).timestamp())
    said = reader_id.bytes + move_id.bytes + until.to_bytes(SECONDS)
    return signing(keys, DOUBT).dumps(urlsafe_b64encode(said).decode())


def read_doubt(token: str, keys: Sequence[bytes]) -> DoubtLink:
    """
    Return what such a token says, also where it is too old; raise NotHereError for another one.

    >>> keys, noon = [b"k" * 32], datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> one, other = uuid.UUID(int=1), uuid.UUID(int=2)
    >>> told = read_doubt(doubt_token(one, other, keys, now=noon), keys)
    >>> told.reader_id == one, told.move_id == other, told.until - noon == GOOD_FOR
    (True, True, True)
    """
    try:
        said = urlsafe_b64decode(signing(keys, DOUBT).loads(token))
        reader, move = uuid.UUID(bytes=said[:KEY]), uuid.UUID(bytes=said[KEY : 2 * KEY])
    except (BadSignature, TypeError, ValueError) as error:
        raise NotHereError(NOWHERE) from error
    return DoubtLink(reader, move, datetime.fromtimestamp(int.from_bytes(said[2 * KEY :]), UTC))
