"""Wordings and orders side by side: who meets what, what it came to, and when it is stopped."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.documents.reading import read_text
from regportal.documents.rules import check
from regportal.errors import DocumentError
from regportal.forms.arms import arm_of, arms_of, gate_in, question_in
from regportal.forms.models import Exposure, Outcome, Shown, StoppedArm
from regportal.forms.schema import Arm, Experiment, Gate, Question
from regportal.insight.experiments import Met, judged, states, stop_losing
from regportal.insight.trials import Share, Verdict
from regportal.store.ids import uuid7
from tests.portal import SITE

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = """
experiments:
  - key: words
    question: country
    arms: [{key: usual}, {key: short, label: "Your country?", why: Prices differ.}]
  - key: order
    gate: study
    arms: [{key: usual}, {key: turned, questions: [company, country]}]
"""
TURNED = "[region, country, company]"
BOTH = Experiment(key="words", question="country", arms=(Arm(key="a"), Arm(key="b", label="B?")))


# --- who meets what ---


def test_as_many_meet_each_arm():
    met = [arm_of(BOTH, f"browser {one}").key for one in range(1000)]

    assert 430 < met.count("a") < 570


def test_two_experiments_divide_people_each_in_its_own_way():
    other = BOTH.model_copy(update={"key": "other"})
    same = sum(arm_of(BOTH, str(one)).key == arm_of(other, str(one)).key for one in range(1000))

    assert 430 < same < 570


@pytest.fixture
def tried(portal):
    portal.publish(SITE + WORDS)
    with portal.store.read() as session:
        yield portal, portal.shelf.published(session)


def test_an_arm_changes_what_it_says_and_nothing_else(tried):
    _, published = tried
    study, country = published.one(Gate, "study"), published.one(Question, "country")

    short = question_in(published, "country", (("words", "short"),))
    turned = gate_in(published, study, (("order", "turned"),))
    assert (short.label, short.why, short.type) == ("Your country?", "Prices differ.", "country")
    assert turned.questions == ("company", "country")
    assert question_in(published, "country", (("words", "usual"),)) == country
    assert gate_in(published, study, ()) == study


def test_whoever_falls_into_a_stopped_arm_is_in_none(tried):
    _, published = tried
    study = published.one(Gate, "study")
    stopped = {("words", 1, "short")}

    met = [arms_of(published, study, str(one), stopped) for one in range(50)]
    assert {dict(one).get("words") for one in met} == {"usual", None}
    assert {dict(one).get("order") for one in met} == {"usual", "turned"}


# --- at the portal ---


def test_a_page_asks_in_the_words_of_its_arm_and_the_answer_keeps_them(tried):
    portal, published = tried
    with time_machine.travel(NOON, tick=False) as clock:
        browsers = [portal.browser() for _ in range(6)]
        for number, browser in enumerate(browsers):
            browser.claim(f"ann{number}@widgetworks.example")
        clock.shift(timedelta(minutes=40))
        pages = [(one.gate("study"), one.gate("study")) for one in browsers]
        portal.store.catch_up()

    for page, again in pages:
        assert page.question == again.question
    with portal.store.read() as session:
        met = session.scalars(sa.select(Exposure)).all()
        found = states(session, published, now=NOON + 30 * DAY)
    assert sum(one.experiment == "order" for one in met) == 6
    asked = [page.question for page, _ in pages]
    assert sum(one.experiment == "words" for one in met) == asked.count("country")
    assert sum("Your country?" in page.text for page, _ in pages) == sum(
        one.arm == "short" for one in met if one.experiment == "words"
    )
    assert [one.key for one in found] == ["words", "order"]
    assert sum(arm.seen.of for arm in found[1].arms) == 6


def test_an_answer_counts_once_its_address_is_proven(tried):
    portal, published = tried
    with time_machine.travel(NOON, tick=False) as clock:
        for number, proves in enumerate((True, False)):
            browser = portal.browser()
            browser.claim(f"ann{number}@widgetworks.example")
            clock.shift(timedelta(minutes=40))
            page = browser.gate("study")
            answer = "DE" if page.question == "country" else "Widget Works"
            browser.send("study", page, **{f"q_{page.question}": answer})
            portal.work()
            if proves:
                browser.prove(portal)
                portal.work()

    with portal.store.read() as session:
        soon = states(session, published, now=NOON + 2 * DAY)[1].arms
        later = states(session, published, now=NOON + 8 * DAY)[1].arms
    assert sum(arm.seen.yes for arm in soon) == 2
    assert sum(arm.proven.of for arm in soon) == 0
    assert (sum(arm.proven.yes for arm in later), sum(arm.proven.of for arm in later)) == (1, 2)


def shown_to_many(session, arm, *, sent):
    """Show an arm to 200 people, of whom so many send the form."""
    for number in range(200):
        visitor, is_sent = uuid7(), number < sent
        shown = Shown(
            id=uuid7(),
            gate="study",
            question="company",
            visitor_id=visitor,
            shown_at=NOON,
            outcome=Outcome.DECLINED if is_sent else None,
            settled_at=NOON if is_sent else None,
        )
        whose = {"experiment": "order", "version": 1, "visitor_id": visitor}
        session.add_all([shown, Exposure(**whose, arm=arm, shown_id=shown.id, at=NOON)])


def test_an_arm_that_loses_too_many_is_stopped_and_shown_no_longer(tried):
    portal, published = tried
    portal.store.write(lambda session: shown_to_many(session, "usual", sent=200))
    portal.store.write(lambda session: shown_to_many(session, "turned", sent=100))
    for _ in range(2):
        stop_losing(portal.store, portal.shelf, now=NOON + 2 * DAY)

    with portal.store.read() as session:
        [stopped] = session.scalars(sa.select(StoppedArm))
        *_, turned = states(session, published, now=NOON + 2 * DAY)[1].arms
    assert stopped.because == {"first": {"of": 200, "yes": 200}, "arm": {"of": 200, "yes": 100}}
    assert turned.verdict is Verdict.STOPPED
    assert "more people went away than the guard allows" in turned.says
    with time_machine.travel(NOON + 3 * DAY, tick=False) as clock:
        browsers = [portal.browser() for _ in range(5)]
        for number, browser in enumerate(browsers):
            browser.claim(f"ben{number}@widgetworks.example")
        clock.shift(timedelta(minutes=40))
        assert {one.gate("study").question for one in browsers} == {"country"}


# --- what it came to ---


def met(arm, many, *, proven=0):
    return [Met(arm, NOON, [NOON], [NOON + DAY] if one < proven else []) for one in range(many)]


def test_the_first_arm_is_what_the_others_are_compared_with():
    now = NOON + 8 * DAY
    first, other = judged(
        BOTH, [*met("a", 400, proven=80), *met("b", 400, proven=180)], {}, now=now
    )

    assert (first.proven, first.odds, other.proven) == (Share(400, 80), None, Share(400, 180))
    assert other.verdict is Verdict.BETTER
    assert other.says.startswith("better than the first (")


def test_who_met_it_lately_is_not_counted_yet_whatever_he_did():
    found = judged(BOTH, met("b", 10, proven=10), {}, now=NOON + 6 * DAY)

    assert [arm.proven.of for arm in found] == [0, 0]
    assert [arm.seen.of for arm in found] == [0, 10]


# --- what may be written ---


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ("question: country, arms: [{key: a}, {key: a, label: X}]", "'a'"),
        (
            "question: country, arms: [{key: a, label: X}, {key: b, label: Y}]",
            "what stands without",
        ),
        ("question: country, arms: [{key: a}, {key: b}]", "the arm 'b' needs label or why"),
        ("question: country, arms: [{key: a}, {key: b, planner: value}]", "needs label or why"),
        ("gate: study, arms: [{key: a}, {key: b, label: X}]", "needs planner or questions"),
        ("arms: [{key: a}, {key: b, label: X}]", "needs either question or gate"),
    ],
)
def test_an_experiment_compares_one_thing(arms, says):
    with pytest.raises(DocumentError, match=says):
        read_text(f"experiments: [{{key: e, {arms}}}]\n".encode()).refuse_faults()


@pytest.mark.parametrize(
    ("one", "says"),
    [
        ("{key: e, question: cuntry, arms: [{key: a}, {key: b, label: X}]}", "'cuntry'"),
        (
            "{key: e, gate: study, arms: [{key: a}, {key: b, questions: [company]}]}",
            "must be the questions of 'study', in another order",
        ),
        (
            f"{{key: e, gate: prices, arms: [{{key: a}}, {{key: b, questions: {TURNED}}}]}}",
            "'region' depends on 'country', which is asked later",
        ),
    ],
)
def test_an_experiment_is_about_what_there_is(one, says):
    book = read_text((SITE + f"experiments: [{one}]\n").encode())

    assert says in " ".join(found.says for found in check(book.documents, book.paths, {}))


def test_two_experiments_about_one_thing_are_one_too_many():
    twice = (
        WORDS
        + WORDS.replace("experiments:\n", "")
        .replace("key: words", "key: again")
        .split("  - key: order")[0]
    )
    book = read_text((SITE + twice).encode())

    says = [found.says for found in check(book.documents, book.paths, {})]
    assert "the experiment 'words' is about 'country' already" in says
