import json
from datetime import UTC, datetime, timedelta

import pytest

from regportal.cli.demo.crm import Book, read
from regportal.cli.demo.notebook import Notebook
from regportal.cli.demo.story import done
from regportal.connectors.signatures import UnsignedError
from regportal.errors import RefusedError, UnreachableError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN = {"key": "k1", "email": "ann@widgetworks.example", "assurance": "verified"}


def told(*messages):
    return read(
        {"kind": "message", "at": NOW.isoformat(), "message": {"type": topic, "data": data}}
        for topic, data in messages
    )


def test_a_signed_message_is_believed_once(crm, notebook, sign):
    body = json.dumps({"type": "contact.identified", "data": {"contact": ANN}}).encode()
    for _ in range(2):
        crm.take(sign("msg_1", NOW, body), body, now=NOW)

    assert len(notebook.lines()) == 1
    assert [person.email for person in crm.book().people()] == [ANN["email"]]


@pytest.mark.parametrize("minutes", [0, 6])
def test_a_message_that_is_not_signed_now_by_regportal_is_not_believed(
    crm, notebook, sign, minutes
):
    headers = sign("msg_1", NOW - timedelta(minutes=minutes), b"{}")
    with pytest.raises(UnsignedError):
        crm.take(headers, b"{}" if minutes else b"{ }", now=NOW)

    assert notebook.lines() == []


def test_a_signed_message_that_is_not_json_is_refused(crm, sign):
    with pytest.raises(RefusedError):
        crm.take(sign("msg_1", NOW, b"\xff"), b"\xff", now=NOW)


def test_a_claim_becomes_a_contact_when_its_owner_says_so():
    claim = {"id": "c1", "email": ANN["email"]}
    before = told(("contact.claimed", {"claim": claim, "fields": {}}))
    after = told(
        ("contact.claimed", {"claim": claim, "fields": {}}),
        ("contact.identified", {"contact": ANN, "claims": ["c1"], "fields": {}}),
        ("contact.claim_ended", {"claim": claim}),
    )

    assert [person.assurance for person in before.people()] == ["claimed"]
    assert [person.assurance for person in after.people()] == ["verified"]


def test_a_phase_is_shown_with_its_reason_and_a_strange_message_does_no_harm():
    deal = {"kind": "deal", "external_id": "006-1", "name": "Q3", "email": ANN["email"]}
    opportunity = {"external_id": "006-1", "name": "Q3"}
    moved = {"opportunity": opportunity, "from": "unaware", "to": "comparison", "reason": "why"}
    strange = {"type": "nothing.known", "data": None}
    messages = ({"type": "phase.changed", "data": moved}, strange)
    lines = [{"kind": "message", "at": NOW.isoformat(), "message": one} for one in messages]

    book = read([deal, *lines])

    assert book.deals["006-1"].phase == "comparison"
    assert book.deals["006-1"].reason == "why"
    assert [news.topic for news in book.feed] == ["phase.changed", "nothing.known"]


def test_each_step_ticks_when_its_news_has_reached_the_crm():
    claimed = ("contact.claimed", {"claim": {"id": "c", "email": "a@b.example"}})
    identified = ("contact.identified", {"contact": ANN, "claims": ["c"]})
    answered = ("contact.updated", {"contact": ANN, "fields": {"country": {"value": "GB"}}})

    assert list(done(Book())) == [False] * 5
    assert list(done(told(claimed))) == [True, False, False, False, False]
    assert list(done(told(claimed, identified))) == [True, True, False, False, False]
    assert list(done(told(claimed, identified, answered))) == [True, True, True, False, False]


def test_an_opportunity_is_kept_only_when_regportal_has_heard_of_it(crm, notebook):
    with pytest.raises(UnreachableError):
        crm.open_deal(ANN["email"], now=NOW)

    assert notebook.lines() == []


def test_a_line_cut_short_by_a_crash_is_passed_over(tmp_path):
    path = tmp_path / "demo.jsonl"
    Notebook(path).add("day")
    with path.open("a") as file:
        file.write('{"kind": "d')

    assert [line["kind"] for line in Notebook(path).lines()] == ["day"]
