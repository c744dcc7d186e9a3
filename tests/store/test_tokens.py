"""Tokens and browsers: opaque, hashed at rest, and over when they are over."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.identity.models import Visitor, VisitorToken
from regportal.identity.recognising import recognise
from regportal.identity.visitors import begin_visitor, rotate, see
from regportal.store.tokens import derived_token, fresh_token, hash_of

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
KEYS = [b"new" * 16, b"old" * 16]


def test_a_token_has_256_random_bits():
    tokens = {fresh_token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}


def test_a_derived_token_is_made_of_its_parts_and_of_where_they_end():
    made = {
        derived_token(KEYS, purpose, *parts)
        for purpose, parts in [
            ("mail", (b"ab", b"c")),
            ("mail", (b"a", b"bc")),
            ("mail", (b"abc",)),
            ("visitor", (b"ab", b"c")),
            ("mai", (b"lab", b"c")),
        ]
    }

    assert len(made) == 5
    assert derived_token(KEYS, "mail", b"x") == derived_token(KEYS[:1], "mail", b"x")
    assert derived_token(KEYS, "mail", b"x") != derived_token(KEYS[1:], "mail", b"x")


def test_the_database_holds_no_token_that_opens_anything(store):
    token = fresh_token()
    store.write(lambda session: begin_visitor(session, token, now=NOON))
    with store.engine.connect() as connection:
        [row] = connection.execute(sa.select(VisitorToken.__table__)).all()

    assert row.hash == hash_of(token)
    assert token not in str(row)
    with store.read() as session:
        kept = base64.urlsafe_b64encode(row.hash).decode()
        assert recognise(session, kept, now=NOON).visitor is None


@pytest.mark.parametrize(
    ("remembered", "after", "known"),
    [
        (False, timedelta(hours=1, minutes=59), True),
        (False, timedelta(hours=2), False),
        (True, timedelta(days=179), True),
        (True, timedelta(days=180), False),
    ],
)
def test_a_browser_is_known_as_long_as_it_asked_for(store, remembered, after, known):
    def begin(session):
        begin_visitor(session, "token", now=NOON).remembered = remembered

    store.write(begin)
    with store.read() as session:
        found = recognise(session, "token", now=NOON + after).visitor

    assert (found is not None) == known


def test_a_browser_that_asked_for_nothing_is_forgotten_after_a_day_however_busy(store):
    store.write(lambda session: begin_visitor(session, "token", now=NOON))
    known = []
    for hour in range(26):
        now = NOON + timedelta(hours=hour)
        with store.read() as session:
            known.append(recognise(session, "token", now=now).visitor is not None)
        store.write(lambda session, now=now: see(session, "token", now=now))

    assert known == [True] * 24 + [False] * 2


def test_an_old_token_in_use_after_its_end_ends_the_family(store):
    def begin(session):
        visitor = begin_visitor(session, "old", now=NOON)
        rotate(session, visitor, "old", "new", now=NOON)

    store.write(begin)
    store.write(lambda session: see(session, "new", now=NOON))
    late = NOON + timedelta(seconds=61)
    with store.read() as session:
        in_time = recognise(session, "old", now=NOON + timedelta(seconds=60))
        stolen = recognise(session, "old", now=late)
    store.write(lambda session: see(session, "old", now=late))

    assert in_time.visitor is not None
    assert (stolen.visitor, stolen.worth_noting) == (None, True)
    with store.read() as session:
        assert recognise(session, "new", now=late).visitor is None
        assert session.scalars(sa.select(Visitor.ended_at)).one() == late


def test_an_old_token_stays_good_until_the_new_one_was_seen(store):
    def begin(session):
        visitor = begin_visitor(session, "old", now=NOON)
        visitor.remembered = True
        rotate(session, visitor, "old", "new", now=NOON)

    store.write(begin)
    with store.read() as session:
        assert recognise(session, "old", now=NOON + timedelta(days=3)).visitor is not None
