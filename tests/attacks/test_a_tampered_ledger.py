"""
Somebody who owns the database changes what people agreed to.

In most mailing systems a consent is a column: whoever can write to the database, by a leaked
password or as an employee under pressure, turns "no" into "yes" and nobody can tell. Some keep a
log, which can be written as well.

Here a consent is a line of a ledger. The database refuses to change or delete a line; whoever
drops those triggers finds that each line carries the hash of the one before, so that a change, a
line taken out, slipped in or moved is named by its number. Whoever computes all hashes anew, or
cuts the end off, finds that the ledger's end is signed every night with a key that is not in the
database, into a file that can be copied elsewhere.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.consent.actions import Evidence, Said, append, forget_network
from regportal.consent.ledger import (
    HEADS,
    content_of,
    evidence_hash,
    head_of,
    keep_head,
    read_heads,
    verify,
)
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork, ConsentState
from regportal.consent.rules import FIRST, chained
from regportal.store.schema import Site

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SITE = Site(name="Acme", controller="Acme Ltd", privacy_notice="https://www.acme.example/privacy")
KEYS = (b"k" * 32,)
LINES = 6


@pytest.fixture
def ledger(store):
    """A ledger of six lines."""
    for number in range(1, LINES + 1):
        write(store, number)
    return store


def write(store, number, state="pending"):
    said = Said(
        subject=f"contact:{number}",
        newsletter="prices",
        state=ConsentState(state),
        method="gate",
        wording="Send me price alerts.",
        locale="en",
        evidence=Evidence("ann@acme.example", "203.0.113.0/24", "abc"),
    )
    store.write(lambda session: append(session, SITE, said, now=NOON))


def signed(store, keys=KEYS):
    """The head of the ledger as it is."""
    with store.read() as session:
        return head_of(session, keys, now=NOON)


def checked(store, *heads, keys=KEYS):
    with store.read() as session:
        return verify(session, heads, keys)


def named(store, *heads):
    return [fault.number for fault in checked(store, *heads).faults]


def meddle(store, statement, **values):
    """Do what the owner of the database can: drop the triggers first."""
    free = (
        ["DROP TRIGGER consent_event_no_update", "DROP TRIGGER consent_event_no_delete"]
        if store.engine.dialect.name == "sqlite"
        else ["ALTER TABLE consent_event DISABLE TRIGGER USER"]
    )
    with store.engine.begin() as connection:
        for one in (*free, statement):
            connection.execute(sa.text(one), values)


def write_anew(store, start):
    """Compute every hash anew, as somebody does who has read this program."""
    with store.read() as session:
        lines = session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.number)).all()
    previous = FIRST
    with store.engine.begin() as connection:
        for line in lines:
            if line.number >= start:
                line.previous_hash = previous
                line.row_hash = chained(content_of(line), previous)
                connection.execute(
                    sa.update(ConsentEvent)
                    .where(ConsentEvent.number == line.number)
                    .values(previous_hash=previous, row_hash=line.row_hash)
                )
            previous = line.row_hash


def test_a_ledger_nobody_touched_is_whole(ledger):
    verdict = checked(ledger, signed(ledger))

    assert (verdict.whole, verdict.lines, verdict.heads) == (True, LINES, 1)


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_a_changed_line_is_named(ledger, line):
    meddle(ledger, "UPDATE consent_event SET state = 'confirmed' WHERE number = :n", n=line)

    assert named(ledger) == [line]


@pytest.mark.parametrize(
    "column", ["record_id", "purpose", "valid_until", "rhythm", "evidence_file", "network_hash"]
)
def test_what_a_line_says_beside_its_state_is_guarded_as_well(ledger, column):
    other = {"valid_until": "2099-01-01 00:00:00", "record_id": "0" * 32}.get(column, "x")
    meddle(ledger, f"UPDATE consent_event SET {column} = '{other}' WHERE number = 3")  # noqa: S608 - our own column

    assert named(ledger) == [3]


def test_a_line_that_was_taken_out_is_named_by_the_one_after_it(ledger):
    meddle(ledger, "DELETE FROM consent_event WHERE number = 3")

    assert named(ledger) == [4]


def test_a_signed_line_that_was_taken_out_is_named_itself(ledger):
    head = signed(ledger)
    meddle(ledger, "DELETE FROM consent_event WHERE number = :n", n=LINES)
    write(ledger, 99)

    assert LINES in named(ledger, head)


@pytest.mark.parametrize("kept", range(LINES))
def test_a_cut_off_end_is_found_by_the_signed_head(ledger, kept):
    head = signed(ledger)
    meddle(ledger, "DELETE FROM consent_event WHERE number > :n", n=kept)

    assert named(ledger) == []
    assert named(ledger, head) == [kept + 1]


def test_a_chain_that_was_computed_anew_is_found_by_the_signed_head(ledger):
    head = signed(ledger)
    meddle(ledger, "UPDATE consent_event SET state = 'confirmed' WHERE number = 2")
    write_anew(ledger, 2)

    assert named(ledger) == []
    assert named(ledger, head) == [LINES]
    assert "written anew" in checked(ledger, head).faults[0].says


def test_between_two_heads_it_says_after_which_line(store):
    write(store, 1)
    write(store, 2)
    first = signed(store)
    write(store, 3)
    write(store, 4)
    second = signed(store)
    meddle(store, "UPDATE consent_event SET state = 'confirmed' WHERE number = 3")
    write_anew(store, 3)

    (fault,) = checked(store, first, second).faults
    assert fault.number == 4
    assert "a line after 2 was written anew" in fault.says


def test_what_is_written_after_a_head_is_no_fault(ledger):
    head = signed(ledger)
    write(ledger, 99)

    assert checked(ledger, head).whole


@pytest.mark.parametrize("field", ["at", "number", "row_hash", "key_id", "signature"])
def test_a_head_cannot_be_forged(ledger, field, tmp_path):
    told = json.loads(signed(ledger).as_json())
    told[field] = 3 if field == "number" else "0" * 64
    (tmp_path / HEADS).write_text(json.dumps(told) + "\n")
    verdict = checked(ledger, *read_heads(tmp_path / HEADS))

    assert (verdict.whole, verdict.heads, verdict.unread) == (False, 0, 1)


@pytest.mark.parametrize("line", ["x", "{}", "[]", '{"number": "1"}', "null", "\u00ff"])
def test_a_line_that_is_no_head_is_counted_and_not_believed(ledger, line, tmp_path):
    (tmp_path / HEADS).write_text(line + "\n", encoding="utf-8")

    assert checked(ledger, *read_heads(tmp_path / HEADS)).unread == 1


def test_a_head_that_an_older_key_signed_is_good_while_the_key_is_kept(ledger):
    head = signed(ledger, (b"o" * 32,))

    assert checked(ledger, head, keys=(*KEYS, b"o" * 32)).whole
    assert checked(ledger, head).unread == 1


def test_every_night_a_head_is_added_and_none_is_lost(ledger, tmp_path):
    for night in range(3):
        with ledger.read() as session:
            keep_head(session, tmp_path, KEYS, now=NOON + timedelta(days=night))
    heads = read_heads(tmp_path / HEADS)

    assert [head.at[:10] for head in heads] == ["2026-03-04", "2026-03-05", "2026-03-06"]
    assert checked(ledger, *heads).heads == 3


def test_where_somebody_came_from_is_forgotten_and_the_chain_stays_whole(ledger):
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(ConsentNetwork))

    assert checked(ledger, signed(ledger)).whole


def test_where_somebody_came_from_cannot_be_changed(ledger):
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(ConsentNetwork).values(network="198.51.100.0/24"))

    assert named(ledger) == [*range(1, LINES + 1)]


def test_lines_of_the_first_kind_keep_verifying_beside_the_new_ones(store):
    """What the release before wrote: one hash over all of the evidence, no new columns."""
    write(store, 1)
    with store.read() as session:
        line = session.scalars(sa.select(ConsentEvent)).one()
        old = session.scalars(sa.select(ConsentEvidence)).one()
    meddle(store, "DELETE FROM consent_network")
    old.network, old.agent_hash = "203.0.113.0/24", "abc"
    line.schema_version = 1
    line.evidence_hash = evidence_hash(old, 1)
    line.row_hash = chained(content_of(line), FIRST)
    with store.engine.begin() as connection:
        connection.execute(
            sa.update(ConsentEvidence).values(network=old.network, agent_hash=old.agent_hash)
        )
        connection.execute(
            sa.update(ConsentEvent).values(
                schema_version=1,
                evidence_hash=line.evidence_hash,
                row_hash=line.row_hash,
                record_id=None,
                purpose=None,
                network_hash=None,
            )
        )
    write(store, 1, "confirmed")

    assert checked(store).whole
    with store.engine.begin() as connection:
        connection.execute(sa.update(ConsentEvidence).values(address="eve@evil.example"))
    assert named(store) == [1, 2]
    store.write(lambda session: forget_network(session, before=NOON))
    assert named(store) == [2]  # of the first nothing can be checked any more


def test_old_networks_are_forgotten_by_the_clock_and_young_ones_kept(ledger):
    early = ledger.write(lambda session: forget_network(session, before=NOON - timedelta(days=1)))
    late = ledger.write(lambda session: forget_network(session, before=NOON))

    assert (early, late) == (0, LINES)
    assert checked(ledger).whole
