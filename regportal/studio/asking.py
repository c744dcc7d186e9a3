"""Asking a CRM while somebody waits for the answer: for so long, and by so many at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from regportal.connectors.base import Connector
from regportal.connectors.schema import Connector as Document
from regportal.errors import TooManyError
from regportal.outbox.budget import calling
from regportal.store import current
from regportal.store.words import N_

PATIENCE = 15.0
"""Seconds after which whoever waits is told that the CRM does not answer, or how far we came."""
AT_ONCE = 2
"""Of one process: whoever else serves is not kept waiting by a CRM."""
BUSY = N_("CRMs are being asked already. Please try again in a moment.")

_turns = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def turn() -> Iterator[None]:
    """Let the block ask a CRM; raises TooManyError where enough others do."""
    if not _turns.acquire(blocking=False):
        raise TooManyError(BUSY, int(PATIENCE))
    try:
        yield
    finally:
        _turns.release()


@contextmanager
def asking(document: Document) -> Iterator[Connector]:
    """Give a connector for the block; raises TooManyError, and ConfigError where it has faults."""
    store, settings, secret = current.store(), current.settings(), current.vault().secret
    with turn(), calling(store, document, settings, secret, patience=PATIENCE) as connector:
        yield connector
