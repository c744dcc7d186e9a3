"""Taking everything along: complete, in both forms, in time, and safe to open."""

import csv
import io
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.identity.actions import find_contact
from regportal.privacy.exporting import export_json
from regportal.privacy.traces import every_model
from regportal.privacy.whom import find_whom
from regportal.tracking.models import Attributed, Interaction, Judged
from tests.privacy.people import Person

TIME = 60  # seconds of the processor's time that an export may take


@pytest.fixture
def own(ann):
    """Her page, freshly proven."""
    return ann.opens_her_page()


def as_json(person):
    return json.loads(person.browser.get("/me/export.json").text)


def as_table(person):
    text = person.browser.get("/me/export.csv").text
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_export_has_what_was_said_done_allowed_and_told(ann, own):
    export = as_json(ann)
    data = export["data"]

    assert export["addresses"] == [ann.email]
    assert [answer["value"] for answer in data["answer"]] == ["DE"]
    assert data["answer"][0]["wording"] in export["wordings"]
    assert {one["type"] for one in data["interaction"]} == {"download"}
    assert "confirmed" in {line["state"] for line in data["consent_event"]}
    assert {"crm", "mail"} == {one["recipient"] for one in export["recipients"]}


def test_the_table_says_the_same_with_the_reason(ann, own):
    rows = as_table(ann)
    found = {(row["section"], row["field"]): row for row in rows}

    assert found["contact", "email"]["value"] == ann.email
    assert found["answer", "value"]["value"] == "DE"
    assert found["answer", "value"]["why"] == every_model()["answer"].personal["value"]


def test_nobody_elses_rows_are_in_it(portal, ann, own):
    Person(portal, "bob@other.example").arrives()

    assert "bob@other.example" not in ann.browser.get("/me/export.json").text


def test_no_hash_of_a_token_is_in_it(ann, own):
    export = as_json(ann)

    assert all("hash" not in row for row in export["data"]["visitor_token"])


def test_what_looks_like_a_formula_is_text(portal):
    eve = Person(portal, "=cmd@example.com").arrives()
    eve.opens_her_page()
    eve.browser.post(
        "/me/answers/company", {**eve.browser.get("/me").fields, "q-company": "@SUM(A1)"}
    )
    cells = [cell for row in as_table(eve) for cell in row.values()]

    assert "'=cmd@example.com" in cells
    assert "'@SUM(A1)" in cells
    assert [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}] == []


def test_ten_thousand_interactions_are_taken_in_time(portal, ann, own):
    now = datetime.now(UTC)
    with portal.store.read() as session:
        whose = find_contact(session, ann.email).id
    rows = [
        {
            "id": uuid.uuid4(),
            "type": "page_view",
            "object": f"https://www.acme.example/{number}",
            "properties": {},
            "occurred_at": now,
            "received_at": now,
            "contact_id": whose,
            "attribution": Attributed.VERIFIED,
            "judged": Judged.PERSON,
        }
        for number in range(10_000)
    ]
    portal.store.write(lambda session: session.execute(sa.insert(Interaction), rows))
    began = time.process_time()
    export, table = as_json(ann), as_table(ann)

    assert time.process_time() - began < TIME
    assert len(export["data"]["interaction"]) > 10_000
    assert len({row["record"] for row in table if row["section"] == "interaction"}) > 10_000


def test_every_table_of_a_person_is_exported_or_has_nothing_of_hers(portal, ann, own):
    exported = set(as_json(ann)["data"])
    found = {name for name, model in every_model().items() if model.person}

    assert exported <= found
    assert {"contact", "claim", "visitor", "answer", "interaction", "grant", "letter"} <= exported


def test_the_export_says_how_each_newsletter_stands_and_who_answers_for_it(ann, own):
    (news,) = as_json(ann)["newsletters"]
    table = {row["field"]: row["value"] for row in as_table(ann) if row["section"] == "newsletters"}

    assert (news["address"], news["newsletter"]) == (ann.email, "news")
    assert (news["state"], news["may_mail"], news["basis"]) == ("confirmed", True, "consent")
    assert news["owner"] == "Acme Products Ltd, 1 High Street, Leeds"
    assert (table["state"], table["owner"]) == (news["state"], news["owner"])


def test_a_pause_that_is_over_is_over_in_the_export_before_anybody_wrote_it_down(portal, ann, own):
    ann.browser.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": "pause"})
    (asleep,) = newsletters(portal, ann, datetime.now(UTC))
    (awake,) = newsletters(portal, ann, datetime.now(UTC) + timedelta(days=91))

    assert (asleep["state"], asleep["may_mail"]) == ("paused", False)
    assert (awake["state"], awake["may_mail"]) == ("confirmed", True)


def newsletters(portal, person, now):
    with portal.store.read() as session:
        published, whom = portal.shelf.published(session), find_whom(session, person.email)
        pieces = export_json(session, published, whom, pepper="", now=now)
        return json.loads("".join(pieces))["newsletters"]


def test_what_was_only_asked_for_is_shown_as_asked_for(portal):
    bob = Person(portal, "bob@other.example")
    bob.browser.claim(bob.email, n_news="yes")
    (news,) = newsletters(portal, bob, datetime.now(UTC))

    assert (news["address"], news["state"], news["may_mail"]) == (bob.email, "pending", False)
