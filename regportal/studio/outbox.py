"""The outbox: what each connector is owed, why something is not taken, and telling it again."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    Response,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from regportal.accounts import audit
from regportal.accounts.roles import Permission
from regportal.buying.overriding import USUAL, Word
from regportal.connectors.orders import TOPICS
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector
from regportal.errors import NotHereError, RegportalError, TooManyError
from regportal.insight import messages as listed
from regportal.insight.messages import MessageRow, Messages
from regportal.outbox.masking import masked, without_addresses
from regportal.outbox.models import MAIL, Message, MessageState
from regportal.store import current
from regportal.store.ids import moment_of
from regportal.store.words import N_, Sentence, translated
from regportal.studio.ages import age_of
from regportal.studio.asking import PATIENCE, turn
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import Because
from regportal.studio.lists import FORM, List, asked, filters_of, mark_asked
from regportal.studio.policies import may, page
from regportal.studio.told import concealed, written
from regportal.studio.vitals import vitals_of
from regportal.sync import deeds
from regportal.sync.deeds import MESSAGE
from regportal.sync.settling import PHASE, settle

STATES: Mapping[MessageState, str] = {
    MessageState.PARKED: N_("parked"),
    MessageState.DUE: N_("waiting"),
    MessageState.SENT: N_("taken"),
    MessageState.SUPERSEDED: N_("told by a newer one"),
}
"""How people call each state of a message."""
MOST = 5_000
"""Messages that one press lets be told again; whoever has more presses once more."""
AGAIN = N_("Told again: %(num)d.")
STILL = N_("Still parked: %(num)d. Press once more for them.")
NONE = N_("Nothing is told again: it is just being told, or a newer message tells it.")
THEIRS, OURS = "theirs", "ours"

MESSAGES = List("outbox", Messages, MessageRow, listed.page)

bp = Blueprint("outbox", __name__)


@bp.get("/outbox")
@page(Permission.DELIVERY)
def messages() -> str:
    """Show a page of messages."""
    filters = filters_of(Messages)
    now = datetime.now(UTC)
    with current.store().read() as session:
        published = current.published(session)
        owed = vitals_of(session, published, now=now).owed
        found = listed.page(session, filters, mark_asked())
    return render_template(
        "studio/outbox.html",
        found=found,
        asked=asked(filters),
        age_of=partial(age_of, now=now),
        to=[(key, translated(N_("Mail"), g.locale) if key == MAIL else key) for key in owed],
        parked=sum(one.parked for key, one in owed.items() if filters.connector in {None, key}),
        states=[(one.value, translated(says, g.locale)) for one, says in STATES.items()],
        said=STATES,
        topics=[(one, one) for one in TOPICS],
        may_deliver=may(Permission.DELIVER),
    )


@bp.get(f"/outbox.{FORM}")
@page(Permission.DELIVERY, fresh=True)
def copy(form: str) -> Response:
    """Return all messages that are asked for as a file, without what they tell."""
    return MESSAGES.taken(form)


@bp.get("/outbox/<uuid:message_id>")
@page(Permission.DELIVERY)
def message(message_id: uuid.UUID) -> str:
    """Show one message, and of what it tells what is nobody's."""
    return _shown(message_id)


@bp.post("/outbox/<uuid:message_id>/payload")
@page(Permission.PAYLOADS)
def payload(message_id: uuid.UUID) -> str:
    """Show what a message tells; who read it is written down first."""
    doer, now = doer_of_request(), datetime.now(UTC)

    def read(session: Session) -> None:
        _one(session, message_id)
        audit.write(session, doer, "read", MESSAGE, str(message_id), now=now)

    current.store().write(read)
    return _shown(message_id, is_open=True)


@bp.post("/outbox/<uuid:message_id>/replay")
@page(Permission.DELIVER)
def replay(message_id: uuid.UUID) -> ResponseReturnValue:
    """Let one message be told again."""
    doer, now = doer_of_request(), datetime.now(UTC)

    number = current.store().write(
        lambda session: deeds.replay(session, [message_id], doer=doer, now=now)
    )
    current.wake("deliver")
    flash(Sentence(AGAIN, num=number) if number else NONE, "success" if number else "info")
    return redirect(url_for("outbox.message", message_id=message_id), 303)


@bp.get("/outbox/replay")
@page(Permission.DELIVER)
def ask_replay_all() -> str:
    """Say how many messages would be told again, before anything is."""
    connector = _connector(request.args)
    with current.store().read() as session:
        number = listed.parked(session, connector)
    return render_template("studio/replay.html", connector=connector, number=number, most=MOST)


@bp.post("/outbox/replay")
@page(Permission.DELIVER)
def replay_all() -> ResponseReturnValue:
    """Let parked messages be told again, the oldest first."""
    connector = _connector(request.form)
    store, doer, now = current.store(), doer_of_request(), datetime.now(UTC)
    number = deeds.replay_parked(store, connector=connector, most=MOST, doer=doer, now=now)
    with store.read() as session:
        left = listed.parked(session, connector)
    current.wake("deliver")
    flash(Sentence(AGAIN, num=number), "success")
    if left and number == MOST:
        flash(Sentence(STILL, num=left), "info")
    return redirect(url_for("outbox.messages", connector=connector), 303)


@bp.post("/outbox/<uuid:message_id>/settle")
@page(Permission.DELIVER)
def settle_one(message_id: uuid.UUID) -> ResponseReturnValue:
    """Settle a phase that people in the CRM set otherwise: theirs holds, or ours is written."""
    take, form, now = request.form.get("take"), Because(), datetime.now(UTC)
    if take not in {THEIRS, OURS}:
        return _shown(message_id), 422
    if take == THEIRS and not form.validate_on_submit():
        return _shown(message_id, because=form), 422
    because = form.because.data or ""
    word = Word("", current_user.email, because, now + USUAL) if take == THEIRS else None
    doer, store, settings = doer_of_request(), current.store(), current.settings()
    try:
        with turn():
            done = settle(
                *(store, settings, current.published(), message_id, word),
                doer=doer,
                patience=PATIENCE,
                now=now,
            )
    except (NotHereError, TooManyError):
        raise
    except RegportalError as error:
        return _shown(message_id, because=form, trouble=str(error)), 409
    current.wake("deliver")
    says = N_("Ours is told once more: %(phase)s.") if done.is_told else N_("It holds: %(phase)s.")
    flash(Sentence(says, phase=done.phase), "success")
    return redirect(url_for("outbox.message", message_id=message_id), 303)


def _connector(said: MultiDict[str, str]) -> str | None:
    """Return the connector that is named, if any; raise BadRequestError for what can be none."""
    return Messages.of([("connector", said.getlist("connector"))]).connector


def _shown(
    message_id: uuid.UUID,
    *,
    is_open: bool = False,
    because: Because | None = None,
    trouble: str = "",
) -> str:
    """Return the page of a message."""
    with current.store().read() as session:
        published = current.published(session)
        one = _one(session, message_id)
    is_open = is_open and may(Permission.PAYLOADS)
    told = _told(published.find(Connector, one.connector), one, is_open=is_open)
    reason = one.trouble or ""
    return render_template(
        "studio/message.html",
        one=one,
        since=moment_of(one.id),
        age_of=partial(age_of, now=datetime.now(UTC)),
        states=STATES,
        told=written(told),
        is_open=is_open,
        reason=reason if is_open else without_addresses(reason),
        is_mail=one.connector == MAIL,
        is_parked=one.state is MessageState.PARKED,
        may_be_told=one.state is not MessageState.SUPERSEDED,
        is_conflict=one.state is MessageState.PARKED
        and one.topic == PHASE
        and one.outcome == Outcome.CONFLICT,
        trouble=trouble,
        because=because or Because(formdata=None),
        may_deliver=may(Permission.DELIVER),
        may_read=may(Permission.PAYLOADS),
    )


def _told(document: Connector | None, one: Message, *, is_open: bool) -> Any:
    """Return what a message tells, as far as whoever asks may see it."""
    if is_open:
        return concealed(current.published(), document, one.payload)
    return masked(one.payload)


def _one(session: Session, message_id: uuid.UUID) -> Message:
    """Return a message; raise NotHereError where there is none."""
    found = session.get(Message, message_id)
    if found is None:
        raise NotHereError(f"there is no message {message_id}")
    return found
