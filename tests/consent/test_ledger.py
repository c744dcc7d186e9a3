"""The consent ledger: only ever added to, and it shows where somebody meddled."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import sqlalchemy as sa

from regportal.consent.actions import follow, run_out, states_of
from regportal.consent.ledger import broken_lines
from regportal.consent.lines import Evidence, Said, append
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentState
from regportal.consent.rules import NEXT
from regportal.store.schema import Site
from tests.papers import papers

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SITE = Site(
    name="Acme", controller="Acme Ltd, Leeds", privacy_notice="https://www.acme.example/privacy"
)
LINES = 5
ALLOWED = {
    (None, "pending"),
    (None, "confirmed"),
    (None, "imported"),
    (None, "withdrawn"),
    ("pending", "confirmed"),
    ("pending", "refused"),
    ("pending", "expired"),
    ("pending", "withdrawn"),
    ("pending", "suppressed"),
    ("confirmed", "paused"),
    ("confirmed", "withdrawn"),
    ("confirmed", "suppressed"),
    ("confirmed", "expired"),
    ("imported", "confirmed"),
    ("imported", "paused"),
    ("imported", "withdrawn"),
    ("imported", "suppressed"),
    ("imported", "expired"),
    ("paused", "confirmed"),
    ("paused", "withdrawn"),
    ("paused", "suppressed"),
    ("paused", "expired"),
    ("withdrawn", "pending"),
    ("withdrawn", "confirmed"),
    ("withdrawn", "suppressed"),
    ("expired", "pending"),
    ("expired", "confirmed"),
    ("expired", "withdrawn"),
    ("expired", "suppressed"),
    ("refused", "pending"),
    ("refused", "confirmed"),
    ("refused", "withdrawn"),
    ("refused", "suppressed"),
    *((state, "erased") for state in ConsentState if state != "erased"),
}


def said(subject="contact:1", state="pending", newsletter="prices"):
    return Said(
        subject=subject,
        newsletter=newsletter,
        state=ConsentState(state),
        method="gate",
        wording="Send me price alerts.",
        locale="en",
        evidence=Evidence("ann@acme.example", "203.0.113.0/24", "abc", {"Sec-GPC": "1"}),
    )


@pytest.fixture
def ledger(store):
    """A ledger of five lines."""
    for number in range(1, LINES + 1):
        add(store, said(f"contact:{number}"))
    return store


def add(store, line, *, now=NOON):
    return store.write(lambda session: append(session, papers(SITE), line, now=now))


def broken(store):
    with store.read() as session:
        return list(broken_lines(session))


def meddle(store, *statements, **values):
    """Change the ledger as somebody could who owns the database."""
    sqlite = store.engine.dialect.name == "sqlite"
    free = (
        ["DROP TRIGGER consent_event_no_update", "DROP TRIGGER consent_event_no_delete"]
        if sqlite
        else ["ALTER TABLE consent_event DISABLE TRIGGER USER"]
    )
    with store.engine.begin() as connection:
        for statement in (*free, *statements):
            connection.execute(sa.text(statement), values)


def test_a_ledger_nobody_meddled_with_is_whole(ledger):
    assert broken(ledger) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_event SET state = 'confirmed' WHERE number = 3",
        "DELETE FROM consent_event WHERE number = 3",
        "UPDATE consent_event SET row_hash = row_hash",
        "DELETE FROM consent_event",
    ],
)
def test_the_database_itself_refuses_to_change_it(ledger, statement):
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), ledger.engine.begin() as connection:
        connection.execute(sa.text(statement))

    assert broken(ledger) == []
    with ledger.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ConsentEvent)) == LINES


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_database_itself_refuses_to_empty_it(ledger):
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), ledger.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE consent_event"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("subject", "contact:9"),
        ("newsletter", "news"),
        ("state", "confirmed"),
        ("at", NOON + timedelta(microseconds=1)),
        ("method", "mail"),
        ("entity", "an administrator"),
        ("lawful_basis", "contract"),
        ("controller", "Somebody else"),
        ("privacy_notice", "https://elsewhere.example"),
        ("locale", "de"),
        ("form_version", "2"),
        ("box_default", "ticked"),
        ("schema_version", 1),
        ("evidence_hash", "0" * 64),
        ("row_hash", "0" * 64),
        ("previous_hash", "0" * 64),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_line_that_was_changed_is_named(ledger, column, value):
    meddle(ledger)
    with ledger.engine.begin() as connection:
        connection.execute(
            sa.update(ConsentEvent).where(ConsentEvent.number == 3).values({column: value})
        )

    assert broken(ledger)[0] == 3


def test_a_changed_line_is_named_on_every_database(ledger):
    meddle(ledger, "UPDATE consent_event SET state = 'confirmed' WHERE number = 3")

    assert broken(ledger) == [3]


@pytest.mark.parametrize("gone", range(1, LINES))
def test_the_line_after_one_that_was_taken_out_is_named(ledger, gone):
    meddle(ledger, "DELETE FROM consent_event WHERE number = :gone", gone=gone)

    assert broken(ledger) == [gone + 1]


def test_lines_that_changed_places_are_named(ledger):
    meddle(
        ledger,
        "UPDATE consent_event SET number = 99 WHERE number = 2",
        "UPDATE consent_event SET number = 2 WHERE number = 3",
        "UPDATE consent_event SET number = 3 WHERE number = 99",
    )

    assert broken(ledger) == [2, 3, 4]


def test_a_line_that_was_slipped_in_is_named(ledger):
    columns = [column.name for column in ConsentEvent.__table__.columns]
    copied = ", ".join({"number": "6", "id": ":id"}.get(name, name) for name in columns)
    meddle(
        ledger,
        f"INSERT INTO consent_event ({', '.join(columns)}) "  # noqa: S608 - our own column names
        f"SELECT {copied} FROM consent_event WHERE number = 3",
        id="0" * 32,
    )

    assert broken(ledger) == [6]


def test_evidence_can_be_erased_without_breaking_the_chain(ledger):
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(ConsentEvidence))

    assert broken(ledger) == []


def test_evidence_that_was_changed_is_named(ledger):
    with ledger.read() as session:
        third = session.scalars(sa.select(ConsentEvent.id).where(ConsentEvent.number == 3)).one()
    with ledger.engine.begin() as connection:
        connection.execute(
            sa.update(ConsentEvidence)
            .where(ConsentEvidence.id == third)
            .values(address="eve@evil.example")
        )

    assert broken(ledger) == [3]


def test_no_line_holds_who_it_was(ledger):
    with ledger.engine.connect() as connection:
        rows = connection.execute(sa.select(ConsentEvent.__table__)).all()

    assert "ann@acme.example" not in str(rows)
    assert "203.0.113" not in str(rows)


@pytest.mark.parametrize("before", [None, *ConsentState])
def test_only_what_may_follow_follows(before):
    follows = {state.value for state in ConsentState if state.value in NEXT[before]}

    assert follows == {state for start, state in ALLOWED if start == before}


@pytest.mark.parametrize(("before", "after"), [*product(("confirmed", "withdrawn"), ConsentState)])
def test_what_may_not_follow_leaves_no_line(store, before, after):
    add(store, said(state=before))
    line = add(store, said(state=after))

    assert (line is not None) == ((before, after.value) in ALLOWED)
    with store.read() as session:
        newest = states_of(session, "contact:1")["prices"].state
    assert newest == (after if line else before)


def test_every_newsletter_is_decided_on_its_own(store):
    add(store, said(state="confirmed"))
    add(store, said(newsletter="news"))
    add(store, said(state="withdrawn"))
    with store.read() as session:
        states = states_of(session, "contact:1")

    assert {key: line.state for key, line in states.items()} == {
        "prices": "withdrawn",
        "news": "pending",
    }


def test_a_line_that_follows_keeps_the_wording_and_the_newest_name(store):
    first = add(store, said("claim:7"))
    later = store.write(
        lambda session: follow(
            session,
            papers(SITE),
            first,
            ConsentState.CONFIRMED,
            "confirm page",
            subject="contact:7",
            now=NOON,
        )
    )

    assert (later.subject, later.wording, later.state) == ("contact:7", first.wording, "confirmed")
    assert broken(store) == []


def test_a_request_runs_out_after_a_week(store):
    add(store, said("contact:1"))
    add(store, said("contact:2"), now=NOON + timedelta(seconds=1))
    add(store, said("contact:3"))
    add(store, said("contact:3", "confirmed"))
    with store.read() as session:
        old = run_out(session, now=NOON + timedelta(days=7), limit=10)

    assert [line.subject for line in old] == ["contact:1"]


def test_lines_that_many_add_at_once_make_one_chain(store):
    with ThreadPoolExecutor(8) as threads:
        lines = list(threads.map(lambda number: add(store, said(f"contact:{number}")), range(80)))

    assert len({line.previous_hash for line in lines}) == 80
    assert broken(store) == []


def test_two_who_decide_the_same_at_once_leave_one_line(store):
    with ThreadPoolExecutor(8) as threads:
        lines = list(threads.map(lambda _: add(store, said(state="confirmed")), range(8)))

    assert sum(line is not None for line in lines) == 1
