"""
What we are measured beside, served by the same web server in a process of its own.

``none``: the gate's form with nothing behind it. ``orm``: the same form as one writes it first,
with one ORM session a request. ``files``: Flask's ``send_file`` and nothing else. ``hello``: reads
what is sent and says hello. ``events``: a collector as one writes it first, in the database whose
address is the last argument.
"""

import secrets
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, redirect, render_template_string, request, send_file
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from itsdangerous import URLSafeSerializer
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from wtforms import BooleanField, EmailField, HiddenField
from wtforms.validators import DataRequired, Email

from regportal.app.server import Server, listen
from regportal.config import Settings

PAGE = """<!doctype html><html lang="en"><title>All prices</title>
<main><h1>All prices on two pages</h1>
<form method="post" data-rp="gate">{{ form.csrf_token }}{{ form.ask }}
<p>{{ form.email.label }} {{ form.email }}</p>
<p>{{ form.newsletter }} {{ form.newsletter.label }}</p>
<button name="remember" value="no">Get it, just this once</button>
<button name="remember" value="yes">Get it, and remember me</button>
</form></main></html>"""


class GateForm(FlaskForm):  # type: ignore[misc] # flask_wtf has no types
    """The gate's form: an address, a newsletter, a signed token."""

    email = EmailField("E-mail", validators=[DataRequired(), Email()])
    newsletter = BooleanField("Send me widget price alerts", name="n-widget-prices")
    ask = HiddenField()


class Base(DeclarativeBase):
    """A table as one writes it first."""


class Contact(Base):
    """A person."""

    __tablename__ = "contact"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    email: Mapped[str] = mapped_column(unique=True)
    newsletter: Mapped[bool]
    at: Mapped[datetime]


class Download(Base):
    """What the person took."""

    __tablename__ = "download"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"), index=True)
    asset: Mapped[str]
    at: Mapped[datetime]


class News(Base):
    """What the CRM is to be told."""

    __tablename__ = "news"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    payload: Mapped[str]
    at: Mapped[datetime]


class Event(Base):
    """What somebody did."""

    __tablename__ = "event"
    __table_args__ = (sa.Index("ix_event_visitor", "visitor", "at"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    visitor: Mapped[str]
    type: Mapped[str]
    object: Mapped[str]
    properties: Mapped[dict[str, Any]] = mapped_column(sa.JSON())
    at: Mapped[datetime]


def hello_app() -> Flask:
    """Return an application that reads what is sent and says hello."""
    app = Flask(__name__)

    @app.post("/api/v1/interactions")
    def hello() -> str:
        request.get_data()
        return "hello"

    return app


def events_app(engine: sa.Engine) -> Flask:
    """Return a collector that keeps each event as a row."""
    app = Flask(__name__)

    @app.post("/api/v1/interactions")
    def take() -> ResponseReturnValue:
        told = request.get_json(force=True)["events"]
        visitor = request.cookies.get("rp_v", "")
        with Session(engine) as session:
            session.add_all(
                Event(
                    id=uuid.UUID(one["id"]),
                    visitor=visitor,
                    type=one["type"],
                    object=one["object"],
                    properties=one["properties"],
                    at=datetime.fromisoformat(one["occurred_at"]),
                )
                for one in told
            )
            session.commit()
        return {"accepted": len(told)}, 202

    return app


def form_app(engine: sa.Engine | None) -> Flask:
    """Return the gate's form; with an engine it keeps what it is told."""
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)
    signer = URLSafeSerializer(secrets.token_bytes(32))

    @app.get("/g/prices")
    def show() -> ResponseReturnValue:
        form = GateForm(ask=signer.dumps([uuid.uuid4().hex, "prices"]))
        return render_template_string(PAGE, form=form)

    @app.post("/g/prices")
    def take() -> ResponseReturnValue:
        form = GateForm()
        if not form.validate():
            return render_template_string(PAGE, form=form), 422
        signer.loads(form.ask.data or "")
        if engine is not None:
            keep(engine, form.email.data or "", newsletter=bool(form.newsletter.data))
        return redirect("/g/prices/done", 303)

    return app


def keep(engine: sa.Engine, address: str, *, newsletter: bool) -> None:
    """Write down the contact, the download and the news of it."""
    now = datetime.now(UTC)
    with Session(engine) as session:
        contact = session.scalar(sa.select(Contact).where(Contact.email == address))
        if contact is None:
            contact = Contact(email=address, newsletter=newsletter, at=now)
            session.add(contact)
            session.flush()
        session.add(Download(contact_id=contact.id, asset="price-list", at=now))
        session.add(News(payload=address, at=now))
        session.commit()


def file_app(folder: Path) -> Flask:
    """Return an application that sends the files of a folder."""
    app = Flask(__name__)

    @app.get("/files/<name>")
    def give(name: str) -> ResponseReturnValue:
        return send_file(folder / name, as_attachment=True)

    return app


def main() -> None:
    """Serve one of the references until told to stop: ``kind folder``."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    if kind == "files":
        app = file_app(folder)
    elif kind == "hello":
        app = hello_app()
    elif kind in {"orm", "events"}:
        from regportal.store.sessions import make_engine

        url = sys.argv[4] if kind == "events" else f"sqlite:///{folder / 'orm.db'}"
        engine = make_engine(url)  # as durable as ours
        if engine.dialect.name == "sqlite":  # whose busy handler is not fair: nobody may give up
            wait = "PRAGMA busy_timeout=60000"
            sa.event.listen(engine, "connect", lambda connection, _: connection.execute(wait))
        engine = engine.execution_options(regportal_writes=True)  # else it gives up halfway
        Base.metadata.create_all(engine)
        app = form_app(engine) if kind == "orm" else events_app(engine)
    else:
        app = form_app(None)
    listening = listen("127.0.0.1", int(sys.argv[3]))
    server = Server(app, listening, Settings())
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    server.run()


if __name__ == "__main__":
    main()
