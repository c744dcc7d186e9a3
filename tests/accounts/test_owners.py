"""An owner who may come in always stays, whoever changes what at the same moment."""

import threading
from datetime import UTC, datetime
from functools import partial

import pytest

from regportal.accounts import actions
from regportal.accounts.audit import COMMAND
from regportal.accounts.roles import Role
from regportal.errors import BadRequestError, NotHereError, StaleError

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def invite(store, email, *roles):
    """Invite somebody who has a password already; return her key."""

    def come(session):
        user = actions.invite(session, email, email, roles, doer=COMMAND, now=NOW)
        user.password = "hashed"
        return user.id

    return store.write(come)


def roles_in(store):
    with store.read() as session:
        return {one.email: (one.roles, one.active) for one in actions.everybody(session)}


@pytest.mark.parametrize(
    "end",
    [
        partial(actions.set_roles, roles=[Role.ADMIN]),
        partial(actions.set_active, active=False),
    ],
    ids=["roles", "disabled"],
)
def test_of_two_owners_who_end_each_other_one_stays(store, end):
    owners = [invite(store, f"{number}@acme.example", Role.OWNER) for number in range(2)]
    refused = []

    def end_one(key):
        try:
            store.write(lambda session: end(session, key, doer=COMMAND, now=NOW))
        except BadRequestError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=end_one, args=(key,)) for key in owners]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len(refused) == 1
    left = [1 for roles, active in roles_in(store).values() if active and "owner" in roles]
    assert left == [1]


def test_where_there_was_no_owner_others_can_be_changed(store):
    key = invite(store, "bo@acme.example", Role.SELLER)
    store.write(
        lambda session: actions.set_active(session, key, active=False, doer=COMMAND, now=NOW)
    )

    assert roles_in(store) == {"bo@acme.example": (["seller"], False)}


def test_the_same_again_changes_nothing_and_signs_nobody_out(store):
    key = invite(store, "bo@acme.example", Role.SELLER)

    def again(session):
        before = actions.user_of(session, key).uniquifier
        actions.set_roles(session, key, [Role.SELLER], doer=COMMAND, now=NOW)
        actions.set_active(session, key, active=True, doer=COMMAND, now=NOW)
        return before == actions.user_of(session, key).uniquifier

    assert store.write(again)


def test_two_people_do_not_share_an_address(store):
    invite(store, "bo@acme.example", Role.SELLER)

    with pytest.raises(BadRequestError, match="Somebody with this address"):
        invite(store, "BO@acme.example", Role.SELLER)


@pytest.mark.parametrize("token", ["", "x", "A" * 43])
def test_a_link_that_was_never_made_opens_nothing(store, token):
    with store.read() as session, pytest.raises(StaleError, match="was used, or is too old"):
        actions.invited(session, token, now=NOW)


def test_nobody_is_somebody_who_is_not_there(store):
    with store.read() as session, pytest.raises(NotHereError, match="has the address"):
        actions.user_called(session, "no@acme.example")
