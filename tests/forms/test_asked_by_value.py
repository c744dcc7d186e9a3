"""A gate that asks what promises most: for the proven by what became of others' forms."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.forms.answered import reasons_of
from regportal.forms.models import Answer, Counted, Outcome, Shown
from regportal.forms.turnouts import count_anew, counted
from regportal.store.ids import uuid7
from tests.portal import SITE

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
BY_VALUE = SITE.replace("{key: study, asset: study,", "{key: study, asset: study, planner: value,")


@pytest.fixture
def valued(portal):
    portal.publish(BY_VALUE)
    return portal


def puts_off(portal, question, *, many=400):
    """Let a question have put off nearly everybody."""
    with portal.store.engine.begin() as connection:
        connection.execute(sa.delete(Counted))
        row = {"gate": "study", "question": question, "shown": many, "answered": 1, "declined": 1}
        connection.execute(sa.insert(Counted), [row | {"counted_at": NOON}])


@pytest.fixture
def coming(valued):
    """Return the browser of somebody who gave his address half an hour ago."""
    with time_machine.travel(NOON, tick=False) as clock:
        browser = valued.browser()
        browser.claim("ann@widgetworks.example")
        clock.shift(timedelta(minutes=40))
        yield browser


def asked_after_others_were_put_off(portal, browser):
    found = {}
    for question in ("country", "company"):
        puts_off(portal, question)
        found[question] = browser.gate("study").question
    return found


def test_what_put_others_off_counts_for_the_proven(valued, coming):
    valued.work()
    coming.prove(valued)
    valued.work()

    found = asked_after_others_were_put_off(valued, coming)
    assert found == {"country": "company", "company": "country"}


def test_who_only_claims_an_address_is_asked_as_if_there_were_no_others(valued, coming):
    before = {coming.gate("study").question for _ in range(3)}

    after = asked_after_others_were_put_off(valued, coming)
    assert {*after.values()} == before
    assert len(before) == 1


def test_why_a_question_was_asked_is_kept_with_the_form_and_known_to_its_answer(valued):
    browser = valued.browser()
    with time_machine.travel(NOON) as clock:
        browser.claim("ann@widgetworks.example")
        clock.shift(timedelta(minutes=40))
        page = browser.gate("study")
        browser.send("study", page, decline="yes")
        valued.store.catch_up()

    with valued.store.read() as session:
        answer = session.scalars(sa.select(Answer)).one()
        shown = session.get_one(Shown, answer.shown_id)
        [because] = reasons_of(session, [answer]).values()
    assert shown.question == page.question
    assert shown.because["planner"] == "value"
    assert shown.because["shown"] == 0
    assert because.startswith("of 2 open questions it promises most")


def test_only_forms_that_can_no_longer_be_sent_are_counted_and_no_machines(portal):
    def shown(outcome, hours, judged="person"):
        at = NOON - timedelta(hours=hours)
        return Shown(
            id=uuid7(), gate="study", asked_email=False, question="country", shown_at=at,
            outcome=outcome, judged=judged,
        )  # fmt: skip

    rows = [
        *(shown(Outcome.ANSWERED, 30) for _ in range(3)),
        *(shown(Outcome.DECLINED, 30), shown(None, 30), shown(None, 2)),
        shown(None, 30, "machine"),
    ]
    portal.store.write(lambda session: session.add_all(rows))
    count_anew(portal.store, now=NOON)
    count_anew(portal.store, now=NOON)

    with portal.store.read() as session:
        [(name, found)] = counted(session).items()
    assert name == ("study", "country")
    assert (found.shown, found.answered, found.declined, found.abandoned) == (5, 3, 1, 1)
