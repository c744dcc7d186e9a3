"""What people and programs read of opportunities and moves."""

import json
import uuid
from datetime import timedelta

import pytest

from regportal.buying import actions
from regportal.buying.explaining import explained
from regportal.buying.schema import Buying
from regportal.errors import NotHereError
from tests.buying.scene import NOON, PRICES

SECOND = timedelta(seconds=1)


def shown(scene, name):
    with scene.store.read() as session:
        return actions.opportunity_shown(session, str(name))


def test_an_opportunity_shows_its_phase_and_why(scene, ann, deal):
    taken = scene.did(ann, now=NOON + SECOND)
    scene.weigh()

    assert shown(scene, deal) == {
        "key": str(deal),
        "external_id": "006",
        "name": "500 widgets",
        "phase": "comparison",
        "since": "2026-03-04T12:00:01Z",
        "reason": (
            "Comparison since 4 Mar 2026 12:00: ann@example.com downloaded Price list 2026"
            " (1 needed in 45 days)"
        ),
        "evidence": [str(taken)],
        "contacts": [{"email": "ann@example.com", "role": "decision_maker"}],
        "open": True,
        "won": False,
        "stage": None,
        "override": None,
    }


def test_an_opportunity_where_nothing_happened_has_no_reason(scene, deal):
    found = shown(scene, deal)

    assert (found["phase"], found["reason"], found["evidence"]) == ("unaware", None, [])


def test_both_names_lead_to_it(scene, deal):
    strange = scene.opportunity("a:b/c d'%_")

    assert shown(scene, "crm:006") == shown(scene, deal)
    assert shown(scene, "crm:a:b/c d'%_")["key"] == str(strange)


@pytest.mark.parametrize("name", ["", "006", "crm:", "other:006", ":006", uuid.uuid4(), "{}", "'"])
def test_any_other_name_is_refused_with_one_sentence(scene, deal, name):
    with pytest.raises(NotHereError, match="there is no opportunity"):
        shown(scene, name)


def test_a_contact_shows_the_opportunities_of_today(scene, ann, deal):
    ended = scene.opportunity("007")
    scene.role(ended, ann)
    scene.role(ended, ann, add=False, now=NOON + SECOND)
    with scene.store.read() as session:
        found = actions.opportunities_of_contact(session, ann)

    assert found == [
        {
            "key": str(deal),
            "connector": "crm",
            "external_id": "006",
            "phase": "unaware",
            "role": "decision_maker",
        }
    ]


def test_every_move_is_listed_with_its_reason(scene, ann, deal):
    scene.did(ann, "paper", name="a-paper")
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    with scene.store.read() as session:
        rows = actions.list_moves(session)

    assert [(row["opportunity"], row["from"], row["to"], row["at"]) for row in rows] == [
        (str(deal), "unaware", "interest", "2026-03-04T12:00:00Z"),
        (str(deal), "interest", "comparison", "2026-03-04T12:00:01Z"),
    ]
    assert rows[0]["reason"].endswith("ann@example.com downloaded a-paper (1 needed in 180 days)")
    json.dumps(rows)


def test_the_sentence_is_made_when_it_is_read(scene, ann, deal):
    scene.did(ann)
    scene.weigh()
    scene.publish(PRICES.model_copy(update={"title": {"en": "All our prices", "de": "Preise"}}))

    assert "downloaded All our prices" in shown(scene, deal)["reason"]


def test_what_was_attributed_later_is_told_under_the_name_it_got(scene, ann, deal):
    taken = scene.did(None, attribution="claimed")
    scene.attribute(ann, taken, now=NOON + SECOND)
    scene.weigh()

    assert "ann@example.com downloaded" in shown(scene, deal)["reason"]


def test_an_id_without_its_crm_is_told_which_is_meant(scene, deal):
    with pytest.raises(NotHereError, match=r"no opportunity '006'; did you mean crm:006\?"):
        shown(scene, "006")


def test_a_quorum_is_told_with_who_made_it(scene):
    ask = {"any": [{"event": "download", "within": "45d"}]}
    last = {"id": "comparison", "enter": ask, "group": {"quorum": 3}}
    scene.publish(Buying.model_validate({"phases": [{"id": "unaware"}, last]}))
    deal = scene.opportunity()
    people = [scene.contact(f"{name}@example.com") for name in ("ann", "bob", "cyd")]
    for place, person in enumerate(people):
        scene.role(deal, person)
        scene.did(person, now=NOON + (place + 1) * SECOND)
    scene.weigh(now=NOON + 9 * SECOND)

    assert shown(scene, deal)["reason"] == (
        "Comparison since 4 Mar 2026 12:00: cyd@example.com downloaded Price list 2026"
        " (1 needed in 45 days); ann@example.com, bob@example.com and 1 other have come as far"
    )
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        (told,) = explained(session, published, str(deal), now=NOON)["evidence"][1:]
    assert told["people"] == ["ann@example.com", "bob@example.com", "cyd@example.com"]
