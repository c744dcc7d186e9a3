"""A person as these tests meet her, and what of her can be found in a database."""

import re
from pathlib import Path

import sqlalchemy as sa

from regportal.identity.actions import find_contact
from tests.portal import Browser, Page, Portal

PRESS = {"choice": "open"}
"""What the one button on the page of a link sends."""


class Person:
    """Somebody with one address and one browser."""

    def __init__(self, portal: Portal, email: str, **headers: str) -> None:
        self.portal, self.email = portal, email
        self.browser = portal.browser(**headers)

    def arrives(self) -> "Person":
        """Give the address, ask for a newsletter, press the link, answer a question."""
        self.browser.claim(self.email, n_news="yes")
        self.portal.work()
        self.browser.prove(self.portal)
        self.portal.work()
        self.browser.send("study", q_country="DE")
        self.portal.work()
        return self

    def asks_for_her_page(self, browser: Browser | None = None) -> str:
        """Ask for the link to her own page; return the path of the link in the mail."""
        ask(browser or self.portal.browser(), self.email)
        self.portal.work()
        return link(self.portal, "/me/")

    def opens_her_page(self, browser: Browser | None = None) -> Page:
        """Prove the browser by that link; return the page it leads to."""
        browser = browser or self.browser
        browser.post(self.asks_for_her_page(), PRESS)
        return browser.get("/me")

    @property
    def key(self) -> str | None:
        """Return our key for her, or None where we know her no more."""
        with self.portal.store.read() as session:
            found = find_contact(session, self.email)
            return found.key if found else None


def ask(browser: Browser, email: str, **headers: str) -> Page:
    """Send the form that asks for a link; return the answer."""
    return browser.post("/me", {**browser.get("/me").fields, "email": email}, **headers)


def link(portal: Portal, starts: str, which: int = -1) -> str:
    """Return the path of the link in a mail."""
    text = portal.mails()[which].get_body(("plain",)).get_content()
    return re.search(rf"^\S*?({starts}\S+)\r?$", text, re.MULTILINE)[1]


def found_in(database_url: str, words: list[str]) -> list[str]:
    """Return which of these words are anywhere in a database: in its files, or in any row."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        path = Path(url.database)
        files = [path.with_name(f"{path.name}{end}") for end in ("", "-wal", "-journal")]
        held = b"\n".join(file.read_bytes() for file in files if file.exists()).lower()
        return [word for word in words if word.lower().encode() in held]
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        held = "\n".join(
            _text(row) for table in _tables(engine) for row in connection.execute(sa.select(table))
        ).lower()
    engine.dispose()
    return [word for word in words if word.lower() in held]


def _tables(engine: sa.Engine) -> list[sa.Table]:
    """Return every table there is, also those no model knows."""
    found = sa.MetaData()
    found.reflect(engine)
    return list(found.tables.values())


def _text(row: sa.Row) -> str:
    """Return a row as text, its bytes as well."""
    raw = (bytes(one) for one in row if isinstance(one, bytes | memoryview))
    return " ".join([str(row), *(one.decode("utf-8", "replace") for one in raw)])
