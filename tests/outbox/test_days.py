"""One note a day: what a contact did is gathered, and told when the day over there has ended."""

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.connectors.schema import Connector
from regportal.outbox import days
from regportal.outbox.actions import News, owe
from regportal.outbox.days import LATE, tell_days
from regportal.outbox.models import Gathered
from tests.outbox.conftest import NOON

MIDNIGHT = NOON + timedelta(hours=11)  # in Berlin, in winter
NEXT = MIDNIGHT + LATE
HOUR = timedelta(hours=1)


@pytest.fixture
def daily():
    words = {"key": "crm", "type": "odoo", "url": "https://crm.example", "secret": "env:X"}
    return Connector(**words, interactions="daily", timezone="Europe/Berlin")


@pytest.fixture
def did(box, daily):
    """Let a contact have done something, as the worker tells it."""

    def did(whose="1", what="prices", *, at=NOON, id=None, places=()):
        one = {"id": id or str(uuid.uuid4()), "type": "download", "object": what}
        payload = {
            "id": one["id"],
            "contact": {"key": whose, "email": f"{whose}@acme.example"},
            "interaction": one,
            "title": what.title(),
            "opportunities": list(places),
        }
        news = News("interaction.recorded", f"contact:{whose}", payload, at)
        return box.write(owe, [daily], news, now=at)

    return did


def gathered(box):
    return box.read(lambda session: session.scalar(sa.select(sa.func.count(Gathered.id))))


def test_what_is_done_waits_for_the_end_of_the_day(box, daily, did):
    assert did() == ["crm"]
    assert tell_days(box.store, daily, now=NOON) == NEXT
    assert tell_days(box.store, daily, now=NEXT - HOUR) == NEXT
    assert (box.rows(), gathered(box)) == ([], 1)


def test_a_day_is_one_message_with_all_that_was_done(box, daily, did):
    did(places=["006"])
    did(what="manual", at=NOON + HOUR, places=["006", "007"])
    did(whose="2")
    did(at=MIDNIGHT)  # the next day in Berlin
    assert tell_days(box.store, daily, now=NEXT) == NEXT + timedelta(days=1)

    ann, bob = box.rows()
    assert (ann.topic, ann.subject, bob.subject) == ("interaction.digest", "contact:1", "contact:2")
    assert [one["title"] for one in ann.payload["interactions"]] == ["Prices", "Manual"]
    assert ann.payload["opportunities"] == ["006", "007"]
    assert (ann.payload["day"], ann.payload["left_out"]) == ("2026-03-04", 0)
    assert gathered(box) == 1


def test_told_twice_it_is_there_once(box, daily, did):
    id = str(uuid.uuid4())
    did(id=id)
    did(id=id)
    tell_days(box.store, daily, now=NEXT)
    tell_days(box.store, daily, now=NEXT)

    (ann,) = box.rows()
    assert len(ann.payload["interactions"]) == 1


def test_a_contact_and_a_day_have_one_id(box, daily, did):
    for day in (0, 1):
        did(at=NOON + timedelta(days=day))
    tell_days(box.store, daily, now=NEXT + timedelta(days=1))
    ids = [row.payload["id"] for row in box.rows()]

    assert len({*ids}) == 2
    assert ids[0] == str(uuid.uuid5(days.SPACE, "contact:1:2026-03-04"))


def test_a_busy_day_is_told_in_part_and_says_so(box, daily, did, monkeypatch):
    monkeypatch.setattr(days, "MOST", 3)
    for number in range(5):
        did(what=f"page {number}")
    tell_days(box.store, daily, now=NEXT)

    (ann,) = box.rows()
    assert (len(ann.payload["interactions"]), ann.payload["left_out"]) == (3, 2)


def test_many_contacts_are_told_some_at_a_time(box, daily, did, monkeypatch):
    monkeypatch.setattr(days, "SUBJECTS", days.SUBJECTS.limit(2))
    for number in range(5):
        did(whose=str(number))

    assert tell_days(box.store, daily, now=NEXT) is None
    assert len(box.rows()) == 5


def test_who_went_back_to_single_ones_is_told_what_was_gathered(box, daily, did):
    did()
    single = daily.model_copy(update={"interactions": "single"})

    assert tell_days(box.store, single, now=NEXT) is None
    assert len(box.rows()) == 1
