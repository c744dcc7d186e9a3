"""Replaying what was parked, and showing what waits."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.connectors.base import Outcome
from regportal.outbox import operating
from regportal.outbox.leases import LEASE
from regportal.outbox.models import Message, MessageState
from regportal.outbox.operating import listing, replay, replay_parked, waiting
from tests.outbox.conftest import NOON


def test_a_fact_is_told_again_as_it_was_with_its_own_time(box, clock, crm):
    message = box.put(payload={"id": "fact"})
    crm.answers["*"] = Outcome.REJECTED
    box.drain(crm)
    crm.answers.clear()
    clock.turn(days=3)

    assert replay_parked(box.store, now=clock()) == 1
    box.drain(crm)

    again = crm.got[-1]
    assert (again.id, again.payload["id"], again.occurred_at) == (message, "fact", NOON)
    assert box.row(message).state is MessageState.SENT


def test_a_state_is_told_as_it_is_now(box, clock, crm):
    message = box.put(topic="phase.changed", merges="phase", payload={"id": "a"})
    crm.answers["*"] = Outcome.REJECTED
    box.drain(crm)
    clock.turn(hours=1)
    box.put(topic="phase.changed", merges="phase", payload={"id": "b"})
    crm.answers.clear()
    box.drain(crm)
    box.write(replay, [message], now=clock())
    box.drain(crm)

    again = crm.got[-1]
    assert (again.id, again.payload["id"]) == (message, "b")
    assert again.occurred_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.REJECTED, MessageState.SUPERSEDED), (Outcome.DONE, MessageState.SENT)],
)
def test_a_state_of_which_newer_news_waits_is_left_to_that(box, clock, crm, outcome, state):
    message = box.put(topic="phase.changed", merges="phase", payload={"id": "a"})
    crm.answers["*"] = outcome
    box.drain(crm)
    for name in ("b", "c"):  # b may have been told: nobody heard how it went
        box.put(topic="phase.changed", merges="phase", payload={"id": name})
        crm.answers["*"] = Outcome.RETRY
        box.drain(crm)
    crm.answers.clear()

    assert box.write(replay, [message], now=clock()) == 0
    assert box.row(message).state is state
    clock.turn(hours=1)
    box.drain(crm)
    assert [change.payload["id"] for change in crm.got][-2:] == ["b", "c"]


def test_what_waits_is_told_at_once_and_as_it_was(box, clock, crm):
    message = box.put(topic="phase.changed", merges="phase", payload={"id": "a"})
    crm.answers["*"] = Outcome.RETRY
    box.drain(crm)
    box.put(topic="phase.changed", merges="phase", payload={"id": "b"})
    crm.answers.clear()

    assert box.write(replay, [message], now=clock()) == 1
    box.drain(crm)
    assert [change.payload["id"] for change in crm.got] == ["a", "a", "b"]


def test_a_replayed_contact_is_told_before_what_waited_for_it(box, clock, crm):
    box.put(topic="contact.identified", creates=True)
    box.put()
    crm.answers["*"] = Outcome.REJECTED
    box.drain(crm)
    crm.answers.clear()
    replay_parked(box.store, now=clock())
    box.drain(crm)

    assert crm.heard == [("contact:1", 1), ("contact:1", 1), ("contact:1", 2)]


def test_a_replay_starts_the_schedule_anew(box, clock, crm):
    message = box.put()
    crm.answers["*"] = Outcome.RETRY
    while (due := box.drain(crm)) is not None:
        clock.now = due
    clock.turn(minutes=2)  # as long as a CRM that does not answer is left alone
    replay_parked(box.store, now=clock())
    box.drain(crm)

    row = box.row(message)
    assert (row.attempts, row.due) == (1, clock() + timedelta(seconds=5))


def test_only_what_is_asked_for_is_replayed(box, clock, crm):
    parked = [box.put(), box.put("contact:2")]
    sent = box.put("contact:3")
    crm.answers = {"contact:1": Outcome.REJECTED, "contact:2": Outcome.REJECTED}
    box.drain(crm)

    assert box.write(replay, [parked[0]], now=clock()) == 1
    assert box.row(parked[0]).state is MessageState.DUE
    assert box.row(parked[1]).state is MessageState.PARKED
    assert box.row(sent).state is MessageState.SENT
    assert replay_parked(box.store, connector="other", now=clock()) == 0
    assert replay_parked(box.store, connector="crm", now=clock()) == 1


def test_what_was_sent_may_be_sent_again_under_its_own_id(box, clock, crm):
    message = box.put()
    box.drain(crm)
    box.write(replay, [message], now=clock())
    box.drain(crm)

    assert [change.id for change in crm.got] == [message, message]
    assert len(box.rows()) == 1


def test_what_is_under_way_is_not_replayed(box, clock):
    message = box.put()
    box.take()

    assert box.write(replay, [message], now=clock()) == 0


def test_a_replay_waits_for_what_is_just_being_told_about_its_subject(box, clock, crm):
    parked = box.put()
    crm.answers["*"] = Outcome.REJECTED
    box.drain(crm)
    crm.answers.clear()
    box.put()
    box.take()
    box.write(replay, [parked], now=clock())

    assert box.drain(crm) == clock() + LEASE
    assert box.row(parked).attempts == 0


def test_nothing_merges_into_what_may_have_been_told(box, clock, crm):
    message = box.put(topic="phase.changed", merges="phase")
    crm.answers["*"] = Outcome.REJECTED
    box.drain(crm)
    box.write(replay, [message], now=clock())

    assert box.put(topic="phase.changed", merges="phase") != message


def test_a_replay_of_a_thousand_delivered_messages_has_no_second_effect(box, clock, crm):
    for number in range(100):
        box.put(f"contact:{number % 10}")
    box.drain(crm)
    for _ in range(10):
        box.write(replay, [row.id for row in box.rows()], now=clock())
        box.drain(crm)

    assert len(crm.got) == 1100
    assert len({change.id for change in crm.got}) == 100


def test_the_list_shows_first_what_a_person_must_look_at(box, clock, crm):
    crm.answers = {"contact:2": Outcome.REJECTED, "contact:3": Outcome.RETRY}
    for number in range(4):
        box.put(f"contact:{number}")
    box.drain(crm)
    rows = box.read(listing)

    assert [row.state.value for row in rows] == ["parked", "due", "sent", "sent"]
    assert [row.subject for row in box.read(listing, state=MessageState.PARKED)] == ["contact:2"]
    assert len(box.read(listing, limit=2)) == 2
    assert box.read(listing, connector="other") == []
    assert box.read(waiting) == {
        "crm": {MessageState.DUE: 1, MessageState.PARKED: 1, MessageState.SENT: 2}
    }


def test_many_are_let_go_some_at_a_time_in_as_few_steps_each(box, clock, crm, monkeypatch):
    monkeypatch.setattr(operating, "PAGE", 3)
    for number in range(7):
        box.put(f"contact:{number}", topic="phase.changed", merges="phase", payload={"id": "x"})
        box.put(f"contact:{number}", payload={"id": "fact"})
    crm.answers["*"] = Outcome.REJECTED
    while any(row.state is MessageState.DUE for row in box.rows()):
        box.drain(crm)
    pages, told = [], []

    def counted(session, ids, **how):
        pages.append(len(ids))
        return replay(session, ids, **how)

    monkeypatch.setattr(operating, "replay", counted)
    sa.event.listen(box.store.engine, "before_cursor_execute", lambda *given: told.append(given[2]))

    assert replay_parked(box.store, now=clock()) == 14
    assert pages == [3, 3, 3, 3, 2]
    assert len(told) < 10 * len(pages)
    crm.answers.clear()
    box.drain(crm)
    assert {row.state for row in box.rows()} == {MessageState.SENT}


def test_what_a_colleague_sent_meanwhile_is_not_sent_again(box, clock, crm, monkeypatch):
    first, second = box.put("contact:1"), box.put("contact:2")
    crm.answers["*"] = Outcome.REJECTED
    box.drain(crm)
    crm.answers.clear()
    monkeypatch.setattr(operating, "PAGE", 1)

    def meanwhile(session, ids, **how):
        if list(ids) == [first]:
            session.get_one(Message, second).state = MessageState.SENT
        return replay(session, ids, **how)

    monkeypatch.setattr(operating, "replay", meanwhile)
    assert replay_parked(box.store, now=clock()) == 1
    assert box.row(second).state is MessageState.SENT
