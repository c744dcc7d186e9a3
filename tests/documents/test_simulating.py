"""Who is simulated meets what a real visitor meets at the real portal, step by step."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from regportal.buying.explaining import explained, phase_of_person
from regportal.buying.scores.explaining import explained as scored
from regportal.documents.drafts import Piece
from regportal.documents.history import body_of
from regportal.documents.previewing import as_if
from regportal.documents.scenarios import Coming, Scenario, read_scenario, usual
from regportal.documents.simulating import simulate
from regportal.errors import BadRequestError, DocumentError
from regportal.forms.schema import Question
from regportal.identity.actions import find_contact
from regportal.store.schema import span
from tests.documents.conftest import NOON
from tests.portal import SITE

ADDRESS = "ann@widgetworks.example"
SCORES = """
scores:
  - key: interest
    profile: {points: [{answer: {question: company, known: true}, points: 20}]}
    behaviour: [{group: files, half_life: 14d, points: [{event: download, points: 30}]}]
    thresholds: {warm: 25, hot: 60}
"""


@pytest.fixture
def scored_portal(portal):
    portal.publish(SITE + SCORES)
    return portal


def published(portal):
    with portal.store.read() as session:
        return portal.shelf.published(session)


def scenario(*visits, who="anonymous", **rest):
    return Scenario(who=who, email=ADDRESS, visits=[Coming(**one) for one in visits], **rest)


# --- the same at the real portal ---


class Walk:
    """A real visitor who does what a scenario says, with a clock that is turned."""

    def __init__(self, portal, told):
        self.portal, self.told = portal, told
        self.browser = portal.browser()
        self.answers = {}
        self.gates = published(portal)

    def walk(self):
        """Yield what he met each time, as `simulate` says it."""
        with time_machine.travel(NOON, tick=False) as clock:
            if self.told.who == "on-opportunity":
                self.portal.hook("opportunity.upserted", {"external_id": "006", "name": "Widgets"})
                role = {"opportunity": "006", "email": ADDRESS, "role": self.told.role}
                self.portal.hook("contact_role.added", role)
                self.portal.work()
            for number, coming in enumerate(self.told.visits):
                if number:
                    clock.shift(span(coming.after))
                    self.portal.work()
                yield self.come(coming)

    def come(self, coming):
        gate = coming.gate
        page = self.browser.gate(gate)
        met = {"email": page.asks_email, "question": page.question, "newsletter": page.newsletter}
        if coming.does != "leave":
            self.send(gate, page, coming)
        self.portal.work()
        return met | self.standing()

    def send(self, gate, page, coming):
        remember = "yes" if self.told.remember else "no"
        fields = {"email": ADDRESS, "remember": remember} if page.asks_email else {}
        if page.question and coming.does == "answer":
            question = self.gates.one(Question, page.question)
            [given] = self.told.answer_to(question, self.gates, self.answers.get("country"))
            self.answers[page.question] = fields[f"q-{page.question}"] = given
        elif page.question:
            fields["decline"] = "yes"
        if page.newsletter and coming.newsletter:
            fields[f"n-{page.newsletter}"] = "yes"
        mails = len(self.portal.mails())
        sent = self.browser.send(gate, page, **fields)
        assert sent.status == 303, sent.text
        self.portal.work()
        asks = [one for one in self.portal.mails()[mails:] if one["X-Regportal-Kind"] == "claim"]
        if asks and coming.confirm:
            self.browser.prove(self.portal)

    def standing(self):
        with self.portal.store.read() as session:
            now = published(self.portal)
            contact = find_contact(session, ADDRESS)
            if contact is None or contact.assurance != "verified":
                return {"phase": None, "reason": None, "scores": ()}
            at = datetime.now(UTC)
            own = phase_of_person(session, now, contact.id, now=at)
            deal = self.told.who == "on-opportunity"
            row = explained(session, now, "crm:006", now=at) if deal else own
            scores = scored(session, now, ADDRESS, now=at)["scores"]
            return {
                "phase": (row or {}).get("phase", "unaware"),
                "reason": row["reason"] if deal else None,
                "scores": tuple((one["score"], one["value"], one["level"]) for one in scores),
            }


def said_of(met, told):
    """What a simulated visit says, as a real one is told."""
    standing = met.standing
    return {
        "email": met.email,
        "question": met.question,
        "newsletter": met.newsletter,
        "phase": standing.phase if standing else None,
        "reason": standing.reason if standing and told.who == "on-opportunity" else None,
        "scores": tuple((one.key, one.value, one.level) for one in standing.scores)
        if standing
        else (),
    }


GUIDE, PRICES, STUDY = {"gate": "guide"}, {"gate": "prices"}, {"gate": "study"}
SOON = {"after": "5m"}
WALKS = {
    "one who answers all": scenario(*[GUIDE] * 6),
    "one who declines all": scenario(GUIDE, *[GUIDE | {"does": "decline", "after": "35d"}] * 8),
    "one of an opportunity, who comes to the prices": scenario(
        GUIDE, STUDY, PRICES, GUIDE, PRICES, STUDY, who="on-opportunity", role="Buyer"
    ),
    "one who ticks every box": scenario(*[GUIDE | {"newsletter": True}] * 4),
    "several gates in one visit": scenario(
        GUIDE, STUDY | SOON, GUIDE | SOON, STUDY, GUIDE | SOON, PRICES | SOON
    ),
    "one who never opens the mail": scenario(
        *[PRICES | {"confirm": False}] * 3, GUIDE | {"confirm": False}
    ),
    "one who opens it the third time": scenario(
        *[PRICES | {"confirm": False}] * 2, PRICES, GUIDE, STUDY, who="on-opportunity"
    ),
    "one who looks and goes": scenario(
        GUIDE | {"does": "leave"}, GUIDE, GUIDE | {"does": "leave"}, GUIDE
    ),
    "one from a country with states": scenario(*[GUIDE] * 4, answers={"country": "DE"}),
    "one who waits until nobody remembers the claim": scenario(
        GUIDE | {"confirm": False}, GUIDE | {"confirm": False}, GUIDE | {"after": "100d"}, GUIDE
    ),
    "one who proves his address anew after half a year": scenario(
        *[GUIDE | {"after": "80d", "newsletter": True}] * 8, who="on-opportunity"
    ),
    "one who is not remembered": scenario(*[GUIDE, STUDY | SOON] * 2, remember=False),
    "one who is silent for long": scenario(
        PRICES, GUIDE | {"after": "120d"}, GUIDE | {"after": "400d"}, who="on-opportunity"
    ),
}


@pytest.mark.parametrize("name", WALKS)
def test_each_visit_is_that_of_the_real_portal(scored_portal, name):
    told = WALKS[name]
    simulated = [
        said_of(met, told) for met in simulate(published(scored_portal), told, begins=NOON)
    ]
    real = [*Walk(scored_portal, told).walk()]

    for number, (one, other) in enumerate(zip(simulated, real, strict=True), 1):
        assert one == other, f"visit {number} of {name}"


# --- what it says ---


def run(portal, told):
    return simulate(published(portal), told, begins=NOON)


def test_six_visits_in_six_weeks_and_why_each_question(portal):
    met = run(portal, usual(6, "guide"))

    assert [one.question for one in met] == [None, "country", "region", "company", "seats", "phone"]
    assert met[0].email
    assert [one.at - NOON for one in met] == [timedelta(weeks=week) for week in range(6)]
    assert met[3].why == "the first question of this gate that is open"
    assert met[3].not_asked == (
        ("country", "answered on 2026-03-11"),
        ("region", "answered on 2026-03-18"),
        ("seats", "it comes after company"),
        ("phone", "it comes after company"),
    )
    assert met[5].known == {
        "country": "US",
        "region": "US-AL",
        "company": "Example Ltd",
        "seats": 100,
        "phone": "+4930123456",
    }
    assert [one.newsletter for one in met] == ["news"] * 3 + [None] * 3
    assert met[5].not_offered == (
        ("prices", "it shares no topic with this file"),
        ("news", "its box was left empty 3 times, which is enough"),
    )
    assert met[5].standing.label == "Exploration"


def test_a_question_for_others_says_whom_it_is_asked(portal):
    met = run(portal, scenario(*[GUIDE] * 3, answers={"country": "DE"}))

    assert met[2].question == "company"
    assert ("region", "asked only where country is US") in met[2].not_asked


def test_what_was_declined_comes_again_and_says_so(portal):
    met = run(portal, scenario(GUIDE, GUIDE | {"does": "decline"}, GUIDE, GUIDE | {"after": "90d"}))

    assert ("country", "declined on 2026-03-11, and not asked again within 90d") in met[2].not_asked
    assert met[3].question == "country"
    assert met[3].why == "declined so far: 1; last on 2026-03-11, and asked again after 90d"


def test_a_gate_by_mail_gives_nothing_before_the_link_is_opened(portal):
    [first, _] = run(portal, scenario(PRICES | {"confirm": False}, PRICES | {"confirm": False}))

    assert (first.gets, first.address, first.standing) == ("mail", "claimed", None)


def test_who_is_known_is_asked_at_once(portal):
    [first] = run(portal, scenario(GUIDE, who="known"))

    assert (first.email, first.question, first.address) == (False, "country", "verified")


def test_an_answer_that_the_form_does_not_take_is_said(portal):
    met = run(portal, scenario(GUIDE, GUIDE, GUIDE, answers={"country": "Atlantis"}))

    assert met[1].refused == "Please choose one of the answers in the list."
    assert met[2].question == "country"


def test_a_private_address_is_refused_where_the_gate_says_business(portal):
    told = scenario({"gate": "work"}).model_copy(update={"email": "ann@gmail.com"})
    [first] = run(portal, told)

    assert (first.email, first.did) == (True, "left")
    assert first.refused == "Please give the address you use at work."


def test_nothing_is_kept_and_nothing_but_documents_is_read(portal):
    told = published(portal)
    portal.close()

    assert simulate(told, usual(), begins=NOON) == simulate(told, usual(), begins=NOON)


def test_why_his_phase_moved_is_said_in_the_language_of_the_reader(portal):
    told = scenario({"gate": "prices"}, {"gate": "prices"}, who="known")

    [_, german] = simulate(published(portal), told, begins=NOON, locale="de")
    [_, english] = run(portal, told)

    assert german.standing.reason == (
        f"Vergleich seit 4. März 2026, 12:00 UTC: {ADDRESS} hat Price list 2026 heruntergeladen"
        " (nötig: 1, Zeitraum: 45 Tage)"
    )
    assert english.standing.reason == (
        f"Comparison since 4 Mar 2026 12:00: {ADDRESS} downloaded Price list 2026"
        " (1 needed in 45 days)"
    )


def test_there_must_be_such_a_gate(portal):
    with pytest.raises(BadRequestError, match="no gate called 'nowhere'"):
        run(portal, usual(1, "nowhere"))
    with pytest.raises(BadRequestError):
        run(portal, usual(1).model_copy(update={"email": "nobody"}))


def test_at_a_kiosk_there_is_nobody_to_know(portal):
    portal.publish(SITE.replace("delivery: mail}", "delivery: mail, kiosk: true}"))

    with pytest.raises(BadRequestError, match="'prices' stands at a kiosk"):
        run(portal, usual(2, "prices"))


def test_no_visit_lies_beyond_the_calendar(portal):
    told = scenario(*[GUIDE | {"after": "730d"}] * 60)
    end = datetime(9990, 1, 1, tzinfo=UTC)

    with pytest.raises(BadRequestError, match="no calendar"):
        simulate(published(portal), told, begins=end)
    assert len(run(portal, told)) == 60


def test_drafts_are_simulated_like_what_holds(portal):
    with portal.store.read() as session:
        body = {**body_of(session, "gate", "guide", 1), "questions": ["seats"]}
        would = as_if(session, [Piece("gate", "guide", body, 1)])

    assert [one.question for one in simulate(would, usual(2, "guide"), begins=NOON)] == [
        None,
        "seats",
    ]


def test_a_scenario_is_written_in_a_file(tmp_path):
    file = tmp_path / "walk.yaml"
    file.write_text(
        "who: on-opportunity\nanswers: {country: 'no', seats: '007'}\n"
        "visits:\n  - {gate: guide}\n  - {after: 5m, newsletter: true, does: decline}\n"
    )
    told = read_scenario(file)

    assert told.answers == {"country": "no", "seats": "007"}
    assert told.visits[1] == Coming(after="5m", newsletter=True, does="decline")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("visits:\n  - {gat: guide}\n", "walk.yaml:2: visits[0].gat: is not known here"),
        ("visits: []\n", "walk.yaml:1: visits: is empty"),
        ("- a\n", "must be an object"),
        ("visits:\n  - {after: soon}\n", "walk.yaml:2: visits[0].after"),
        ("visits:\n  - {after: 99999mo}\n", "walk.yaml:2: visits[0].after: must be at most 730d"),
        ("visits: *all\n", "refers to another place"),
    ],
)
def test_a_scenario_with_a_fault_says_where(tmp_path, text, says):
    file = tmp_path / "walk.yaml"
    file.write_text(text)

    with pytest.raises(DocumentError) as refused:
        read_scenario(file)
    assert says in str(refused.value)
