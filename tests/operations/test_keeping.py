"""A copy says what the installation said: backed up under load, brought back, moved elsewhere."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.app import keeping
from regportal.app.keeping import as_of_now, back_up, copy, new_database, tables
from regportal.buying.place import unread
from regportal.cli import main
from regportal.cli.serve import not_served
from regportal.connectors.webhook import Webhook
from regportal.consent.ledger import broken_lines, keep_head
from regportal.identity.models import Claim
from regportal.outbox.models import Message, MessageState
from regportal.store.copying import digest_of, rows_of
from regportal.store.sessions import Store, make_engine
from regportal.tracking.models import LogEntry
from tests.databases import made
from tests.operations.test_health import owe
from tests.patience import PATIENCE, until
from tests.portal import Portal

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def digests(url):
    """Return what every table says, as the models read it."""
    engine = make_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: digest_of(row.values() for row in rows_of(connection, table))
            for table in tables()
        }
    engine.dispose()
    return found


def looked_into(url, ask):
    """Return what a database answers."""
    with closing(Store(make_engine(url))) as store, store.read() as session:
        return ask(session)


@pytest.fixture
def elsewhere(database_url, request, tmp_path):
    """The address of a database of the same kind that is not there, or has nothing."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/elsewhere.db"
        return
    with made(request.getfixturevalue("_postgres"), "elsewhere") as url:
        yield url


@pytest.fixture
def postgres(_postgres):
    """The address of a PostgreSQL with nothing in it."""
    with made(_postgres, "moved") as url:
        yield url


@pytest.fixture
def command(portal, database_url, monkeypatch, capsys):
    """Run a command on the installation, or on another database; return code and what it says."""
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(portal.settings.instance))

    def run(*arguments, on=database_url):
        monkeypatch.setenv("REGPORTAL_DATABASE_URL", on)
        capsys.readouterr()
        code = 0
        try:
            main([str(one) for one in arguments])
        except SystemExit as left:
            code = left.code or 0
        told = capsys.readouterr()
        return code, told.out if code == 0 else told.err.splitlines()[-1]

    return run


@pytest.fixture
def lived(portal):
    """An installation in which something happened, and much is still to be done."""
    ann = portal.browser()
    portal.hook("opportunity.upserted", {"external_id": "006A", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "006A", "email": "ann@acme.example"})
    ann.claim("ann@acme.example", "prices", n_prices="yes")
    portal.work()
    ann.prove(portal)
    portal.work()
    portal.browser().claim("bob@acme.example")
    portal.hook("opportunity.upserted", {"external_id": "006B", "name": "More widgets"})
    return portal


def test_a_backup_comes_back_and_says_the_same(lived, command, elsewhere, tmp_path):
    code, told = command("backup", tmp_path / "copy.db", "--json")
    assert code == 0
    told = json.loads(told)["tables"]
    code, says = command("restore", tmp_path / "copy.db", on=elsewhere)
    assert code == 0
    found = digests(elsewhere)

    assert {name: (one["rows"], one["digest"]) for name, one in told.items()} == {
        name: (one.rows, one.text) for name, one in found.items()
    }
    assert found["consent_event"].rows > 0
    assert "What came later is not in it" in says
    assert looked_into(elsewhere, lambda session: list(broken_lines(session))) == []


def test_a_restored_installation_does_what_waited_and_goes_on(lived, command, elsewhere, tmp_path):
    assert command("backup", tmp_path / "copy.db")[0] == 0
    assert command("restore", tmp_path / "copy.db", on=elsewhere)[0] == 0
    with closing(Portal(elsewhere, tmp_path, limits="off")) as back:
        back.work()
        eve = back.browser()
        eve.claim("eve@acme.example")
        back.work()
        eve.prove(back)
        back.work()

        assert looked_into(elsewhere, unread) == 0
        assert {"006A", "006B"} == set(opportunities(elsewhere))
        assert "eve@acme.example" in str(back.news("contact.identified"))
        assert looked_into(elsewhere, lambda session: list(broken_lines(session))) == []


def opportunities(url):
    statement = sa.text("SELECT external_id FROM opportunity")
    return looked_into(url, lambda session: session.scalars(statement).all())


def test_a_backup_under_load_is_of_one_moment(lived, tmp_path):
    ending, claimed = threading.Event(), []

    def come_and_go():
        while not ending.is_set():
            address = f"visitor{len(claimed)}@widgets.example"
            lived.browser().claim(address)
            claimed.append(address)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        assert until(lambda: len(claimed) > 2)
        before = list(claimed)
        back_up(
            lived.store.engine,
            tmp_path / "copy.db",
            on_rows=lambda _: until(lambda: len(claimed) > len(before)),
            now=datetime.now(UTC),
        )
    finally:
        ending.set()
        thread.join(PATIENCE)
    url = f"sqlite:///{tmp_path}/copy.db"
    kept = looked_into(url, lambda session: session.scalars(sa.select(Claim.email)).all())
    # each claim is one transaction: a visitor, a claim, a letter, and the news of it
    parts = sa.text("SELECT count(*) FROM message WHERE topic IN ('mail.claim', 'contact.claimed')")

    assert set(before) <= set(kept)
    assert len(kept) < len(claimed) + 2
    assert looked_into(url, lambda session: session.scalar(parts)) == 2 * len(kept)


def test_an_older_copy_has_no_second_effect_in_the_crm(lived, command, elsewhere, tmp_path):
    for number in range(5):
        owe(lived, f"contact:{number}")
    assert command("backup", tmp_path / "copy.db")[0] == 0
    lived.work()  # the CRM is told after the copy was made
    first = {change.id: change for change in lived.told}
    owe(lived, "contact:0")  # the copy knows nothing of it
    lived.work()
    code, says = command("restore", tmp_path / "copy.db", on=elsewhere)
    waiting = looked_into(elsewhere, due)
    with closing(Portal(elsewhere, tmp_path, limits="off")) as back:
        back.work()
        again = {change.id: change for change in back.told}

    assert code == 0
    assert f"crm was owed {len(waiting)} messages then. They are told again" in says
    assert len(waiting) >= 5
    assert set(waiting) <= set(again) & set(first)
    for id in set(again) & set(first):  # the same id says the same, so that it is one effect
        assert (again[id].payload, again[id].sequence) == (first[id].payload, first[id].sequence)


def due(session):
    """Return the ids of the messages that a CRM is owed."""
    chosen = sa.select(Message.id).where(
        Message.state == MessageState.DUE, Message.connector == "crm"
    )
    return session.scalars(chosen).all()


@on_sqlite
def test_who_does_twice_what_he_is_told_twice_waits_after_a_restore(
    lived, command, elsewhere, tmp_path, monkeypatch
):
    twice = replace(Webhook.capabilities, idempotent=False)
    monkeypatch.setattr(Webhook, "capabilities", twice)
    assert command("backup", tmp_path / "copy.db")[0] == 0
    code, says = command("restore", tmp_path / "copy.db", on=elsewhere)
    code_of_list, listed = command("outbox", "list", on=elsewhere)

    assert (code, code_of_list) == (0, 0)
    assert "crm is told nothing until `regportal outbox resume crm`" in says
    assert "crm is paused until it is resumed: restored from a backup" in listed


@on_sqlite
def test_a_move_to_postgresql_says_the_same_and_goes_on(lived, command, postgres, tmp_path):
    path = lived.store.engine.url.database
    before = digests(f"sqlite:///{path}")
    with not_served(path):
        refused = command("move-db", postgres)
    code, says = command("move-db", postgres)
    after = digests(postgres)
    again = command("move-db", postgres)
    served = command("serve", "--port", "0")

    assert refused == (1, f"another `regportal serve` already uses {path}")
    assert code == 0
    assert "say the same" in says
    assert after["log_entry"].rows == before["log_entry"].rows > 0
    assert {name for name in before if before[name] != after[name]} <= {"log_place"}
    assert again == (1, "the database is not empty: it has the table alembic_version")
    assert served[0] == 1
    assert f"{path} was moved to postgresql+psycopg://" in served[1]
    waited = looked_into(postgres, due)
    with closing(Portal(postgres, tmp_path, limits="off")) as there:
        there.work()
        eve = there.browser()
        eve.claim("eve@acme.example")
        there.work()
        eve.prove(there)
        there.work()
        assert looked_into(postgres, unread) == 0
        assert set(waited) <= {change.id for change in there.told}
        assert "eve@acme.example" in str(there.news("contact.identified"))
        assert looked_into(postgres, lambda session: list(broken_lines(session))) == []


@on_sqlite
def test_only_sqlite_is_moved_and_only_to_postgresql(lived, command, postgres):
    assert command("move-db", postgres, on=postgres)[1].startswith("REGPORTAL_DATABASE_URL must be")
    assert command("move-db", "sqlite:///other.db") == (
        1,
        "URL must begin with postgresql+psycopg://",
    )
    code, says = command("move-db", "postgresql+psycopg://ann:geheim@127.0.0.1:9/none")
    assert code == 1
    assert says.startswith("nothing was kept: ")
    assert "geheim" not in says


@on_sqlite
def test_the_password_of_the_new_database_need_not_be_on_the_command_line(
    lived, command, postgres, monkeypatch, capsys
):
    monkeypatch.setenv("NEW_DATABASE", postgres)
    nowhere = command("move-db", "env:NOWHERE")
    with pytest.raises(SystemExit):
        main(["move-db", "postgresql+psycopg://ann:geheim@127.0.0.1:9/none"])
    warned = capsys.readouterr().err.splitlines()[0]
    hidden = command("move-db", "env:NEW_DATABASE")[0]

    assert nowhere == (1, "the environment variable NOWHERE is not set")
    assert warned == "Others saw this password in the list of processes: write env:NAME."
    assert hidden == 0


@on_sqlite
def test_what_postgresql_cannot_keep_is_said_in_one_sentence(lived, command, postgres):
    nul = sa.text("UPDATE claim SET browser = 'Fire' || char(0) || 'fox'")
    lived.store.write(lambda session: session.execute(nul))
    code, says = command("move-db", postgres)

    assert code == 1
    assert says.startswith("nothing was kept: ")
    assert looked_into_tables(postgres) == []


@on_sqlite
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_move_that_is_interrupted_has_changed_nothing_and_can_be_begun_again(
    lived, command, postgres, number
):
    path = lived.store.engine.url.database
    settings = {"REGPORTAL_DATABASE_URL": f"sqlite:///{path}"}
    settings["REGPORTAL_INSTANCE"] = str(lived.settings.instance)
    child = subprocess.run(
        [sys.executable, "-c", STOPS, postgres, str(int(number))],
        env=os.environ | settings,
        check=False,
        timeout=PATIENCE * 3,
    )
    engine = make_engine(postgres)
    left = sa.inspect(engine).get_table_names()
    engine.dispose()

    assert child.returncode == -number
    assert left == []
    assert not lived.folder.joinpath("regportal.db.moved").exists()
    assert command("move-db", postgres)[0] == 0


STOPS = """
import os, sys
from regportal.app import keeping
from regportal.cli import main

real = keeping.copy
stops = lambda number: os.kill(os.getpid(), int(sys.argv[2]))
keeping.copy = lambda source, target, on_rows: real(source, target, stops)
main(["move-db", sys.argv[1]])
"""


def test_what_says_something_else_over_there_is_not_kept(
    lived, elsewhere, tmp_path, monkeypatch, command
):
    """A database that changes what it is given is found out."""
    real = keeping.copy_all

    def tampered(source, target, every, *, changes, on_rows):
        def on_some(number):
            on_rows(number)
            target.execute(sa.text("UPDATE claim SET gate = 'other'"))

        return real(source, target, every, changes=changes, on_rows=on_some)

    assert command("backup", tmp_path / "copy.db")[0] == 0
    monkeypatch.setattr(keeping, "copy_all", tampered)
    code, says = command("restore", tmp_path / "copy.db", on=elsewhere)

    assert (code, says) == (1, "claim says something else after it was copied")
    if elsewhere.startswith("sqlite"):
        assert not list(tmp_path.glob("elsewhere*"))
    else:
        assert looked_into_tables(elsewhere) == []


def looked_into_tables(url):
    engine = make_engine(url)
    found = sa.inspect(engine).get_table_names()
    engine.dispose()
    return found


def test_the_log_is_read_on_where_it_stopped_whatever_the_numbers_say(lived, elsewhere):
    """Transactions that commit late have lines with numbers below those that were read."""
    if lived.store.engine.dialect.name == "postgresql":
        late = sa.text(
            "INSERT INTO log_entry (number, shard, transaction, kind, ref, at)"
            " SELECT -number, shard, transaction + 5000000000, kind, ref, at FROM log_entry"
        )
        lived.store.write(lambda session: session.execute(late))
    else:
        lived.browser().claim("eve@acme.example", "prices")
    with lived.store.read() as session:
        waits = unread(session)
    with new_database(elsewhere) as target, as_of_now(lived.store.engine) as source:
        copy(source, target, lambda _rows: None)

    assert waits > 0
    assert looked_into(elsewhere, unread) == waits
    highest = sa.select(sa.func.max(LogEntry.transaction))
    assert looked_into(elsewhere, lambda session: session.scalar(highest)) == 0


@on_sqlite
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE claim SET email = 'eve@acme.example'", "claim says something else"),
        ("DELETE FROM publication", "publication says something else"),
        ("DELETE FROM current_document", "current_document says something else"),
        ("DROP TABLE score_crossing", "score_crossing says something else"),
        ("CREATE TABLE more (a)", "more says something else"),
        *(
            (statement, "is no backup of regportal, or a damaged one")
            for statement in (
                "DROP TABLE copied",
                "DELETE FROM copied WHERE name = 'tables'",
                "UPDATE copied SET value = '[]'",
                "UPDATE copied SET value = '{'",
                "DELETE FROM alembic_version",
            )
        ),
        ("DELETE FROM contact", "rows point at others that are not there"),
        ("UPDATE alembic_version SET version_num = '9999'", "a newer release made this backup"),
    ],
)
def test_a_backup_that_is_not_as_it_was_written_is_refused(
    lived, command, tmp_path, elsewhere, statement, says
):
    file = tmp_path / "copy.db"
    assert command("backup", file)[0] == 0
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()
    code, told = command("restore", file, on=elsewhere)

    assert code == 1
    assert says in told
    assert not list(tmp_path.glob("elsewhere*"))


@on_sqlite
def test_a_file_that_is_no_backup_is_refused_in_one_sentence(lived, command, tmp_path, elsewhere):
    file = tmp_path / "copy.db"
    file.write_bytes(b"nothing of the kind" * 1000)

    assert command("restore", file, on=elsewhere) == (
        1,
        f"{file} is no backup of regportal, or a damaged one",
    )


@on_sqlite
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE subject SET last = 0", "whose number was never given"),
        ("UPDATE consent_event SET newsletter = 'other'", "line 1 "),
    ],
)
def test_a_ledger_or_an_outbox_that_is_not_whole_is_not_brought_back(
    lived, command, tmp_path, elsewhere, statement, says
):
    """It was so already when it was copied: the copy is as it was written."""
    with closing(sqlite3.connect(lived.store.engine.url.database)) as connection:
        connection.execute("DROP TRIGGER consent_event_no_update")
        connection.execute(statement)
        connection.commit()
    assert command("backup", tmp_path / "copy.db")[0] == 0
    code, told = command("restore", tmp_path / "copy.db", on=elsewhere)

    assert code == 1
    assert "is not restored: " in told
    assert says in told


@on_sqlite
def test_a_restore_says_that_lines_of_the_ledger_are_lost(lived, command, tmp_path, elsewhere):
    assert command("backup", tmp_path / "copy.db")[0] == 0
    eve = lived.browser()
    eve.claim("eve@acme.example", "prices", n_prices="yes")
    lived.work()
    eve.prove(lived)
    lived.work()
    keys = lived.settings.keys
    now = datetime.now(UTC) + timedelta(days=1)
    with lived.store.read() as session:
        keep_head(session, lived.settings.instance, keys, now=now)
    code, told = command("restore", tmp_path / "copy.db", on=elsewhere)

    assert code == 0
    assert "At least 1 later heads of the ledger were signed" in told


def test_a_backup_writes_over_nothing_and_is_for_its_owner_alone(lived, command, tmp_path):
    file = tmp_path / "copy.db"
    assert command("backup", file)[0] == 0

    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert command("backup", file) == (1, f"{file} is there already")
    assert command("restore", file)[0] == 1
    assert command("restore", file, "--check")[0] == 0
    assert list(tmp_path.glob("*.part*")) == []
    assert command("backup", tmp_path / "nowhere" / "copy.db")[0] == 1


def test_a_copy_that_fails_leaves_no_file(lived, tmp_path):
    def fails(_rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(lived.store.engine, tmp_path / "c.db", on_rows=fails, now=datetime.now(UTC))

    assert list(tmp_path.glob("c.db*")) == []
