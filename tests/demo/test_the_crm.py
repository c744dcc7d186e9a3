import json
from datetime import UTC, datetime, timedelta

import pytest

from regportal.cli.demo.crm import read, sentence
from regportal.cli.demo.notebook import Notebook
from regportal.cli.demo.story import done
from regportal.errors import RefusedError, UnreachableError, UnsignedError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN = {"key": "k1", "email": "ann@widgetworks.example", "assurance": "verified"}


def message(topic, data):
    says = {"type": topic, "data": data}
    return {"kind": "message", "at": NOW.isoformat(), "message": says}


def told(*messages):
    return read(message(topic, data) for topic, data in messages)


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
    deal = {"kind": "deal", "external_id": "006-1", "name": "Q3", "email": ANN["email"]}
    opportunity = {"external_id": "006-1", "name": "Q3"}
    claim = {"id": "c", "email": ANN["email"]}
    country = {"country": {"value": "GB"}}
    moved = {"opportunity": opportunity, "from": "unaware", "to": "comparison"}
    story = [
        message("contact.claimed", {"claim": claim}),
        deal,
        message("contact.claimed", {"claim": claim, "fields": country}),
        message("contact.claimed", {"claim": claim, "fields": country | {"company": "Widgets"}}),
        message("phase.changed", moved),
    ]

    for steps in range(6):
        assert list(done(read(story[:steps]))) == [place < steps for place in range(5)]


def test_who_declines_every_question_comes_to_the_end_of_the_story_too():
    deal = {"kind": "deal", "external_id": "006-1", "name": "Q3", "email": ANN["email"]}
    moved = {"opportunity": {"external_id": "006-1"}, "from": "unaware", "to": "comparison"}
    told = [
        message("contact.identified", {"contact": ANN, "claims": ["c"]}),
        deal,
        message("phase.changed", moved),
    ]

    assert all(done(read(told)))


def test_an_answer_is_told_by_its_name():
    news = {"contact": ANN, "fields": {"country": {"value": "GB"}}}

    assert sentence("contact.updated", news) == f"{ANN['email']} is known better. country: GB."


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
