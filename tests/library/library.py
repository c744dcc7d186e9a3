"""A small installation that only gives: a gate, an asset, visitors, and the address of bytes."""

import hashlib
import io
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
import waitress
from flask import Blueprint, Flask
from flask.testing import FlaskClient

from regportal.config import Settings, load
from regportal.forms.downloads import bp
from regportal.forms.schema import Gate
from regportal.identity.browser import SESSION_COOKIE
from regportal.identity.models import Visitor, VisitorState, VisitorToken
from regportal.library import actions
from regportal.library.models import Grant, Serving
from regportal.library.schema import Asset, Content
from regportal.library.storage import Storage, open_storage
from regportal.store.documents import CurrentDocument, DocumentVersion, Publication, Shelf, Site
from regportal.store.ids import uuid7
from regportal.store.sessions import Store, make_engine
from regportal.store.tokens import hash_of

SITE = Site(name="Acme", controller="Acme Ltd", privacy_notice="https://www.acme.example/privacy")
TEXT = "\n".join(f"Widget {number}: {number * 7} EUR" for number in range(2000)).encode()


class Browser(FlaskClient):
    """A browser that reads to the end and hangs up, unless it is told not to."""

    def open(self, *args, buffered=True, **kwargs):
        return super().open(*args, buffered=buffered, **kwargs)


def token_of(name):
    """Return the token in somebody's cookie: as long as ours are, and easy to know again."""
    return name.replace(" ", "_").ljust(43, "_")


def cookie_of(name):
    """Return the header with which somebody's browser sends it."""
    return {"Cookie": f"{SESSION_COOKIE}={token_of(name)}"}


@dataclass
class Library:
    app: Flask
    store: Store
    storage: Storage
    settings: Settings

    def publish(self, *documents):
        """Publish these documents beside what is published already."""

        def work(session):
            now = datetime.now(UTC)
            session.add(Publication(at=now))
            for document in documents:
                version = DocumentVersion(
                    id=uuid7(),
                    kind=document.kind,
                    key=document.key,
                    number=self._next_number(session, document),
                    body=document.model_dump(mode="json", by_alias=True, exclude_none=True),
                    digest="",
                    published_at=now,
                )
                session.add(version)
                session.flush()
                session.merge(
                    CurrentDocument(
                        kind=document.kind, key=document.key, position=0, version_id=version.id
                    )
                )

        self.store.write(work)

    def offer(self, data=TEXT, *, key="price-list", name="Price list 2026.csv"):
        """Publish an asset with these bytes, and the gate before it."""
        content = data if isinstance(data, Content) else self.storage.take(io.BytesIO(data), name)
        asset = Asset(
            key=key, title="Prices", category="price-list", file="files/it", content=content
        )
        self.publish(SITE, asset, Gate(key=f"{key}-gate", asset=key, headline="Prices"))
        return content

    def visitor(self, name):
        """Let somebody come whose cookie holds his token."""

        def work(session):
            now = datetime.now(UTC)
            visitor = Visitor(
                id=uuid7(), first_seen=now, last_seen=now, state=VisitorState.ANONYMOUS
            )
            session.add(visitor)
            session.flush()
            session.add(
                VisitorToken(hash=hash_of(token_of(name)), visitor_id=visitor.id, made_at=now)
            )
            return visitor.id

        return self.store.write(work)

    def give(self, visitor_id, *, asset="price-list", single=False, now=None):
        """Grant the asset; return the path of its link."""

        def work(session):
            given = actions.grant(
                session,
                gate=f"{asset}-gate",
                asset=asset,
                visitor_id=visitor_id,
                claim_id=None,
                single=single,
                keys=self.settings.keys,
                now=now or datetime.now(UTC),
            )
            return actions.token_of(given, self.settings.keys)

        return f"/d/{self.store.write(work)}"

    def browser(self, name=None):
        """Return a client, with the cookie of a visitor if there is one."""
        client = Browser(self.app, self.app.response_class)
        if name:
            client.set_cookie(SESSION_COOKIE, token_of(name))
        return client

    def settle(self):
        """Wait for the measurements noted so far; the store opens again by itself."""
        self.store.close()

    def servings(self):
        """Return what was measured."""
        self.settle()
        with self.store.read() as session:
            return session.scalars(sa.select(Serving).order_by(Serving.id)).all()

    def grants(self):
        """Return every grant, oldest first."""
        self.settle()
        with self.store.read() as session:
            return session.scalars(sa.select(Grant).order_by(Grant.id)).all()

    @staticmethod
    def _next_number(session, document):
        last = session.scalar(
            sa.select(sa.func.max(DocumentVersion.number)).where(
                DocumentVersion.kind == document.kind, DocumentVersion.key == document.key
            )
        )
        return (last or 0) + 1


def make_library(folder, database_url):
    """Open the installation of this folder and this database."""
    settings = load(
        instance=folder, database_url=database_url, secret_key="k" * 32, pepper="p" * 32
    )
    forms = Blueprint("forms", __name__)
    forms.add_url_rule("/g/<key>", "gate", lambda key: f"the gate {key}")
    app = Flask(__name__)
    app.extensions["regportal.settings"] = settings
    app.extensions["regportal.store"] = store = Store(make_engine(database_url))
    app.extensions["regportal.shelf"] = Shelf()
    app.register_blueprint(forms)
    app.register_blueprint(bp)
    return Library(app, store, open_storage(settings.storage_url), settings)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    library = make_library(Path(sys.argv[1]), sys.argv[2])
    server = waitress.create_server(
        library.app, host="127.0.0.1", port=0, threads=8, connection_limit=200
    )
    print(server.effective_port, flush=True)  # noqa: T201 - who started it waits for this
    server.run()
