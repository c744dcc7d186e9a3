import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from regportal.buying.models import ContactRole, Move, Opportunity
from regportal.consent.actions import subject_of_claim, subject_of_contact
from regportal.consent.lines import Evidence, Said, append
from regportal.consent.models import ConsentState
from regportal.forms.models import Answer
from regportal.identity.keys import add_key
from regportal.identity.models import Assurance, Claim, ClaimState, Contact, Visitor, VisitorState
from regportal.store.documents import keep_wording
from regportal.store.ids import uuid7
from regportal.store.schema import Site
from regportal.tracking.actions import attribute, record
from regportal.tracking.models import Attributed, Interaction, Judged
from tests.cli.conftest import regportal  # noqa: F401 - a fixture
from tests.cli.test_import_interactions import company  # noqa: F401 - a fixture
from tests.papers import papers
from tests.tracking.test_the_collector import (
    ann,  # noqa: F401 - a fixture
    event,
    followed,  # noqa: F401 - a fixture
    tell,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITE = Site(name="Acme", controller="Acme Ltd", privacy_notice="https://acme.example/p")
LETTER = "Send me widget price alerts."


def key_headers(portal):
    """Return what a program sends that may read what contacts did."""
    now = datetime.now(UTC)
    _, secret = portal.store.write(
        lambda session: add_key(session, "reader", ["timeline"], now=now)
    )
    return {"Authorization": f"Bearer {secret}"}


class Town:
    """Ann, who proved her address, and Bob, who did not."""

    def __init__(self, session):
        self.session = session
        self.ann = self.add(
            Contact,
            email="Ann@example.com",
            match_key="ann@example.com",
            assurance=Assurance.VERIFIED,
            first_seen=NOON,
        )
        self.label = keep_wording(session, "Which country?", "en", now=NOON)
        self.ann_claim = self.claim("ann@example.com", ClaimState.CONFIRMED, self.ann)
        self.bob_claim = self.claim("bob@example.com", ClaimState.OPEN)
        session.flush()

    def add(self, kind, **columns):
        row = kind(id=uuid7(), **columns)
        self.session.add(row)
        self.session.flush()
        return row

    def claim(self, email, state, contact=None):
        visitor = self.add(
            Visitor, first_seen=NOON, last_seen=NOON, state=VisitorState.CLAIMED, remembered=False
        )
        return self.add(
            Claim,
            visitor_id=visitor.id,
            typed=email,
            email=email,
            match_key=email,
            gate="price-list",
            browser="Firefox on Linux",
            locale="en",
            state=state,
            opened_at=NOON,
            decided_at=NOON + HOUR if contact else None,
            contact_id=contact.id if contact else None,
        )

    def answer(self, value, at, *, claim=None, contact=None, assurance=Assurance.VERIFIED, **more):
        return self.add(
            Answer,
            question="country",
            value=value,
            wording=self.label,
            gate="price-list",
            claim_id=claim.id if claim else None,
            contact_id=contact.id if contact else None,
            assurance=assurance,
            answered_at=at,
            **more,
        )

    def download(self, claim, at, name="price-list-2026"):
        interaction = Interaction(
            id=uuid7(),
            type="download",
            object=name,
            category="price-list",
            occurred_at=at,
            received_at=at,
            claim_id=claim.id,
            attribution=Attributed.CLAIMED,
            judged=Judged.PERSON,
        )
        return record(self.session, interaction, now=at)

    def consent(self, subject, state, at):
        said = Said(
            subject=subject,
            newsletter="widget-prices",
            state=state,
            method="gate",
            wording=LETTER,
            locale="en",
            evidence=Evidence("ann@example.com"),
        )
        return append(self.session, papers(SITE), said, now=at)


@pytest.fixture
def town(store, installed):
    """What is told of Ann and Bob, in the database the command reads."""
    told = {}

    def settle(session):
        town = Town(session)
        town.answer("NO", NOON, contact=town.ann)
        town.answer("GB", NOON + HOUR, contact=town.ann)
        town.answer("US", NOON + 2 * HOUR, contact=town.ann, assurance=Assurance.CLAIMED)
        town.answer("FR", NOON, claim=town.bob_claim, assurance=Assurance.CLAIMED)
        town.answer(None, NOON, claim=town.bob_claim, assurance=Assurance.CLAIMED, declined=True)
        first = town.download(town.ann_claim, NOON)
        attribute(session, [first.id], town.ann.id, Attributed.VERIFIED, "Yes", now=NOON + HOUR)
        second = town.download(town.bob_claim, NOON + HOUR, name="=cmd|'/c calc'!A1")
        town.consent(subject_of_claim(town.ann_claim.id), ConsentState.PENDING, NOON)
        line = town.consent(subject_of_contact(town.ann.id), ConsentState.CONFIRMED, NOON + HOUR)
        town.consent(subject_of_claim(town.bob_claim.id), ConsentState.PENDING, NOON)
        deal = town.add(
            Opportunity,
            connector="crm",
            external_id="D-1",
            name="Widgets",
            told_at=NOON,
            phase="comparison",
            phase_since=NOON + HOUR,
        )
        town.add(
            ContactRole,
            opportunity_id=deal.id,
            contact_id=town.ann.id,
            role="buyer",
            since=NOON,
            told_at=NOON,
        )
        town.add(
            Move,
            opportunity_id=deal.id,
            from_phase="unaware",
            to_phase="comparison",
            at=NOON + HOUR,
            cause="event",
            rules_version=0,
            evidence=[
                {
                    "event": "download",
                    "category": ["price-list"],
                    "at_least": 1,
                    "within": "45d",
                    "interactions": [str(first.id)],
                }
            ],
        )
        told.update(
            ann=town.ann.key,
            ann_claim=str(town.ann_claim.id),
            bob_claim=str(town.bob_claim.id),
            first=str(first.id),
            second=str(second.id),
            line=str(line.id),
            deal=deal.key,
        )

    store.write(settle)
    return told


def test_a_contact_is_shown_with_everything_known(installed, town):
    interaction = {
        "id": town["first"],
        "type": "download",
        "object": "price-list-2026",
        "category": "price-list",
        "occurred_at": "2026-03-04T12:00:00Z",
        "attribution": "verified",
        "judged": "person",
    }

    assert installed("show", "contact", "ANN@Example.com", "--json").json() == {
        "key": town["ann"],
        "email": "Ann@example.com",
        "assurance": "verified",
        "account": None,
        "answers": [
            {
                "question": "country",
                "value": "GB",
                "assurance": "verified",
                "wording": "Which country?",
                "gate": "price-list",
                "answered_at": "2026-03-04T13:00:00Z",
            }
        ],
        "claims": [
            {
                "id": town["ann_claim"],
                "state": "confirmed",
                "opened_at": "2026-03-04T12:00:00Z",
                "answers": [],
                "interactions": [interaction],
            }
        ],
        "consents": [
            {
                "newsletter": "widget-prices",
                "state": "confirmed",
                "wording": LETTER,
                "since": "2026-03-04T13:00:00Z",
                "evidence_id": town["line"],
            }
        ],
        "interactions": [interaction],
        "opportunities": [
            {
                "key": town["deal"],
                "connector": "crm",
                "external_id": "D-1",
                "phase": "comparison",
                "role": "buyer",
            }
        ],
    }


def test_an_address_that_is_only_claimed_has_no_key_and_its_claims(installed, town):
    shown = installed("show", "contact", "bob@example.com", "--json").json()

    assert (shown["key"], shown["assurance"]) == (None, "claimed")
    assert (shown["answers"], shown["interactions"], shown["opportunities"]) == ([], [], [])
    assert [claim["id"] for claim in shown["claims"]] == [town["bob_claim"]]
    assert [answer["value"] for answer in shown["claims"][0]["answers"]] == ["FR"]
    assert [one["id"] for one in shown["claims"][0]["interactions"]] == [town["second"]]
    assert [consent["state"] for consent in shown["consents"]] == ["expired"]  # a week went by


@pytest.mark.parametrize("email", ["eve@example.com", "nonsense", "", "a@b\x00", "\udcff"])
def test_an_address_nobody_gave_is_refused(installed, town, email):
    ran = installed("show", "contact", email)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("nobody is known by the address")


def test_an_opportunity_is_shown_by_either_of_its_names(installed, town):
    shown = installed("show", "opportunity", "crm:D-1", "--json").json()

    assert shown == installed("show", "opportunity", town["deal"], "--json").json()
    assert (shown["phase"], shown["evidence"]) == ("comparison", [town["first"]])
    assert shown["contacts"] == [{"email": "Ann@example.com", "role": "buyer"}]


@pytest.mark.parametrize("name", ["crm:D-2", "nonsense", "a" * 32, "crm:\udcff", "crm:\x00"])
def test_an_opportunity_nobody_told_of_is_refused(installed, town, name):
    ran = installed("show", "opportunity", name)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("there is no opportunity")


def test_what_is_shown_to_people_says_the_same(installed, town):
    told = installed("show", "contact", "ann@example.com").out

    assert "email: Ann@example.com\n" in told
    assert "answers:\n  - question=country  value=GB  assurance=verified" in told
    assert "opportunities:\n" in told


def test_contacts_are_listed_with_their_answers(installed, town):
    assert installed("list", "contacts", "--json").json() == [
        {
            "key": town["ann"],
            "email": "Ann@example.com",
            "assurance": "verified",
            "first_seen": "2026-03-04T12:00:00Z",
            "locale": "en",
            "reads": None,
            "flags": [],
            "related": [],
            "answers": {"country": "GB"},
        }
    ]


def test_claims_are_listed_one_line_each(installed, town):
    rows = installed("list", "claims", "--json").json()

    assert [(row["email"], row["state"], row["interactions"]) for row in rows] == [
        ("ann@example.com", "confirmed", 1),
        ("bob@example.com", "open", 1),
    ]


def test_interactions_are_listed_as_they_are_understood_now(installed, town):
    rows = installed("list", "interactions", "--json").json()

    assert [(row["id"], row["attribution"], row["contact"]) for row in rows] == [
        (town["first"], "verified", "Ann@example.com"),
        (town["second"], "claimed", None),
    ]


def test_an_interaction_is_listed_as_the_api_tells_it(company, regportal, ann):  # noqa: F811 - the fixtures
    touch = {"referrer": "https://news.example/a?b=c", "parameters": {"utm_source": "=spring"}}
    said = event("search", properties={"query": "widgets", "results": 3})
    with time_machine.travel(datetime.now(UTC) + HOUR, tick=False):  # another visit
        tell(ann, said | {"occurred_at": datetime.now(UTC).isoformat()}, touch=touch)
        company.work()
    key = regportal("show", "contact", "ann@widgetworks.example", "--json").json()["key"]
    api = key_headers(company)
    told = ann.client.get(f"/api/v1/contacts/{key}/interactions", headers=api).json["interactions"]
    led = ann.client.get(f"/api/v1/contacts/{key}/visits", headers=api).json["visits"]
    rows = regportal("list", "interactions", "--json").json()
    table = csv.DictReader(io.StringIO(regportal("list", "interactions", "--csv").out, newline=""))
    cells = {row["id"]: row for row in table}

    touches = {one["id"]: one["touch"] for one in led}
    beside = {"contact": "ann@widgetworks.example"}
    assert [
        {name: value for name, value in row.items() if name not in {"touch", "claim"}}
        for row in sorted(rows, key=lambda row: row["occurred_at"], reverse=True)
    ] == [one | beside for one in told]
    assert {row["id"]: row["touch"] for row in rows} == {
        one["id"]: touches[one["visit"]] for one in told
    }
    [searched] = [row for row in rows if row["id"] == said["id"]]
    assert searched["properties"] == {"query": "widgets", "results": 3}
    assert searched["touch"]["utm"] == {"source": "=spring"}
    assert json.loads(cells[said["id"]]["properties"]) == searched["properties"]
    assert json.loads(cells[said["id"]]["touch"]) == searched["touch"]


def test_moves_are_listed_with_their_reasons(installed, town):
    rows = installed("list", "moves", "--json").json()

    assert [(row["from"], row["to"]) for row in rows] == [("unaware", "comparison")]
    assert "Ann@example.com" in rows[0]["reason"]


def test_people_read_a_move_as_one_sentence(installed, town):
    (row,) = installed("list", "moves", "--json").json()
    when = f"{row['at'][:19]}Z"

    assert installed("list", "moves").out == (
        f"{when}  Widgets (crm:D-1)  unaware -> comparison, event  {row['reason']}\n"
    )


@pytest.mark.parametrize("what", ["contacts", "claims", "interactions", "moves"])
def test_a_csv_has_the_same_rows_and_no_formula(installed, town, what):
    told = installed("list", what, "--csv").out
    rows = list(csv.DictReader(io.StringIO(told, newline="")))

    assert len(rows) == len(installed("list", what, "--json").json())
    assert told.count("\r\n") == told.count("\n") == len(rows) + 1
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]


def test_a_csv_gives_each_answer_a_column(installed, town):
    told = installed("list", "contacts", "--csv").out
    rows = list(csv.DictReader(io.StringIO(told, newline="")))

    assert rows[0]["answers.country"] == "GB"


def test_csv_and_json_at_once_is_wrong_usage(installed):
    assert installed("list", "contacts", "--csv", "--json").code == 2


@pytest.mark.parametrize("what", ["contacts", "claims", "interactions", "moves"])
def test_an_empty_list_is_an_empty_array(installed, what):
    ran = installed("list", what, "--json")

    assert (ran.code, json.loads(ran.out)) == (0, [])
