"""Letting people of the company in by commands, as whoever runs the machine does."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.accounts import actions
from regportal.accounts.models import Audit, StudioSession
from regportal.accounts.sessions import Browser, begin
from regportal.store.sessions import Store, make_engine
from regportal.store.tokens import fresh_token

BO = "bo@acme.example"
LINK = re.compile(r"http://localhost:8000/studio/welcome/([\w-]{43})\n")


@pytest.fixture
def store(database_url):
    opened = Store(make_engine(database_url))
    yield opened
    opened.close()


def deeds(store):
    """What the log tells, and that nobody of the Studio did it."""
    with store.read() as session:
        found = session.scalars(sa.select(Audit).order_by(Audit.id)).all()
    assert {one.user_id for one in found} <= {None}
    return [(one.action, one.change) for one in found]


def people(regportal):
    return {one["email"]: one for one in regportal("user", "list", "--json").json()}


def comes_in(store, email=BO):
    """Let somebody choose a password, and sign in once."""
    now = datetime.now(UTC)

    def come(session):
        user = actions.user_called(session, email)
        user.password = "hashed"
        begin(session, fresh_token(), "", user.uniquifier, Browser("", None), now=now)

    store.write(come)


def signed_in(store):
    with store.read() as session:
        return len(session.scalars(sa.select(StudioSession)).all())


def test_whoever_is_added_comes_in_by_the_link_that_is_printed_once(installed, store):
    added = installed("user", "add", "Bo@Acme.Example", "--role", "seller", "--name", "Bo Doe")
    token = LINK.fullmatch(added.out)[1]
    with store.read() as session:
        _, user = actions.invited(session, token, now=datetime.now(UTC))

    assert (added.code, user.email, user.name) == (0, BO, "Bo Doe")
    assert token not in installed("user", "list").out
    assert deeds(store) == [("invite", {"roles": ["seller"]})]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["add", "nobody", "--role", "owner"], 2, "EMAIL"),
        (["add", "bo@acme.example"], 2, "--role"),
        (["add", "bo@acme.example", "--role", "emperor"], 2, "--role"),
        (["add", "bo@acme.example", "--role", "owner", "--name", " "], 2, "--name"),
        (["add", "bo@acme.example", "--role", "owner", "--name", "B\x1b[2J"], 2, "--name"),
        (["roles", "bo@acme.example", "--role", "owner"], 1, "nobody of the company"),
        (["disable", "bo@acme.example"], 1, "nobody of the company"),
        (["enable", "bo@acme.example"], 1, "nobody of the company"),
        (["link", "bo@acme.example"], 1, "nobody of the company"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(
    installed, store, arguments, code, says
):
    left = installed("user", *arguments)

    assert (left.code, left.out) == (code, "")
    assert says in left.err
    assert deeds(store) == []
    assert people(installed) == {}


def test_nobody_is_added_twice_however_the_address_is_written(installed, store):
    installed("user", "add", BO, "--role", "seller")
    again = installed("user", "add", "BO@acme.example", "--role", "owner")

    assert again.code == 1
    assert "come in already" in again.err
    assert people(installed)[BO]["roles"] == ["seller"]


def test_the_list_says_how_far_everybody_is(installed, store):
    for name in ("cy", "bo", "di"):
        installed("user", "add", f"{name}@acme.example", "--role", "admin", "--role", "seller")
    comes_in(store)
    installed("user", "disable", "di@acme.example")
    found = people(installed)

    assert [*found] == ["bo@acme.example", "cy@acme.example", "di@acme.example"]
    assert [one["state"] for one in found.values()] == ["active", "invited", "disabled"]
    assert found[BO]["roles"] == ["admin", "seller"]
    assert found[BO]["last_login"].endswith("Z")
    assert found["cy@acme.example"]["last_login"] is None
    assert installed("user", "list").out.count("\n") >= 3


def test_new_roles_hold_at_once_and_take_the_place_of_those_before(installed, store):
    installed("user", "add", BO, "--role", "seller", "--role", "analyst")
    comes_in(store)
    changed = installed("user", "roles", "BO@acme.example", "--role", "auditor")

    assert changed.out == "BO@acme.example: Auditor\n"
    assert people(installed)[BO]["roles"] == ["auditor"]
    assert signed_in(store) == 0
    assert deeds(store)[-1] == ("roles", {"roles": [["analyst", "seller"], ["auditor"]]})


def test_whoever_is_disabled_is_out_at_once_and_gets_no_link(installed, store):
    link = installed("user", "add", BO, "--role", "seller").out
    comes_in(store)
    assert installed("user", "disable", BO).out == f"{BO} is disabled\n"
    refused = installed("user", "link", BO)
    assert (refused.code, "disabled" in refused.err) == (1, True)
    assert signed_in(store) == 0
    assert installed("user", "enable", BO).out == f"{BO} is enabled\n"

    assert people(installed)[BO]["state"] == "active"
    with store.read() as session, pytest.raises(actions.StaleError):
        actions.invited(session, LINK.fullmatch(link)[1], now=datetime.now(UTC))


def test_a_new_link_ends_the_one_before(installed, store):
    first = LINK.fullmatch(installed("user", "add", BO, "--role", "seller").out)[1]
    second = LINK.fullmatch(installed("user", "link", BO).out)[1]
    now = datetime.now(UTC)

    with store.read() as session:
        assert actions.invited(session, second, now=now)[1].email == BO
        with pytest.raises(actions.StaleError):
            actions.invited(session, first, now=now)
    assert [action for action, _ in deeds(store)] == ["invite", "link"]


def test_the_last_owner_who_comes_in_stays_one(installed, store):
    installed("user", "add", BO, "--role", "owner")
    comes_in(store)
    for arguments in (["disable", BO], ["roles", BO, "--role", "admin"]):
        left = installed("user", *arguments)
        assert (left.code, left.out) == (1, "")
        assert "must be an owner" in left.err

    assert people(installed)[BO]["roles"] == ["owner"]
    assert signed_in(store) == 1
