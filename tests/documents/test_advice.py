"""What is worth a second look is said beside its field, and in few lines by `plan`."""

import pytest

from regportal.documents.advising import advice
from regportal.documents.drafts import Piece
from regportal.documents.previewing import advice_on
from regportal.documents.reading import read_text
from regportal.documents.rules import wording_fault
from tests.documents.conftest import SITE

QUESTION = "questions: [{{key: q, label: {}, type: yes-no, why: W, owner: O, purpose: P}}]\n"
GATE = "gates: [{{key: g, asset: a, headline: {}}}]\n"
CALL = "{any: [{event: call}]}"


def said(text):
    book = read_text((SITE + text).encode())
    book.refuse_faults()
    return [(" ".join(one.name), one.field, one.says) for one in advice(book.documents)]


def test_a_question_says_why_who_answers_for_it_and_what_for():
    found = said("questions: [{key: size, label: How many, type: number}]\n")

    assert [(name, field) for name, field, _ in found] == [
        ("question size", "why"),
        ("question size", "owner"),
        ("question size", "purpose"),
    ]
    assert said(QUESTION.format("Ready")) == []


ASKED = "questions: [{key: q, label: L, type: yes-no, why: W, owner: O%s}%s]\n"
OTHER = (
    ", {key: r, label: L, type: text, why: W, owner: O, purpose: P,"
    " when: {answer: {question: q, in: ['yes']}}}"
)
ANSWERED = "{answer: {question: q, known: true}%s}"
RULE = "buying: {forward_only: true, phases: [{id: a}, {id: b, enter: {any: [%s]}}]}\n"
SCORE = "scores: [{key: s, profile: {points: [%s]}}]\n"
CONNECTOR = (
    "connectors: [{key: c, type: webhook, url: 'https://a.example', secret: 'env:A',"
    " fields: {q: L}}]\n"
)
USES = {
    "the CRM": ASKED % (", crm_field: ready", ""),
    "another question": ASKED % ("", OTHER),
    "a rule": ASKED % ("", "") + RULE % (ANSWERED % ""),
    "a score": ASKED % ("", "") + SCORE % (ANSWERED % ", points: 5"),
    "a connector": ASKED % ("", "") + CONNECTOR,
}


@pytest.mark.parametrize("use", USES)
def test_what_uses_an_answer_is_its_purpose(use):
    assert said(USES[use]) == []


@pytest.mark.parametrize(
    "label",
    ["May we call you", "Would you like our newsletter", "Dürfen wir Ihnen dazu schreiben"],
)
def test_no_question_asks_for_a_permission(label):
    [(_, field, says)] = said(QUESTION.format(label))

    assert field == "label"
    assert "asks for a permission" in says


def test_each_language_is_looked_at():
    found = said(QUESTION.format("{en: May we call you, de: Welche Größe}"))

    assert [field for _, field, _ in found if field.startswith("label")] == ["label.en"]


@pytest.mark.parametrize(
    "text",
    [
        "By downloading this you agree to our emails",
        "You consent to receive news",
        "Mit dem Download stimmen Sie dem Newsletter zu",
    ],
)
def test_no_gate_takes_the_download_for_a_permission(text):
    [(_, field, says)] = said(GATE.format(text))

    assert field == "headline"
    assert "a permission stands alone" in says


@pytest.mark.parametrize("text", ["All prices", "Agree on a price with your buyer", "News"])
def test_an_honest_gate_is_left_in_peace(text):
    assert said(GATE.format(text)) == []


def model(more, back):
    """A model of three phases, with something more, and an exit of the second."""
    phases = f"{{id: a}}, {{id: b, enter: {CALL}{back}}}, {{id: c, enter: {CALL}}}"
    return f"buying: {{{more}phases: [{phases}]}}\n"


def test_a_phase_that_nothing_takes_back_is_named():
    back = ", exit: {any: [{quiet: {for: 30d}}]}"

    assert [field for _, field, _ in said(model("", back))] == ["phases[2].exit"]
    assert said(model("forward_only: true, ", "")) == []


def test_a_text_that_lacks_a_language_is_named_beside_its_field():
    found = said(GATE.format("{en: Prices, de: Preise}").replace("}}}", "}, text: Two pages.}}"))

    assert ("gate g", "headline", "is not written in de") not in found
    assert [one for one in found if "is not written in de" in one[2]] == [
        one for one in found if one[1] == "text"
    ]


def test_plan_says_each_kind_once(desk):
    plan = desk.write(
        SITE
        + "questions: [{key: a, label: A, type: text, owner: O, purpose: P},"
        + " {key: b, label: B, type: text, owner: O, purpose: P}]\n"
    ).plan()

    [says] = [one for one in plan.remarks if "why it is asked" in one]
    assert says.startswith("question a, question b: does not say")


def test_a_draft_is_advised_on_its_own_documents_alone(desk):
    desk.apply(SITE + "questions: [{key: a, label: A, type: text}]\n")
    piece = Piece("question", "b", {"label": "B", "type": "text", "why": "W", "owner": "O"})
    with desk.store.read() as session:
        found = advice_on(session, [piece])

    assert [(one.name, one.field) for one in found] == [(("question", "b"), "purpose")]


@pytest.mark.parametrize(
    "wording",
    [
        "Tick this box if you do not want our price alerts.",
        "Check here if you don't wish to hear of prices.",
        "Ich habe den Preisinfos bereits zugestimmt.",
        "Preisinfos senden; sonst bitte Häkchen entfernen.",
    ],
)
def test_a_permission_is_not_what_is_left_when_nobody_objects(wording):
    assert "never assumed" in wording_fault(wording)
