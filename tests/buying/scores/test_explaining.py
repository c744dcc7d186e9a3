"""Why 72? Every point has its reason, and what nobody told us is said to be unknown."""

from datetime import timedelta

import pytest

from regportal.buying.scores.explaining import explained
from regportal.buying.scores.heard import Heard
from regportal.buying.scores.reading import at_least
from regportal.buying.scores.schema import Score
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.social import account_worth
from regportal.errors import NotHereError
from regportal.forms.models import Answer
from regportal.forms.schema import Question
from regportal.identity.models import Assurance, Contact
from regportal.store.ids import uuid7
from tests.buying.scene import NOON

DAY = timedelta(days=1)
GROUP = {
    "group": "prices",
    "half_life": "7d",
    "at_most": 50,
    "points": [
        {"event": "download", "where": {"category": "price-list"}, "points": 40, "max": {"24h": 1}},
        {"event": "ticket", "points": -10},
    ],
}
PROFILE = {
    "points": [
        {"field": {"name": "level", "equals": "director"}, "points": 20},
        {"field": {"name": "country", "equals": "GB"}, "points": 5},
    ]
}


def score(**more):
    written = {"key": "hot", "label": "Hot", "profile": PROFILE, "behaviour": [GROUP]}
    return Score.model_validate(written | {"thresholds": {"warm": 30}} | more)


def why(scene, email="ann@example.com", name=None, *, at=NOON, **more):
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        told = explained(session, published, email, name, now=at, **more)
    return told["scores"][0]


@pytest.fixture
def director(scene, ann):
    """Ann, who told us her title, and not where she lives."""
    scene.publish(Question(key="role", label="R", type="job-title"), score())
    answer = Answer(
        id=uuid7(),
        question="role",
        value="Head of Sales",
        declined=False,
        contact_id=ann,
        assurance=Assurance.VERIFIED,
        answered_at=NOON,
    )
    scene.store.write(lambda session: session.add(answer))
    return ann


def test_every_point_has_its_reason(scene, director, listener):
    scene.did(director, now=NOON)
    scene.did(director, now=NOON + DAY / 2)
    scene.did(director, None, type="ticket", name="crash", now=NOON + DAY)
    listener.hear(now=NOON + DAY)
    told = why(scene, at=NOON + 7 * DAY)

    assert told["parts"]["profile"] == 20.0
    assert told["profile"] == [{"what": "level", "known": "director", "points": 20}]
    assert told["unknown"] == ["country"]
    (prices,) = told["behaviour"]
    assert [(one["type"], one["what"], one["points"], one["now"]) for one in prices["deeds"]] == [
        ("download", "Price list 2026", 40, 20.0),
        ("ticket", "crash", -10, -5.6),
        ("download", "Price list 2026", 0, 0.0),
    ]
    assert prices["points"] == 14.4
    assert (told["value"], told["level"]) == (34.4, "warm")
    assert told["since"] == "2026-03-04T12:00:00Z"
    assert told["next"]["level"] is None


def test_the_explanation_comes_to_what_is_kept(scene, director, listener):
    for hour in range(5):
        scene.did(director, now=NOON + hour * DAY)
    listener.hear(now=NOON + 5 * DAY)
    at = NOON + 9 * DAY
    with scene.store.read() as session:
        (kept,) = at_least(session, scene.shelf.published(session), "hot", 1, at=at)

    assert why(scene, at=at)["value"] == pytest.approx(kept.value, abs=0.1)


def test_a_score_is_explained_before_anything_was_kept(scene, director):
    told = why(scene)

    assert (told["value"], told["level"], told["since"], told["next"]) == (20.0, None, None, None)


def test_who_is_not_known_and_what_is_no_score_are_named(scene, director):
    with pytest.raises(NotHereError, match=r"nobody is known by the address 'eve@example\.com'"):
        why(scene, "eve@example.com")
    with pytest.raises(NotHereError, match="no score called 'cold'; there are: hot"):
        why(scene, name="cold")
    with pytest.raises(NotHereError):
        why(scene, "\0")


# --- companies ---


@pytest.fixture
def proven(scene, listener):
    """Lets the owners of addresses take price lists; returns their keys."""

    def know(*emails, deeds=1):
        found = []
        for email in emails:
            contact = Contact(
                id=uuid7(),
                email=email,
                match_key=email,
                assurance=Assurance.VERIFIED,
                first_seen=NOON,
            )

            def work(session, one=contact):
                session.add(one)
                return one.id

            found.append(scene.store.write(work))
            for number in range(deeds):
                scene.did(found[-1], now=NOON - number * DAY)
        listener.hear()
        listener.tell(Heard(answered={*found}))
        return found

    return know


def test_a_company_is_worth_what_its_people_are_together(scene, proven):
    scene.publish(score(profile=None))
    ann, bob = proven("ann@acme.co.uk", "bob@leeds.acme.co.uk")
    proven("eve@gmail.com")
    deal = scene.opportunity("006")
    scene.role(deal, bob, role="decision_maker")
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        scoring = Scoring(score(profile=None), published.version(Score, "hot"))
        worth = account_worth(session, scoring, "acme.co.uk", at=NOON)

    assert (round(worth.value, 6), worth.people, worth.roles) == (64.0, 2, ("decision_maker",))
    assert why(scene, "ann@acme.co.uk")["account"] == {
        "key": "acme.co.uk",
        "value": 64.0,
        "people": 2,
        "roles": ["decision_maker"],
    }
    assert why(scene, "eve@gmail.com")["account"] is None
    assert ann != bob


def test_the_account_of_the_crm_goes_before_the_domain(scene, proven):
    scene.publish(score(profile=None))
    (ann,) = proven("ann@acme.co.uk")
    deal = scene.opportunity("006", account={"external_id": "A-7", "name": "Acme"})
    scene.role(deal, ann)

    assert why(scene, "ann@acme.co.uk")["account"]["key"] == "crm:A-7"


def test_colleagues_give_nothing_unless_that_is_wanted(scene, proven):
    scene.publish(score(profile=None))
    proven("ann@acme.co.uk", "bob@acme.co.uk")

    assert why(scene, "ann@acme.co.uk")["parts"]["social"] == 0


def test_colleagues_give_a_little_one_step_far_and_no_threshold_is_passed_by_them(
    scene, proven, listener
):
    scene.publish(
        score(
            profile=None,
            social={"edges": ["same_account"], "of_each": 40, "at_most": 10},
            thresholds={"hot": 45},
        )
    )
    ann, bob = proven("ann@acme.co.uk", "bob@acme.co.uk")
    (joe,) = proven("joe@acme.co.uk", deeds=0)
    told = why(scene, "ann@acme.co.uk")
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        found = {
            one.contact: round(one.value, 6)
            for one in at_least(session, published, "hot", 7, at=NOON)
        }

    both = 0.2 / 2**0.5
    assert told["parts"]["social"] == pytest.approx(40 * both, abs=0.1)
    assert found == pytest.approx({ann: 40 + 40 * both, bob: 40 + 40 * both, joe: 10})
    assert told["level"] is None
    assert listener.crossings() == []


def test_a_grade_compares_with_everybody_of_these_90_days(scene, proven):
    scene.publish(score(profile=None, behaviour=[GROUP | {"at_most": 100}]))
    for number, deeds in enumerate((0, 1, 1, 2, 2, 3, 3)):
        proven(f"a{number}@gmail.com", deeds=deeds)
    best, worst = (why(scene, f"a{one}@gmail.com", graded=True)["grade"] for one in (6, 1))

    assert (best, worst) == ("C1", "C3")
    assert why(scene, "a6@gmail.com")["grade"] is None
