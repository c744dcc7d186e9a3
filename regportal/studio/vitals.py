"""How this installation is doing, as ``/metrics`` tells it."""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from regportal.store.documents import Published


def vitals_of(session: Session, published: Published, *, now: datetime) -> Any:
    """
    Return the ``Vitals`` of ``regportal.app.vitals``: what is owed to whom, and what waits.

    They are made above the Studio, so its application is told who makes them.
    """
    return current_app.extensions["regportal.vitals"](session, published, now=now)
