"""Commands for what goes to a CRM and what comes from it."""

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from regportal.cli.installation import Installation, opened
from regportal.cli.lines import pairs, printable
from regportal.cli.reading import AS_JSON
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.outbox.models import Message, MessageState, Pause

MOST_LINES = 100

CONNECTOR = click.option("--connector", metavar="KEY", help="Only what this connector is told.")


@click.group()
def outbox() -> None:
    """See what is owed to CRMs, deliver it again, or hold it back."""


@outbox.command("list")
@CONNECTOR
@click.option(
    "--state",
    type=click.Choice([state.value for state in MessageState]),
    help="Only messages in this state.",
)
@click.option("--limit", type=click.IntRange(min=1), help=f"How many (otherwise {MOST_LINES}).")
@AS_JSON
def list_messages(
    connector: str | None, state: str | None, limit: int | None, *, as_json: bool
) -> None:
    """List messages: first those a person must look at, then what waits, then the newest."""
    from regportal.inbox.polling import troubles
    from regportal.outbox.budget import Budget
    from regportal.outbox.operating import listing, pauses, waiting, why
    from regportal.sync.drifting import amiss_at

    if limit is None and not as_json:
        limit = MOST_LINES
    with opened() as installation, installation.store.read() as session:
        wanted = MessageState(state) if state else None
        messages = listing(session, connector=connector, state=wanted, limit=limit)
        if as_json:
            _echo_json(_message(message) for message in messages)
            return
        for message in messages:
            click.echo(pairs(_message(message)))
        for key, counts in waiting(session).items():
            click.echo(f"{key}: " + ", ".join(f"{counts[one]} {one}" for one in counts))
        now = datetime.now(UTC)
        for pause in pauses(session, now=now):
            click.echo(_paused(pause, why(pause)))
        unasked = troubles(session)
        for document in installation.shelf.published(session).all(Connector):
            if document.key in unasked:
                click.echo(printable(f"{document.key}: {unasked[document.key]}"))
            stands = Budget.of(document).stands(session, now=now)
            if stands.calls is not None or stands.holds:
                click.echo(f"{document.key}: {stands}")
            for subject, says in amiss_at(session, document.key).items():
                click.echo(f"{document.key}: {subject} {says}")


@outbox.command("replay")
@click.argument("ids", metavar="[ID]...", type=click.UUID, nargs=-1)
@CONNECTOR
@AS_JSON
def replay_messages(ids: tuple[uuid.UUID, ...], connector: str | None, *, as_json: bool) -> None:
    """Deliver messages again; without an ID every parked one. None has a second effect."""
    from regportal.sync.deeds import replay, replay_parked

    if ids and connector:
        raise click.UsageError("name messages or a connector, not both")
    with opened() as installation:
        store, now = installation.store, datetime.now(UTC)
        if ids:
            number = store.write(lambda session: replay(session, ids, now=now))
        else:
            number = replay_parked(store, connector=connector, now=now)
    says = f"{number} {'message is' if number == 1 else 'messages are'} due again"
    _tell({"due": number}, says, as_json=as_json)


@outbox.command("pause")
@click.argument("connector")
@click.option("--because", default="paused by hand", help="Why, for whoever looks next.")
@AS_JSON
def pause_connector(connector: str, because: str, *, as_json: bool) -> None:
    """Tell a connector nothing until it is resumed; what happens meanwhile waits."""
    from regportal.sync.deeds import pause

    now = datetime.now(UTC)
    with opened() as installation:
        _refuse_unknown(installation, connector)
        installation.store.write(lambda session: pause(session, connector, because, now=now))
    told = {"connector": connector, "because": because}
    _tell(told, f"{connector} is paused", as_json=as_json)


@outbox.command("resume")
@click.argument("connector")
@AS_JSON
def resume_connector(connector: str, *, as_json: bool) -> None:
    """Speak to a connector again."""
    from regportal.sync.deeds import resume

    now = datetime.now(UTC)
    with opened() as installation:
        _refuse_unknown(installation, connector)
        was_paused = installation.store.write(lambda session: resume(session, connector, now=now))
    says = f"{connector} is resumed" if was_paused else f"{connector} was not paused"
    _tell({"connector": connector, "was_paused": was_paused}, says, as_json=as_json)


@outbox.command("settle")
@click.argument("message", metavar="ID", type=click.UUID)
@click.option("--theirs", "take", flag_value="theirs", help="Take the phase the CRM shows.")
@click.option("--ours", "take", flag_value="ours", help="Write ours over it.")
@click.option("--because", help="Why theirs holds; it is kept, and told to the CRM.")
@click.option("--by", help="Who says so; else whoever is logged in here.")
def settle_message(
    message: uuid.UUID, take: str | None, because: str | None, by: str | None
) -> None:
    """
    Settle a phase that people in the CRM set otherwise: the parked message ID says so.

    Theirs holds over the rules for 30 days, as an override does. Ours is written once more.
    """
    from regportal.buying.overriding import USUAL, Word
    from regportal.cli.overriding import who
    from regportal.sync.settling import settle

    if take is None:
        raise click.UsageError("choose one of --theirs and --ours")
    if (take == "theirs") is (because is None):
        raise click.UsageError("--because says why theirs holds, and goes with --theirs")
    now = datetime.now(UTC)
    word = Word("", by or who(), because, now + USUAL) if because is not None else None
    with opened() as here:
        with here.store.read() as session:
            published = here.shelf.published(session)
        done = settle(here.store, here.settings, published, message, word, now=now)
    says = "is told anew" if done.is_told else f"holds for {USUAL.days} days"
    click.echo(printable(f"{done.phase} {says}"))


@click.group()
def inbox() -> None:
    """See what CRMs told us."""


@inbox.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what was understood.")
@AS_JSON
def list_notices(*, everything: bool, as_json: bool) -> None:
    """List what CRMs told us and we could not (yet) understand, with the reason."""
    from regportal.inbox.actions import list_notices as notices_of
    from regportal.inbox.polling import troubles

    with opened() as installation, installation.store.read() as session:
        notices = notices_of(session, everything=everything)
        connectors = installation.shelf.published(session).all(Connector)
        unasked = troubles(session)
    if as_json:
        _echo_json(notices)
        return
    for notice in notices:
        click.echo(pairs(notice))
    for document in connectors:
        if document.key in unasked:
            click.echo(printable(f"{document.key}: {unasked[document.key]}"))


def _message(message: Message) -> dict[str, Any]:
    """Return a message as it is listed; what it tells stays in the database."""
    return {
        "id": str(message.id),
        "connector": message.connector,
        "topic": message.topic,
        "subject": message.subject,
        "sequence": message.sequence,
        "state": message.state.value,
        "outcome": message.outcome,
        "attempts": message.attempts,
        "reason": message.trouble,
        "occurred_at": in_full(message.occurred_at),
        "due": in_full(message.due) if message.state is MessageState.DUE else None,
        "sent_at": in_full(message.sent_at) if message.sent_at else None,
    }


def _paused(pause: Pause, because: str) -> str:
    """Say that a connector is paused, how long and why."""
    if pause.failures and pause.until:
        until = f"and tried with one message from {in_full(pause.until)} on"
    else:
        until = f"until {in_full(pause.until)}" if pause.until else "until it is resumed"
    return f"{pause.connector} is paused {until}: {printable(because)}"


def _tell(told: Mapping[str, Any], says: str, *, as_json: bool) -> None:
    """Print what was done: a sentence for people, or one JSON object."""
    click.echo(json.dumps(told, indent=2, ensure_ascii=False) if as_json else says)


def _echo_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON array."""
    click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))


def _refuse_unknown(installation: Installation, key: str) -> None:
    """Raise NotHereError where nothing is told to such a connector."""
    from regportal.sync.deeds import require_connector

    with installation.store.read() as session:
        require_connector(installation.shelf.published(session), key)
