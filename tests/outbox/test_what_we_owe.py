"""Owing: numbers, merging, who is told."""

import random
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector
from regportal.outbox.actions import FieldNews, News, owe, owe_all, put, put_all
from regportal.outbox.leases import LEASE
from regportal.outbox.models import Message, MessageState, Subject


def connector(key="crm", **given):
    document = {"type": "webhook", "url": "https://crm.example/in", "secret": "env:S"}
    return Connector.model_validate({"key": key, **document, **given})


def test_a_subject_is_numbered_by_itself(box):
    for subject in ("contact:1", "contact:2", "contact:1", "contact:1"):
        box.put(subject)

    assert [(row.subject, row.sequence) for row in box.rows()] == [
        ("contact:1", 1),
        ("contact:1", 2),
        ("contact:1", 3),
        ("contact:2", 1),
    ]


def test_many_facts_at_once_are_numbered_as_one_by_one(box, clock):
    def fact(number):
        return News("interaction.recorded", f"contact:{number % 2}", {"id": number}, clock())

    both = [connector("crm"), connector("other"), connector("quiet", sends=["phase"])]
    box.put("contact:0")
    box.write(owe_all, [(one, fact(n)) for n in range(5) for one in both], now=clock())
    box.put("contact:1")
    told = [(row.connector, row.subject, row.sequence) for row in box.rows()]
    ids = {row.payload["id"]: row.sequence for row in box.rows() if row.connector == "other"}

    assert sorted(told) == [
        *(("crm", "contact:0", number) for number in range(1, 5)),
        *(("crm", "contact:1", number) for number in range(1, 4)),
        *(("other", "contact:0", number) for number in range(1, 4)),
        *(("other", "contact:1", number) for number in range(1, 3)),
    ]
    assert ids == {0: 1, 1: 1, 2: 2, 3: 2, 4: 3}


@pytest.mark.parametrize("seed", range(12))
def test_many_news_at_once_are_owed_as_one_by_one(box, clock, seed):
    chance = random.Random(seed)

    def some(number):
        topic, merges, creates = chance.choice(
            [
                ("interaction.recorded", None, False),
                ("contact.identified", "contact", True),
                ("contact.updated", "contact", False),
                ("phase.changed", "phase", False),
            ]
        )
        return News(
            topic,
            f"contact:{chance.randrange(3)}",
            {"id": number, "from": chance.random()},
            clock() + timedelta(seconds=number),
            merges,
            keeps=frozenset({"from"} if topic == "phase.changed" else ()),
            creates=creates,
            lane=chance.choice([0, 1, 1, 1, 1]),
        )

    def kept(connectors):
        names = (
            *("subject", "sequence", "topic", "payload", "occurred_at"),
            *("creates", "passes", "lane"),
        )
        return [
            tuple(getattr(row, name) for name in names)
            for row in box.rows()
            if row.connector in connectors
        ]

    before, after = ([some(number) for number in range(size)] for size in (6, 20))
    for news in [*before, *after]:
        box.write(put, "one", news, now=clock())
    for news in before:
        box.write(put, "many", news, now=clock())
    owed = [("many", news) for news in after] + [("other", news) for news in before]
    messages = box.write(put_all, owed, now=clock())

    assert kept({"many"}) == kept({"one"})
    assert kept({"other"}) != []
    assert {row.id for row in box.rows() if row.connector != "one"} >= {*messages}
    assert len(messages) == len(owed)


def test_what_is_rolled_back_leaves_no_gap(box):
    def owe_and_fail(session):
        put(session, "crm", News("phase.changed", "contact:1", {}, box.clock()), now=box.clock())
        raise RuntimeError

    box.put()
    with pytest.raises(RuntimeError):
        box.store.write(owe_and_fail)
    box.put()

    assert [row.sequence for row in box.rows()] == [1, 2]


def test_64_threads_at_once_leave_no_gap(box):
    start = threading.Barrier(64)

    def owe_some():
        start.wait()
        for _ in range(3):
            box.put()

    threads = [threading.Thread(target=owe_some) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [row.sequence for row in box.rows()] == list(range(1, 193))
    with box.store.read() as session:
        assert session.scalar(sa.select(Subject.last)) == 192


def test_a_state_that_waits_takes_the_newer_one_in_and_keeps_its_place(box, crm):
    first = box.put(topic="phase.changed", merges="phase", payload={"id": "a", "to": "interest"})
    box.put()
    again = box.put(topic="phase.changed", merges="phase", payload={"id": "b", "to": "decision"})
    box.drain(crm)

    assert again == first
    assert (crm.got[0].sequence, crm.got[0].payload["id"]) == (1, "b")
    assert len(crm.got) == 2


def test_two_moves_that_wait_are_told_as_one_from_where_the_first_began(box, crm):
    def move(before, after):
        payload = {"id": after, "from": before, "to": after, "reason": f"because {after}"}
        keeps = frozenset({"from"})
        return box.put(topic="phase.changed", merges="phase", keeps=keeps, payload=payload)

    move("unaware", "interest")
    move("interest", "exploration")
    move("exploration", "comparison")
    box.drain(crm)

    assert [change.payload for change in crm.got] == [
        {
            "id": "comparison",
            "from": "unaware",
            "to": "comparison",
            "reason": "because comparison",
        }
    ]


def test_a_move_after_one_that_was_told_begins_where_that_one_ended(box, crm):
    keeps = frozenset({"from"})
    for before, after in (("unaware", "interest"), ("interest", "decision")):
        payload = {"id": after, "from": before, "to": after}
        box.put(topic="phase.changed", merges="phase", keeps=keeps, payload=payload)
        box.drain(crm)

    assert [change.payload["from"] for change in crm.got] == ["unaware", "interest"]


def test_a_state_that_was_tried_once_takes_nothing_in(box, crm):
    first = box.put(topic="phase.changed", merges="phase")
    crm.answers["*"] = {"outcome": "retry"}
    box.drain(crm)
    second = box.put(topic="phase.changed", merges="phase")

    assert second != first
    assert [row.sequence for row in box.rows()] == [1, 2]


def test_a_state_that_a_killed_worker_may_have_told_takes_nothing_in(box, clock, crm):
    first = box.put(topic="phase.changed", merges="phase", payload={"id": "a"})
    box.take()
    clock.now += LEASE
    crm.answers["*"] = {"outcome": Outcome.THROTTLED, "retry_at": clock() + timedelta(minutes=1)}
    clock.now = box.drain(crm)
    second = box.put(topic="phase.changed", merges="phase", payload={"id": "b"})
    crm.answers.clear()
    box.drain(crm)

    assert [(change.id, change.payload["id"]) for change in crm.got] == [
        (first, "a"),
        (first, "a"),
        (second, "b"),
    ]


def test_a_state_that_is_on_its_way_takes_nothing_in(box, crm):
    ids = [box.put(topic="phase.changed", merges="phase", payload={"id": "a"})]

    def deliver(changes, *, now):
        if len(ids) == 1:
            ids.append(box.put(topic="phase.changed", merges="phase", payload={"id": "b"}))
        return crm(changes, now=now)

    box.drain(deliver)

    assert [(change.id, change.payload["id"]) for change in crm.got] == [
        (ids[0], "a"),
        (ids[1], "b"),
    ]


def test_states_of_other_names_and_other_subjects_do_not_merge(box):
    box.put("contact:1", "consent.changed", merges="consent:prices")
    box.put("contact:1", "consent.changed", merges="consent:events")
    box.put("contact:2", "consent.changed", merges="consent:prices")
    box.put("contact:1", "interaction.recorded")
    box.put("contact:1", "interaction.recorded")

    assert len(box.rows()) == 5


def test_a_contact_that_is_not_yet_told_is_still_introduced_after_an_update(box, crm):
    box.put(topic="contact.identified", merges="contact", creates=True, payload={"id": "a"})
    box.put(topic="contact.updated", merges="contact", payload={"id": "b"})
    box.drain(crm)

    assert [(change.topic, change.payload["id"]) for change in crm.got] == [
        ("contact.identified", "b")
    ]


def test_connectors_are_told_what_they_want_to_hear(box, clock):
    news = News("contact.claimed", "claim:1", {"id": "x"}, clock())
    connectors = [
        connector("leads"),
        connector("no-claims", claimed="off"),
        connector("phases", sends=["phase"]),
    ]
    told = box.write(owe, connectors, news, now=clock())

    assert told == ["leads"]
    assert [row.connector for row in box.rows()] == ["leads"]


def test_everybody_hears_of_an_erasure(box, clock):
    news = News("contact.erased", "contact:1", {"id": "x"}, clock())
    told = box.write(owe, [connector("phases", sends=["phase"])], news, now=clock())

    assert told == ["phases"]


def test_fields_are_named_as_each_connector_names_them(box, clock):
    news = News(
        "contact.updated",
        "contact:1",
        {"id": "x", "contact": {"key": "1"}},
        clock(),
        fields={
            "country": FieldNews("DE", "gate:price-list", clock(), "nation"),
            "size": FieldNews(12, "gate:price-list", clock()),
        },
    )
    own = connector("own", fields={"country": "MailingCountryCode"})
    box.write(owe, [own, connector("plain")], news, now=clock())
    fields = {row.connector: row.payload["fields"] for row in box.rows()}

    assert fields["own"]["MailingCountryCode"] == {
        "value": "DE",
        "source": "gate:price-list",
        "at": "2026-03-04T12:00:00Z",
    }
    assert set(fields["own"]) == {"MailingCountryCode", "size"}
    assert set(fields["plain"]) == {"nation", "size"}


def test_of_two_questions_with_one_name_the_newer_answer_is_told(box, clock):
    older, newer = clock() - timedelta(days=1), clock()
    news = News(
        "contact.updated",
        "contact:1",
        {"id": "x"},
        clock(),
        fields={
            "a": FieldNews("new", "gate:g", newer, "Company"),
            "b": FieldNews("old", "gate:g", older, "Company"),
        },
    )
    box.write(owe, [connector()], news, now=clock())

    assert box.rows()[0].payload["fields"]["Company"]["value"] == "new"


def test_a_message_begins_as_due_at_once(box, clock):
    row = box.row(box.put())

    assert (row.state, row.attempts, row.due) == (MessageState.DUE, 0, clock())
    assert isinstance(row, Message)
