"""Connectors: how each is doing, what it is told and where that goes; pausing it, and asking it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.roles import Permission
from regportal.buying.glossary import vocabulary_of
from regportal.connectors.base import Finding
from regportal.connectors.schema import Connector
from regportal.errors import NotHereError, RegportalError, TooManyError
from regportal.identity.actions import find_contact
from regportal.outbox.masking import HIDDEN
from regportal.store import current
from regportal.store.documents import Published
from regportal.store.words import N_
from regportal.studio.ages import age_of
from regportal.studio.asking import asking
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import Whom, WhyPaused
from regportal.studio.policies import may, page
from regportal.studio.told import concealed, mapped, written
from regportal.studio.vitals import vitals_of
from regportal.sync import deeds, made_up
from regportal.sync.deeds import CONNECTOR
from regportal.sync.looking import Found, look, look_at_one
from regportal.sync.present import Present, Telling
from regportal.sync.states import State, stand_of

STATES: Mapping[State, str] = {
    State.WORKS: N_("works"),
    State.HELD: N_("partly held back"),
    State.WAITS: N_("waits, as the CRM asked"),
    State.TROUBLED: N_("did not answer lately"),
    State.RESTS: N_("rests: no answer"),
    State.PAUSED: N_("paused"),
}
"""How people call each state of a connector."""
STANDS: Mapping[str, str] = {
    "equal": N_("is so already"),
    "new": N_("would be made"),
    "differs": N_("would be written"),
    "conflict": N_("stays as it is over there"),
    "refused": N_("has no place there"),
    "gone": N_("is not there any more"),
}
"""How people call how something stands in a CRM."""
THINGS: Mapping[str, str] = {
    "contact": N_("Contacts"),
    "consent": N_("Permissions"),
    "score": N_("Scores"),
    "phase": N_("Phases of opportunities"),
}
SHOWN = 100
"""Lines of what would change; the command prints all."""
NOBODY = N_("Nobody is known by this address.")

bp = Blueprint("connectors", __name__)


@dataclass(slots=True)
class Asked:
    """What a CRM said, or that it did not."""

    what: str
    trouble: str = ""
    findings: list[Finding] = field(default_factory=list)
    found: Found | None = None
    told: list[tuple[str, str]] = field(default_factory=list)
    """What it would be told: topics and payloads."""
    whom: str = ""


@bp.get("/connectors")
@page(Permission.DELIVERY)
def everything() -> str:
    """Show how every connector is doing."""
    now = datetime.now(UTC)
    with current.store().read() as session:
        published = current.published(session)
        owed = vitals_of(session, published, now=now).owed
        stands = [stand_of(session, published, key, now=now) for key in owed]
    return render_template(
        "studio/connectors.html",
        stands=stands,
        owed=owed,
        says=STATES,
        age_of=partial(age_of, now=now),
    )


@bp.get("/connectors/<key>")
@page(Permission.DELIVERY)
def connector(key: str) -> str:
    """Show how one is doing, and where what it is told goes."""
    return _shown(key)


@bp.post("/connectors/<key>/pause")
@page(Permission.DELIVER)
def pause(key: str) -> ResponseReturnValue:
    """Tell a connector nothing until somebody resumes it."""
    _require(key)
    form = WhyPaused()
    if not form.validate_on_submit():
        return _shown(key, because=form), 422
    because, doer, now = form.because.data or "", doer_of_request(), datetime.now(UTC)
    current.store().write(lambda session: deeds.pause(session, key, because, doer=doer, now=now))
    flash(N_("It is told nothing until somebody resumes it."), "success")
    return redirect(url_for("connectors.connector", key=key), 303)


@bp.post("/connectors/<key>/resume")
@page(Permission.DELIVER)
def resume(key: str) -> ResponseReturnValue:
    """Speak to a connector again."""
    _require(key)
    doer, now = doer_of_request(), datetime.now(UTC)
    current.store().write(lambda session: deeds.resume(session, key, doer=doer, now=now))
    current.wake(f"deliver:{key}")
    flash(N_("It is spoken to again."), "success")
    return redirect(url_for("connectors.connector", key=key), 303)


@bp.post("/connectors/<key>/go")
@page(Permission.DELIVER)
def go(key: str) -> ResponseReturnValue:
    """Let a connector go on after its first run."""
    document, doer, now = (
        current.published().one(Connector, key),
        doer_of_request(),
        datetime.now(UTC),
    )
    current.store().write(lambda session: deeds.go(session, document, doer=doer, now=now))
    current.wake(f"deliver:{key}")
    flash(N_("It goes on: whoever waits is told."), "success")
    return redirect(url_for("connectors.connector", key=key), 303)


@bp.post("/connectors/<key>/check")
@page(Permission.DELIVER)
def check(key: str) -> str:
    """Ask a CRM whether it lets us in, and has the fields and lists that we write."""

    def ask(document: Connector, published: Published, asked: Asked) -> None:
        with asking(document) as there:
            asked.findings = there.check(vocabulary_of(published))

    return _shown(key, asked=_asked(key, "check", ask))


@bp.post("/connectors/<key>/compare")
@page(Permission.DELIVER)
def compare(key: str) -> str:
    """Ask a CRM what would be made and changed there, as far as we come."""

    def ask(document: Connector, published: Published, asked: Asked) -> None:
        telling, now = Telling(published, document), datetime.now(UTC)
        with current.store().read() as session, asking(document) as there:
            asked.found = found = Found(key, of=telling.number(session))
            for _ in look(session, telling, there, found, now=now):
                pass
            asked.findings, asked.trouble = found.amiss, found.stopped or ""

    return _shown(key, asked=_asked(key, "compare", ask))


@bp.post("/connectors/<key>/rehearse")
@page(Permission.DELIVER)
def rehearse(key: str) -> ResponseReturnValue:
    """Show what a CRM would be told of somebody, and what it would make of it."""
    _require(key)
    form = Whom()
    if not form.validate_on_submit():
        return _shown(key, whom=form), 422
    email = form.email.data or ""
    if email and not may(Permission.PAYLOADS):
        form.email.errors = [N_("You may try it with somebody made up only.")]
        return _shown(key, whom=form), 422

    def ask(document: Connector, published: Published, asked: Asked) -> None:
        telling, now = Telling(published, document), datetime.now(UTC)
        with current.store().read() as session:
            one = _somebody(session, telling, email, now)
            asked.told = [
                (news.topic, written(concealed(published, document, dict(news.payload))))
                for news in one.news
            ]
            asked.whom = one.name
            with asking(document) as there:
                asked.found = found = look_at_one(session, telling, there, one, now=now)
        asked.trouble = found.stopped or ""

    try:
        asked = _asked(key, "rehearse", ask)
    except _NobodyError:
        form.email.errors = [NOBODY]
        return _shown(key, whom=form), 422
    return _shown(key, asked=asked, whom=form)


class _NobodyError(Exception):
    """Nobody is known by an address."""


def _somebody(session: Session, telling: Telling, email: str, now: datetime) -> Present:
    """Return a contact as he would be told of, or somebody made up."""
    if not email:
        return made_up.somebody(telling.published, telling.connector, now=now)
    contact = find_contact(session, email)
    if contact is None:
        raise _NobodyError
    doer = doer_of_request()
    current.store().write(
        lambda writing: audit.write(writing, doer, "read", "contact", contact.key, now=now)
    )
    return telling.of(session, [contact], now=now)[0]


def _asked(key: str, what: str, ask: Callable[[Connector, Published, Asked], None]) -> Asked:
    """
    Ask a CRM, and return what it said; who asked what is written down before.

    Raises NotHereError where there is no such connector, and TooManyError.
    """
    published, asked = current.published(), Asked(what)
    document = published.one(Connector, key)
    doer, now = doer_of_request(), datetime.now(UTC)
    current.store().write(
        lambda session: audit.write(session, doer, "look", CONNECTOR, key, {"at": what}, now=now)
    )
    try:
        ask(document, published, asked)
    except TooManyError:
        raise
    except RegportalError as error:
        asked.trouble = str(error)
    return asked


def _shown(
    key: str,
    *,
    asked: Asked | None = None,
    because: WhyPaused | None = None,
    whom: Whom | None = None,
) -> str:
    """Return the page of a connector, with what its CRM was asked."""
    now, sees = datetime.now(UTC), may(Permission.PAYLOADS)
    with current.store().read() as session:
        published = current.published(session)
        owed = vitals_of(session, published, now=now).owed
        if key not in owed:
            raise NotHereError(f"there is no connector {key}")
        stand = stand_of(session, published, key, now=now)
    if asked is not None and not sees and asked.found is not None:
        for number, one in enumerate(asked.found.compared):
            asked.found.compared[number] = replace(one, name=HIDDEN)
    return render_template(
        "studio/connector.html",
        stand=stand,
        age_of=partial(age_of, now=now),
        owed=owed[key],
        says=STATES,
        stands=STANDS,
        things=THINGS,
        mapping=mapped(published, stand.document) if stand.document else (),
        asked=asked,
        shown=SHOWN,
        because=because or WhyPaused(formdata=None),
        whom=whom or Whom(formdata=None),
        may_deliver=may(Permission.DELIVER),
        sees=sees,
    )


def _require(key: str) -> None:
    """Raise NotHereError where nothing is told to such a connector, nor ever was."""
    deeds.require_connector(current.published(), key)
