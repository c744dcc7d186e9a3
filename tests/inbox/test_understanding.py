"""What was taken is understood: in order, once, and one bad call never blocks another."""

import contextlib
import json
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.actions import opportunity_shown
from regportal.buying.models import ContactRole, Opportunity, Snapshot
from regportal.identity.actions import find_contact
from regportal.identity.models import Contact
from regportal.inbox import actions
from regportal.inbox.models import Notice
from regportal.store.documents import Shelf
from regportal.store.sessions import Store, make_engine
from tests.buying.scene import NOON

UPSERTED, ADDED, REMOVED = "opportunity.upserted", "contact_role.added", "contact_role.removed"
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class KilledError(Exception):
    pass


def states(crm):
    return [notice.state.value for notice in crm.notices()]


def shown(crm, name="crm:006"):
    with crm.store.read() as session:
        return opportunity_shown(session, name)


def count(crm, model):
    with crm.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model))


def test_an_opportunity_with_everything_is_kept_as_it_was_told(crm):
    crm.tell(
        UPSERTED,
        {
            "external_id": "006",
            "name": "500 widgets",
            "stage": "Negotiation",
            "probability": 62.5,
            "amount": "12000.50",
            "currency": "EUR",
            "close_date": "2026-03-31",
            "is_closed": False,
            "is_won": False,
            "url": "https://crm.acme.example/deals/006",
            "owner": {"name": "Bo", "email": "bo@acme.example"},
            "account": {"external_id": "A1", "name": "Initech", "domain": "initech.example"},
            "something": "else",
        },
    )
    crm.understand()

    with crm.store.read() as session:
        deal = session.scalars(sa.select(Opportunity)).one()
        series = session.scalars(sa.select(Snapshot)).one()
    assert (deal.stage, deal.probability, deal.amount, deal.currency) == (
        "Negotiation",
        62,
        "12000.50",
        "EUR",
    )
    assert deal.close_date.isoformat() == "2026-03-31"
    assert deal.url == "https://crm.acme.example/deals/006"
    assert deal.owner == {"name": "Bo", "email": "bo@acme.example"}
    assert deal.account["domain"] == "initech.example"
    assert series.body["probability"] == 62.5
    assert "something" not in series.body


def test_an_unknown_address_in_a_part_becomes_a_contact_the_crm_vouches_for(crm):
    crm.tell(UPSERTED, {"external_id": "006"})
    crm.tell(ADDED, {"opportunity": "006", "email": "Ann@Example.com", "role": "buyer"})
    crm.understand()

    with crm.store.read() as session:
        ann = find_contact(session, "ann@example.com")
    assert ann.assurance == "crm"
    assert shown(crm)["contacts"] == [{"email": ann.email, "role": "buyer"}]


def test_a_part_may_name_a_contact_by_our_key(crm):
    ann = crm.contact("ann@example.com")
    crm.tell(UPSERTED, {"external_id": "006"})
    crm.tell(ADDED, {"opportunity": "006", "contact": str(ann)})
    crm.understand()

    assert shown(crm)["contacts"] == [{"email": "ann@example.com", "role": None}]


def test_a_part_that_comes_before_its_opportunity_waits_for_it(crm):
    crm.tell(ADDED, {"opportunity": "006", "email": "ann@example.com", "role": "user"})
    crm.tell(ADDED, {"opportunity": "006", "email": "bob@example.com"})
    crm.tell(REMOVED, {"opportunity": "006", "email": "bob@example.com"})
    crm.tell(ADDED, {"opportunity": "007", "email": "cid@example.com"})
    crm.understand()
    before = states(crm)
    crm.tell(UPSERTED, {"external_id": "006"})
    crm.understand()

    assert before == ["waiting"] * 4
    assert states(crm) == ["done", "done", "done", "waiting", "done"]
    assert shown(crm)["contacts"] == [{"email": "ann@example.com", "role": "user"}]


def test_a_part_waits_for_the_opportunity_of_its_own_crm(crm):
    crm.tell(ADDED, {"opportunity": "006", "email": "ann@example.com"})
    crm.opportunity("006", connector="other")
    crm.understand()

    assert states(crm) == ["waiting"]


def test_an_older_description_changes_nothing_and_says_so(crm):
    crm.tell(UPSERTED, {"external_id": "006", "stage": "B"}, timestamp="2026-03-04T12:00:00Z")
    crm.tell(UPSERTED, {"external_id": "006", "stage": "A"}, timestamp="2026-03-04T11:00:00Z")
    crm.understand()

    with crm.store.read() as session:
        assert session.scalars(sa.select(Opportunity.stage)).one() == "B"
    assert [notice.because for notice in crm.notices()] == [
        None,
        "older than what we were told before",
    ]


def test_a_won_opportunity_is_closed_and_one_opened_again_is_not_won(crm):
    crm.tell(UPSERTED, {"external_id": "006", "is_won": True})
    crm.understand()
    won = shown(crm)
    crm.tell(UPSERTED, {"external_id": "006", "is_closed": False})
    crm.understand()

    assert (won["open"], won["won"]) == (False, True)
    assert (shown(crm)["open"], shown(crm)["won"]) == (True, False)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "not UTF-8"),
        (b"[" * 100, "nested deeper than 16"),
        (b'{"a": 1, "a": 2}', "a key is there twice"),
        (b"[]", "the body is not an object"),
        (b'{"data": {}}', "type must be a text"),
        (b'{"type": "opportunity.upserted"}', "data must be an object"),
        (b'{"type": "invoice.paid", "data": {}}', "'invoice.paid' is no type we know"),
        (b'{"type": "contact.merged", "data": {}}', "into must be a text of 1 to 255 characters"),
        (b'{"type": "contact.deleted", "data": {}}', "a deletion needs email, contact or record"),
        (b'{"type": "contact.erased", "data": {}}', "an erasure needs email, contact or record"),
    ],
)
def test_a_body_that_says_nothing_is_kept_with_the_reason(crm, body, reason):
    crm.send(body)
    crm.understand()

    with crm.store.read() as session:
        (listed,) = actions.list_notices(session)
    assert (listed["state"], listed["reason"]) == ("unknown", reason)
    assert [notice.body for notice in crm.notices()] == [body]


OPPORTUNITY = {"external_id": "006"}
ROLE = {"opportunity": "006", "email": "ann@example.com"}


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (UPSERTED, {}, "external_id must be a text of 1 to 255 characters"),
        (UPSERTED, {"external_id": 6}, "external_id must be a text of 1 to 255 characters"),
        (UPSERTED, {"external_id": "x" * 256}, "external_id must be a text of 1 to 255 characters"),
        (UPSERTED, OPPORTUNITY | {"name": 5}, "name must be a text of at most 500 characters"),
        (
            UPSERTED,
            OPPORTUNITY | {"stage": "x" * 501},
            "stage must be a text of at most 500 characters",
        ),
        (UPSERTED, OPPORTUNITY | {"probability": "70"}, "probability must be a number"),
        (UPSERTED, OPPORTUNITY | {"probability": True}, "probability must be a number"),
        (UPSERTED, OPPORTUNITY | {"probability": 100.1}, "probability must lie between 0 and 100"),
        (UPSERTED, OPPORTUNITY | {"probability": -1}, "probability must lie between 0 and 100"),
        (
            UPSERTED,
            OPPORTUNITY | {"amount": 12},
            'amount must be a number in a text, as "12000.50"',
        ),
        (
            UPSERTED,
            OPPORTUNITY | {"amount": "12,5"},
            'amount must be a number in a text, as "12000.50"',
        ),
        (
            UPSERTED,
            OPPORTUNITY | {"currency": "eur"},
            "currency must be three capital letters, as EUR",
        ),
        (
            UPSERTED,
            OPPORTUNITY | {"close_date": "31.3.2026"},
            "close_date must be a day, as 2026-03-31",
        ),
        (
            UPSERTED,
            OPPORTUNITY | {"close_date": "2026-02-30"},
            "close_date must be a day, as 2026-03-31",
        ),
        (UPSERTED, OPPORTUNITY | {"is_closed": "yes"}, "is_closed must be true or false"),
        (UPSERTED, OPPORTUNITY | {"is_won": None}, "is_won must be true or false"),
        (
            UPSERTED,
            OPPORTUNITY | {"is_won": True, "is_closed": False},
            "is_won is true and is_closed is not",
        ),
        (UPSERTED, OPPORTUNITY | {"owner": "Bo"}, "owner must be an object"),
        *(
            (
                UPSERTED,
                OPPORTUNITY | {"url": bad},
                "url must be an address of at most 2,000 signs, as https://…",
            )
            for bad in ("javascript:alert(1)", "https://", "crm.example", "https://a b", 7)
        ),
        *(
            (
                UPSERTED,
                OPPORTUNITY | {"url": bad},
                "url must be an address with a host, as https://…",
            )
            for bad in ("https:///deals", "https://[::1", "https://?deal=006")
        ),
        (
            UPSERTED,
            OPPORTUNITY | {"account": {"domain": 1}},
            "account.domain must be a text of at most 500 characters",
        ),
        (ADDED, {"email": "ann@example.com"}, "opportunity must be a text of 1 to 255 characters"),
        (ADDED, {"opportunity": "006"}, "a contact role needs email, contact or record"),
        (ADDED, ROLE | {"contact": "1"}, "a contact role needs either email or contact"),
        (ADDED, ROLE | {"email": "ann"}, "email is not an e-mail address"),
        (ADDED, {"opportunity": "006", "contact": "1"}, "contact is not a key of ours"),
        (
            ADDED,
            {"opportunity": "006", "contact": "0198b0a0-0000-7000-8000-000000000000"},
            "contact is the key of nobody we know",
        ),
        (ADDED, ROLE | {"role": 1}, "role must be a text of at most 500 characters"),
        (REMOVED, ROLE | {"is_primary": "no"}, "is_primary must be true or false"),
    ],
)
def test_each_field_is_judged_and_nothing_half_is_kept(crm, kind, data, reason):
    crm.opportunity("006", stage="Offer")
    crm.tell(kind, data)
    crm.tell(UPSERTED, {"external_id": "next"})
    crm.understand()

    bad, good = crm.notices()
    assert (bad.state, bad.because) == ("unknown", reason)
    assert good.state == "done"
    assert count(crm, ContactRole) == count(crm, Contact) == 0


@pytest.mark.parametrize(
    "stamp", ["yesterday", "2026-03-04T12:00:00", 5, "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_that_is_none_is_not_understood(crm, stamp):
    crm.tell(UPSERTED, {"external_id": "006"}, timestamp=stamp)
    crm.understand()

    assert states(crm) == ["unknown"]


def test_a_crm_whose_clock_is_years_ahead_cannot_stop_its_own_news(crm):
    crm.tell(UPSERTED, {"external_id": "006", "stage": "A"}, timestamp="2099-01-01T00:00:00Z")
    crm.tell(UPSERTED, {"external_id": "006", "stage": "B"})
    crm.understand()

    with crm.store.read() as session:
        assert session.scalars(sa.select(Opportunity.stage)).one() == "B"


def test_the_list_shows_what_a_person_must_look_at_first(crm):
    crm.tell(UPSERTED, {"external_id": "006"})
    crm.tell(ADDED, {"opportunity": "007", "email": "ann@example.com"}, message_id="m-wait")
    crm.understand()

    with crm.store.read() as session:
        (listed,) = actions.list_notices(session)
        everything = actions.list_notices(session, everything=True)
    assert (listed["id"], listed["state"], listed["waits_for"]) == ("m-wait", "waiting", "007")
    assert [each["state"] for each in everything] == ["waiting", "done"]
    json.dumps(everything)


# --- exactly once ---


def told(crm):
    """Say a little of everything."""
    crm.tell(ADDED, {"opportunity": "006", "email": "ann@example.com"})
    crm.tell(UPSERTED, {"external_id": "006", "stage": "A"})
    crm.send(b"nonsense")
    crm.tell(ADDED, {"opportunity": "006", "email": "bob@example.com", "role": "user"})
    crm.tell(REMOVED, {"opportunity": "006", "email": "ann@example.com"})
    crm.tell(UPSERTED, {"external_id": "006", "stage": "B"})


def test_killed_at_any_statement_every_notice_is_understood_once(crm):
    told(crm)
    left = [0]

    def kill(*_):
        left[0] -= 1
        if left[0] <= 0:  # and nothing is done any more
            raise sa.exc.OperationalError("", {}, Exception("killed"))

    sa.event.listen(crm.store.engine, "before_cursor_execute", kill)
    kills = 0
    try:
        for lasts in range(1, 10_000):
            left[0] = lasts
            with contextlib.suppress(sa.exc.OperationalError):
                crm.understand()
                break
            kills += 1
    finally:
        sa.event.remove(crm.store.engine, "before_cursor_execute", kill)

    assert kills > 10
    assert states(crm) == ["done", "done", "unknown", "done", "done", "done"]
    assert count(crm, Snapshot) == 2
    assert count(crm, ContactRole) == 2
    assert [each["email"] for each in shown(crm)["contacts"]] == ["bob@example.com"]


def test_workers_that_understand_at_once_take_turns(crm, database_url):
    told(crm)
    others = [Store(make_engine(database_url)) for _ in range(3)]
    crowd = [
        threading.Thread(
            target=actions.understand,
            args=(each, Shelf()),
            kwargs={"pepper": "pepper", "erase": lambda *_: None, "now": NOON},
        )
        for each in others
    ]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    for each in others:
        each.close()

    assert states(crm) == ["done", "done", "unknown", "done", "done", "done"]
    assert count(crm, Snapshot) == 2


@on_postgres
def test_a_notice_whose_transaction_commits_late_is_understood_too(crm):
    body = json.dumps({"type": ADDED, "data": ROLE}).encode()
    slow = Session(crm.store.engine)
    actions.take(slow, "crm", "slow", body, now=NOON)
    crm.tell(UPSERTED, {"external_id": "006"})
    crm.understand()
    slow.commit()
    slow.close()
    crm.understand(now=NOON + timedelta(seconds=1))

    assert states(crm) == ["done", "done"]
    assert [each["email"] for each in shown(crm)["contacts"]] == ["ann@example.com"]


@on_postgres
def test_two_calls_of_one_id_at_once_are_one(crm):
    slow = Session(crm.store.engine)
    assert actions.take(slow, "crm", "m1", b"{}", now=NOON)
    answers = []
    other = threading.Thread(
        target=lambda: answers.append(crm.send(b"{}", message_id="m1").status_code)
    )
    other.start()
    other.join(0.3)
    assert answers == []

    slow.commit()
    slow.close()
    other.join()
    assert answers == [202]
    assert count(crm, Notice) == 1


def test_a_fault_of_ours_blocks_nobody(crm, caplog):
    crm.tell(UPSERTED, {"external_id": "006"})
    crm.tell(UPSERTED, {"external_id": "007"})

    def broken(connection, cursor, statement, *_):
        if "INSERT INTO opportunity_snapshot" in statement and not crm.woken.count("once"):
            crm.woken.append("once")
            raise sa.exc.DataError(statement, {}, Exception("out of range"))

    sa.event.listen(crm.store.engine, "before_cursor_execute", broken)
    crm.understand()
    sa.event.remove(crm.store.engine, "before_cursor_execute", broken)

    assert states(crm) == ["unknown", "done"]
    assert crm.notices()[0].because == "a fault of ours: DataError"
    assert count(crm, Opportunity) == 1
