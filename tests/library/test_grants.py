import hashlib
import threading
from datetime import UTC, datetime, timedelta

import pytest

from regportal.errors import ConfigError
from regportal.identity.models import Claim
from regportal.library import actions
from regportal.library.models import Grant
from regportal.store.ids import uuid7

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def store(library):
    return library.store


@pytest.fixture
def ann(library):
    return library.visitor("ann")


def give(store, visitor_id, *, keys=(NEW,), now=NOON, **changed):
    asked = {"gate": "prices", "asset": "price-list", "claim_id": None, "single": False} | changed
    return store.write(
        lambda session: actions.grant(session, visitor_id=visitor_id, keys=keys, now=now, **asked)
    )


def claim(store, visitor_id):
    def work(session):
        made = Claim(
            id=uuid7(), visitor_id=visitor_id, typed="a@b.example", email="a@b.example",
            match_key="a@b.example", gate="prices", browser="Firefox", locale="en", opened_at=NOON,
        )  # fmt: skip
        session.add(made)
        return made.id

    return store.write(work)


def found(store, token):
    with store.read() as session:
        return actions.find(session, token)


def test_a_link_leads_to_its_grant(store, ann):
    given = give(store, ann)
    token = actions.token_of(given, [NEW])

    assert found(store, token).id == given.id
    assert actions.is_token(token)


def test_the_database_holds_no_token(store, ann):
    given = give(store, ann)
    token = actions.token_of(given, [NEW])

    assert given.hash == hashlib.sha256(token.encode()).digest()
    assert token not in str([getattr(given, column.name) for column in Grant.__table__.columns])


def test_asking_twice_gives_the_same_link(store, ann):
    first = give(store, ann)
    second = give(store, ann, now=NOON + timedelta(minutes=14))

    assert second.id == first.id
    assert second.start_by == NOON + timedelta(minutes=29)


def test_asking_after_it_lapsed_gives_a_new_link(store, ann):
    first = give(store, ann)

    assert give(store, ann, now=NOON + timedelta(minutes=15)).id != first.id


@pytest.mark.parametrize("changed", [{"asset": "catalogue"}, {"single": True}])
def test_another_wish_has_a_link_of_its_own(store, ann, changed):
    assert give(store, ann, **changed).id != give(store, ann).id


def test_everybody_and_every_claim_has_a_link_of_their_own(library, store, ann):
    bob, anns = library.visitor("bob"), claim(store, ann)
    ids = {
        give(store, ann).id,
        give(store, bob).id,
        give(store, ann, claim_id=anns).id,
        give(store, ann, claim_id=anns).id,
    }

    assert len(ids) == 3


def test_a_browser_without_cookies_has_five_minutes(store, ann):
    first = give(store, ann, single=True)
    again = give(store, ann, single=True, now=NOON + timedelta(minutes=4))

    assert first.start_by == NOON + timedelta(minutes=5)
    assert (again.id, again.start_by) == (first.id, first.start_by)


def test_a_single_link_that_was_used_is_not_given_again(store, ann):
    first = give(store, ann, single=True)
    store.write(lambda session: actions.start(session, first.id, now=NOON))

    assert give(store, ann, single=True).id != first.id


def test_a_link_is_started_by_one_request_only(store, ann):
    given, won = give(store, ann, single=True), []

    def try_it():
        won.append(store.write(lambda session: actions.start(session, given.id, now=NOON)))

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False] * 15 + [True]


def test_a_link_outlives_a_change_of_keys(store, ann):
    given = give(store, ann, keys=[OLD])
    token = actions.token_of(given, [OLD])

    assert actions.token_of(given, [NEW, OLD]) == token
    assert give(store, ann, keys=[NEW, OLD]).id == given.id
    assert found(store, token).id == given.id


def test_a_link_whose_key_is_gone_is_made_anew(store, ann):
    given = give(store, ann, keys=[OLD])

    with pytest.raises(ConfigError, match="SECRET_KEY"):
        actions.token_of(given, [NEW])
    assert give(store, ann, keys=[NEW]).id != given.id


def test_every_purpose_and_key_makes_its_own_tokens(store, ann):
    given = give(store, ann)

    assert len({actions._derived(key, given.id) for key in (OLD, NEW)}) == 2
    assert hashlib.sha256(actions._derived(OLD, given.id).encode()).digest() != given.hash


def test_a_claim_that_is_denied_takes_its_links_along(store, ann):
    anns = claim(store, ann)
    theirs, other = give(store, ann, claim_id=anns), give(store, ann)
    ended = store.write(lambda session: actions.revoke(session, claim_id=anns, now=NOON))

    assert ended == 1
    assert found(store, actions.token_of(theirs, [NEW])).ended_at == NOON
    assert found(store, actions.token_of(other, [NEW])).ended_at is None
    assert give(store, ann, claim_id=anns).id != theirs.id


def test_an_asset_that_is_withdrawn_takes_its_links_along(store, ann):
    theirs, other = give(store, ann), give(store, ann, asset="catalogue")
    store.write(lambda session: actions.revoke(session, asset="price-list", now=NOON))
    later = NOON + timedelta(minutes=1)
    again = store.write(lambda session: actions.revoke(session, asset="price-list", now=later))

    assert found(store, actions.token_of(theirs, [NEW])).ended_at == NOON
    assert found(store, actions.token_of(other, [NEW])).ended_at is None
    assert again == 0


def test_nothing_is_revoked_without_saying_what(store):
    with pytest.raises(ValueError, match="say which grants"):
        store.write(lambda session: actions.revoke(session, now=NOON))


@pytest.mark.parametrize(
    "text", ["", "x", "x" * 42, "x" * 44, "x" * 42 + "/", "ü" * 43, "x" * 42 + "\n"]
)
def test_what_is_no_token_is_not_looked_for(store, text):
    assert not actions.is_token(text)
    assert found(store, text) is None
