"""What a view may reach of the installation it runs in."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext

from flask import current_app, g
from sqlalchemy.orm import Session

from regportal.config import Settings
from regportal.store.documents import Published, Shelf, Site
from regportal.store.sessions import Store
from regportal.store.vault import Vault


def settings() -> Settings:
    """Return the settings of this installation."""
    found: Settings = current_app.extensions["regportal.settings"]
    return found


def store() -> Store:
    """Return the database of this installation."""
    found: Store = current_app.extensions["regportal.store"]
    return found


def vault() -> Vault:
    """Return the secrets of this installation."""
    found: Vault = current_app.extensions["regportal.vault"]
    return found


def published(session: Session | None = None) -> Published:
    """Return the documents that hold during this request (read once, here where it is open)."""
    if "published" not in g:
        shelf: Shelf = current_app.extensions["regportal.shelf"]
        with nullcontext(session) if session else store().read() as reading:
            g.published = shelf.published(reading)
    found: Published = g.published
    return found


def site(session: Session | None = None) -> Site:
    """Return the site; raise NotHereError before the first publication."""
    return Site.of(published(session))


def worths() -> Mapping[str, float]:
    """Return what an answer is worth for routing and phase, by question (buying/worth.py)."""
    worths_in: Callable[[Published], Mapping[str, float]] = current_app.extensions[
        "regportal.worths"
    ]
    return worths_in(published())


def wake(*tasks: str) -> None:
    """Let these tasks of the worker run soon; call it after the commit."""
    wake_one: Callable[[str], None] = current_app.extensions["regportal.wake"]
    for task in tasks:
        wake_one(task)
