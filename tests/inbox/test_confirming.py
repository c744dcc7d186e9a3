"""What a call says of a record is done once the CRM says so, too."""

from datetime import timedelta

import pytest

from regportal.connectors.base import Link, Record
from regportal.connectors.base import Notice as News
from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome
from regportal.errors import UnreachableError
from regportal.inbox.actions import take_news
from regportal.inbox.confirming import NOT_ERASED, PATIENCE, STILL_THERE, confirm
from regportal.inbox.polling import poll, troubles
from regportal.outbox.budget import Budget
from regportal.outbox.links import keep_links
from tests.buying.scene import NOON

ERASED = {"type": "contact.erased", "data": {"record": "151"}}
DELETED = {"type": "contact.deleted", "data": {"record": "151"}}
MERGED = {"type": "contact.merged", "data": {"record": "151", "into": "152"}}
REMOVED = {"type": "contact_role.removed", "data": {"opportunity": "006", "record": "151"}}
CLOSED = {"type": "opportunity.deleted", "data": {"external_id": "006"}}
STRANGER = {"type": "contact.erased", "data": {"record": "999"}}
NONSENSE = {"type": "contact.erased", "data": {}}


class Asked:
    """A CRM with some records, which counts what it is asked."""

    def __init__(self, *there, trouble=None):
        self.there, self.trouble, self.asked = there, trouble, []

    def read(self, kind, ids, fields):
        assert ids
        assert not fields
        return self._answer({id: Record(id) for id in ids if id in self.there}, kind, ids)

    def open_opportunities(self, contacts):
        deals = [Record(id) for id in self.there if id.startswith("00")]
        return self._answer(dict.fromkeys(contacts, deals), "parts", contacts)

    def changes(self, cursor, limit):
        del cursor, limit
        return (), "1"

    def _answer(self, answer, *asked):
        self.asked.append(asked)
        if self.trouble:
            raise self.trouble
        return answer


class Silent:
    """A receiver that cannot be asked."""

    def read(self, kind, ids, fields):
        del kind, ids, fields
        return Outcome.UNSUPPORTED

    def open_opportunities(self, contacts):
        del contacts
        return Outcome.UNSUPPORTED


def hear(store, *bodies, now=NOON):
    def keep(session):
        known = {"contact:0198b0a0-0000-7000-8000-000000000000": Link("151")}
        keep_links(session, "crm", {}, known, now=now)
        return [
            take_news(session, "crm", News(body["type"], body), is_sure=False, now=now)
            for body in bodies
        ]

    return store.write(keep)


def notices(crm):
    return [(one.state.value, one.because) for one in crm.notices()]


def waits(crm):
    return [state for state, _ in notices(crm)].count("waiting")


ALL = (ERASED, DELETED, MERGED, REMOVED, CLOSED)


def test_before_the_crm_was_asked_nothing_is_done(crm, store):
    assert hear(store, *ALL) == [True] * 5
    crm.understand()

    assert waits(crm) == 5
    assert hear(store, *ALL) == [False] * 5


@pytest.mark.parametrize("asked", [Asked(), Silent()])
def test_what_is_not_there_is_gone(crm, store, asked):
    hear(store, *ALL)

    assert confirm(store, "crm", asked, now=NOON) is True
    assert notices(crm) == [("taken", None)] * 5
    assert confirm(store, "crm", asked, now=NOON) is False


def test_what_is_there_is_not_gone_and_of_an_erasure_a_person_hears_after_a_while(crm, store):
    hear(store, *ALL)
    there = Asked("151", "006")

    assert confirm(store, "crm", there, now=NOON) is False
    assert waits(crm) == 1
    assert notices(crm)[1:] == [("done", STILL_THERE)] * 4
    assert confirm(store, "crm", there, now=NOON + PATIENCE) is False
    assert notices(crm)[0] == ("unknown", NOT_ERASED)


def test_an_erasure_that_is_seen_late_is_done(crm, store):
    hear(store, ERASED)
    confirm(store, "crm", Asked("151"), now=NOON)

    assert confirm(store, "crm", Asked(), now=NOON + timedelta(minutes=1)) is True
    assert notices(crm) == [("taken", None)]


def test_nobody_is_asked_about_who_is_nobody_here_nor_about_nonsense(crm, store):
    hear(store, STRANGER, NONSENSE)
    asked = Asked(trouble=UnreachableError("it is down"))

    assert confirm(store, "crm", asked, now=NOON) is True
    assert asked.asked == []
    crm.understand()
    assert [state for state, _ in notices(crm)] == ["done", "unknown"]


def test_a_hundred_are_one_question_and_other_connectors_are_not_asked(crm, store):
    bodies = [DELETED | {"timestamp": f"2026-03-04T11:{number:02}:00Z"} for number in range(50)]
    hear(store, *bodies)
    other, asked = Asked(), Asked()

    assert confirm(store, "other", other, now=NOON) is False
    assert confirm(store, "crm", asked, now=NOON) is True
    assert (other.asked, asked.asked) == ([], [("contact", ["151"])])


@pytest.mark.parametrize(
    "trouble", [UnreachableError("it is down"), NotTakenError(Outcome.GONE, "no such field")]
)
def test_a_crm_that_cannot_be_asked_is_asked_again_and_the_poll_goes_on(crm, store, trouble):
    hear(store, ERASED)
    poll(store, "crm", Asked(trouble=trouble), Budget("crm"), clock=lambda: NOON)
    assert waits(crm) == 1
    heard = []
    later = NOON + timedelta(minutes=1)
    again = {"clock": lambda: later, "on_heard": lambda: heard.append(True)}
    poll(store, "crm", Asked(), Budget("crm"), **again)

    assert (notices(crm), heard) == ([("taken", None)], [True])


def test_a_crm_that_puts_us_off_when_it_is_to_confirm_is_no_trouble(crm, store):
    hear(store, ERASED)
    again = NOON + timedelta(seconds=30)
    trouble = NotTakenError(Outcome.THROTTLED, "too many calls", retry_at=again)
    asked = Asked(trouble=trouble)

    assert poll(store, "crm", asked, Budget("crm"), clock=lambda: NOON) == again
    assert waits(crm) == 1
    with store.read() as session:
        assert troubles(session) == {}


def test_what_a_call_says_while_its_crm_is_asked_is_looked_at_in_the_same_turn(crm, store):
    class Calling(Asked):
        def changes(self, cursor, limit):
            hear(store, ERASED)
            return super().changes(cursor, limit)

    poll(store, "crm", Calling(), Budget("crm"), clock=lambda: NOON)
    assert notices(crm) == [("taken", None)]
