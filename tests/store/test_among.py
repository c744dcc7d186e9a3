"""Asking for one of many values: one parameter, which the database finds by its index."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.identity.models import Contact
from regportal.store.among import among
from regportal.store.facts import table_of
from regportal.store.ids import read_key, uuid7
from regportal.tracking.models import EntryKind, LogEntry

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LINE = table_of(LogEntry).c
STRANGE = [
    "ann'); DROP TABLE contact; --",
    'quote" and \\ and ,',
    "{braces}",
    "łódź 🙂",
    "NULL",
    "",
]


@pytest.fixture
def refs(store):
    """What three thousand lines of the log are about."""
    refs = [uuid7() for _ in range(3_000)]
    rows = [
        {"shard": 0, "transaction": 0, "kind": kind, "ref": ref, "at": NOON}
        for kind, ref in zip([*EntryKind] * 1_000, refs, strict=False)
    ]
    store.write(lambda session: session.execute(sa.insert(LogEntry), rows))
    return refs


def found(store, condition, given):
    with store.read() as session:
        return session.scalars(sa.select(LogEntry.ref).where(condition), given).all()


def test_however_many_keys_there_are(store, refs):
    assert sorted(found(store, among(LogEntry.ref), {"ids": set(refs)})) == sorted(refs)
    assert found(store, among(LINE.ref), {"ids": [refs[7]]}) == [refs[7]]
    assert found(store, among(LINE.ref), {"ids": (uuid7(),)}) == []
    assert found(store, among(LINE.ref), {"ids": []}) == []


def test_beside_other_conditions_and_denied(store, refs):
    few = {"kept": refs[:3], "not": refs[1:]}
    both = sa.and_(among(LINE.ref, "kept"), ~among(LINE.ref, "not"))
    assert found(store, both, few) == refs[:1]
    either = sa.or_(among(LINE.ref, "kept"), among(LINE.ref, "not"))
    assert len(found(store, either, few)) == len(refs)


def test_choices_are_asked_for_as_they_are_kept(store, refs):
    asked = found(store, among(LINE.kind), {"ids": [EntryKind.VERDICT]})
    assert asked == refs[[*EntryKind].index(EntryKind.VERDICT) :: len(EntryKind)]


@pytest.mark.parametrize("text", STRANGE)
def test_any_text_is_a_value_and_nothing_else(store, text):
    query = sa.select(among(sa.literal(text, sa.Text()), "texts"))
    with store.read() as session:
        assert session.scalar(query, {"texts": ["other", text]})
        assert not session.scalar(query, {"texts": ["other", f"{text}."]})


def test_the_database_finds_them_by_its_index(store):
    query = sa.select(Contact.email).where(among(Contact.id))
    with store.read() as session:
        connection = session.connection()
        asked = str(query.compile(connection))
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", ("[]",))
            by_index = "SEARCH contact USING INDEX"
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # so few fit on a page
            plan = connection.exec_driver_sql(f"EXPLAIN {asked}", {"ids": [uuid7()]})
            by_index = "Index Cond"
        assert by_index in " ".join(str(row[-1]) for row in plan)


def test_a_key_is_read_as_it_was_written():
    key = uuid7()
    for text in (str(key), key.hex):
        again = read_key(text)
        assert (again, hash(again), again.version, repr(again)) == (key, hash(key), 7, repr(key))
    with pytest.raises(ValueError, match="invalid literal"):
        read_key("no key at all")
