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
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.consent.actions import forget_network
from regportal.consent.hashing import content_of, evidence_hash
from regportal.consent.heads import HEADS, read_heads
from regportal.consent.ledger import head_of, keep_head, verify
from regportal.consent.lines import Evidence, Said, append
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork, ConsentState
from regportal.consent.rules import FIRST, chained
from regportal.store.schema import Site
from tests.papers import papers

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
    store.write(lambda session: append(session, papers(SITE), said, now=NOON))


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
        [f"DROP TRIGGER IF EXISTS consent_event_no_{what}" for what in ("update", "delete")]
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
    "column",
    [
        *("record_id", "purpose", "valid_until", "rhythm", "evidence_file", "network_hash"),
        "event_type",
    ],
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


OLD, NEW = b"o" * 32, b"n" * 32


def nights(store, folder, *keys, start=0):
    """A head a night, each signed with the keys of that night."""
    for night, held in enumerate(keys, start):
        write(store, 100 + night)
        with store.read() as session:
            keep_head(session, folder, held, now=NOON + timedelta(days=night))
    return folder / HEADS


def test_heads_of_a_retired_key_stay_good_by_the_word_of_the_next(ledger, tmp_path):
    heads = read_heads(nights(ledger, tmp_path, (OLD,), (OLD,), (NEW, OLD), (NEW,)))
    verdict = checked(ledger, *heads, keys=(NEW,))

    assert (verdict.whole, verdict.heads, verdict.retired, verdict.unread) == (True, 4, 0, 0)


def test_a_retired_head_is_still_compared_with_the_ledger(ledger, tmp_path):
    heads = read_heads(nights(ledger, tmp_path, (OLD,), (NEW, OLD)))
    meddle(ledger, "UPDATE consent_event SET state = 'confirmed' WHERE number = 2")
    write_anew(ledger, 2)

    assert [one.number for one in checked(ledger, *heads, keys=(NEW,)).faults] == [7, 8]


@pytest.mark.parametrize("field", ["at", "number", "row_hash", "key_id", "signature"])
def test_a_retired_head_cannot_be_forged_afterwards(ledger, field, tmp_path):
    file = nights(ledger, tmp_path, (OLD,), (NEW, OLD), (NEW,))
    first, *others = file.read_text().splitlines()
    told = json.loads(first) | {field: 3 if field == "number" else "0" * 64}
    file.write_text("\n".join([json.dumps(told), *others]))
    verdict = checked(ledger, *read_heads(file), keys=(NEW,))

    assert (verdict.whole, verdict.heads, verdict.unread) == (False, 2, 1)


def test_a_new_key_vouches_for_nothing_that_it_could_not_check(ledger, tmp_path):
    file = nights(ledger, tmp_path, (OLD,))
    told = json.loads(file.read_text()) | {"row_hash": "0" * 64}
    file.write_text(json.dumps(told) + "\n")
    nights(ledger, tmp_path, (NEW, OLD), start=1)

    assert checked(ledger, *read_heads(file), keys=(NEW,)).unread == 1


def test_heads_of_a_key_that_went_too_early_are_counted_apart(ledger, tmp_path):
    heads = read_heads(nights(ledger, tmp_path, (OLD,), (OLD,), (NEW,)))
    verdict = checked(ledger, *heads, keys=(NEW,))

    assert (verdict.whole, verdict.heads, verdict.retired, verdict.unread) == (True, 1, 2, 0)


def test_such_a_head_that_does_not_agree_is_a_fault(ledger, tmp_path):
    heads = read_heads(nights(ledger, tmp_path, (OLD,), (NEW,)))
    forged = replace(heads[0], row_hash="0" * 64)

    assert checked(ledger, forged, heads[1], keys=(NEW,)).unread == 1


def test_such_a_head_is_not_believed_while_no_good_one_came_after_it(ledger, tmp_path):
    heads = read_heads(nights(ledger, tmp_path, (NEW,), (OLD,)))

    assert not checked(ledger, heads[1], keys=(NEW,)).whole
    assert not checked(ledger, *heads, keys=(NEW,)).whole


def test_heads_of_the_release_before_are_taken_up_by_the_first_new_one(ledger, tmp_path):
    """They vouch for nothing; then the head that can still check them vouches for all of them."""
    for _ in range(3):
        with ledger.read() as session:
            old = head_of(session, (OLD,), now=NOON)
        with (tmp_path / HEADS).open("a") as file:
            file.write(old.as_json() + "\n")
        write(ledger, 50 + len(read_heads(tmp_path / HEADS)))
    heads = read_heads(nights(ledger, tmp_path, (NEW, OLD), (NEW, OLD)))

    assert "vouches" not in json.loads(heads[0].as_json())
    assert [len(head.vouches) for head in heads] == [0, 0, 0, 3, 1]
    assert checked(ledger, *heads, keys=(NEW,)).heads == 5


def test_lines_of_the_second_kind_keep_verifying_beside_the_new_ones(store):
    """What the release before wrote: the claim among the signals, no kind of event."""
    write(store, 1)
    with store.read() as session:
        line = session.scalars(sa.select(ConsentEvent)).one()
        old = session.scalars(sa.select(ConsentEvidence)).one()
    line.schema_version, line.event_type, old.signals = 2, None, {"claim": "1"}
    line.evidence_hash = evidence_hash(old, 2)
    line.row_hash = chained(content_of(line), FIRST)
    changed = {
        "schema_version": 2,
        "event_type": None,
        "evidence_hash": line.evidence_hash,
        "row_hash": line.row_hash,
    }
    meddle(store, "UPDATE consent_event SET schema_version = 2")
    with store.engine.begin() as connection:
        connection.execute(sa.update(ConsentEvent).values(changed))
        connection.execute(sa.update(ConsentEvidence).values(signals=old.signals))
    write(store, 1, "confirmed")

    assert checked(store).whole
    with store.engine.begin() as connection:
        connection.execute(sa.update(ConsentEvidence).values(signals={"claim": "2"}))
    assert named(store) == [1, 2]


@pytest.mark.parametrize("column", ["claim_id", "message_id", "confirmed_at"])
def test_what_proves_the_press_cannot_be_changed(ledger, column):
    other = {"claim_id": uuid.uuid4(), "message_id": "<x@y>", "confirmed_at": NOON}[column]
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(ConsentEvidence).values({column: other}))

    assert named(ledger) == [*range(1, LINES + 1)]


def write_last_two_anew(ledger):
    """Turn the last two lines into a yes, with hashes that fit together."""
    meddle(
        ledger,
        "UPDATE consent_event SET state = 'confirmed', event_type = 'consent' WHERE number >= 5",
    )
    write_anew(ledger, 5)


def cut_and_refill(ledger):
    """Cut the last two lines off, and let two others take their numbers."""
    meddle(ledger, "DELETE FROM consent_event WHERE number >= 5")
    write(ledger, 50)
    write(ledger, 60)


def sign(ledger, folder, night, *keys):
    """Do what the worker does every night."""
    with ledger.read() as session:
        keep_head(session, folder, keys or KEYS, now=NOON + timedelta(days=night))


@pytest.mark.parametrize("tamper", [write_last_two_anew, cut_and_refill])
def test_the_head_of_the_next_night_does_not_make_it_good(ledger, tmp_path, tamper, caplog):
    """It says how the ledger ends now; the head of the night before still says how it ended."""
    sign(ledger, tmp_path, 0)
    tamper(ledger)
    for night in range(1, 4):
        sign(ledger, tmp_path, night)

    verdict = checked(ledger, *read_heads(tmp_path / HEADS))
    assert (verdict.whole, verdict.heads, verdict.unread, verdict.missing) == (False, 4, 0, 0)
    assert "the consent ledger is not as it was written" in caplog.text
    write(ledger, 70)
    assert not checked(ledger, *read_heads(tmp_path / HEADS)).whole


def test_a_cut_end_stays_found_whatever_is_signed_after_it(ledger, tmp_path):
    sign(ledger, tmp_path, 0)
    meddle(ledger, "DELETE FROM consent_event WHERE number >= 5")
    sign(ledger, tmp_path, 1)

    (fault,) = checked(ledger, *read_heads(tmp_path / HEADS)).faults
    assert (fault.number, "up to line 6" in fault.says) == (5, True)


def test_whole_ledgers_are_signed_without_a_word(ledger, tmp_path, caplog):
    for night in range(2):
        sign(ledger, tmp_path, night)

    assert checked(ledger, *read_heads(tmp_path / HEADS)).whole
    assert caplog.text == ""


def test_what_comes_after_a_fault_is_guarded_as_well(ledger, tmp_path):
    """Whoever breaks one line does not end the signing of all that follow."""
    sign(ledger, tmp_path, 0)
    write_last_two_anew(ledger)
    write(ledger, 70)
    sign(ledger, tmp_path, 1)
    meddle(ledger, "UPDATE consent_event SET locale = 'de' WHERE number = :n", n=newest(ledger))
    write_anew(ledger, newest(ledger))

    assert named(ledger, *read_heads(tmp_path / HEADS)) == [6, newest(ledger)]


def newest(ledger):
    with ledger.read() as session:
        return session.scalar(sa.select(sa.func.max(ConsentEvent.number)))


@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("tamper", [write_last_two_anew, lambda ledger: write(ledger, 80)])
def test_a_head_that_a_later_one_vouches_for_cannot_be_taken_away(ledger, tmp_path, gone, tamper):
    """Not even the one that disagrees, once a night has passed."""
    sign(ledger, tmp_path, 0)
    tamper(ledger)
    for night in range(1, 4):
        sign(ledger, tmp_path, night)
    heads = read_heads(tmp_path / HEADS)
    del heads[gone]

    verdict = checked(ledger, *heads)
    assert (verdict.whole, verdict.missing) == (False, 1)


def test_such_a_head_of_a_key_that_went_too_early_is_missed_as_well(ledger, tmp_path):
    for night, key in enumerate([OLD, OLD, OLD, NEW]):
        sign(ledger, tmp_path, night, key)
    heads = read_heads(tmp_path / HEADS)
    del heads[1]

    verdict = checked(ledger, *heads, keys=(NEW,))
    assert (verdict.whole, verdict.missing) == (False, 1)


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
