"""A draft of rules in shadow hears everything, and nobody hears of it."""

import contextlib
import json
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.buying import shadow
from regportal.buying.checking import standing_differences
from regportal.buying.explaining import explained
from regportal.buying.models import ShadowMove, ShadowRules, ShadowStanding
from regportal.buying.passing import find_lost
from regportal.buying.schema import Buying
from regportal.buying.shadows import shadow_shown
from regportal.documents import actions, planning, reading
from regportal.errors import NotHereError, StaleError
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from regportal.store.documents import Site
from regportal.store.sessions import Store, make_engine
from regportal.tracking.reverting import revert
from tests.buying.scene import NOON, Scene
from tests.buying.test_state_is_replay import MODEL, Life

DAY = timedelta(days=1)


def rules(quiet, least=1):
    """Warm after so many downloads, until so long a silence."""
    return Buying.model_validate(
        {
            "phases": [
                {"id": "unaware"},
                {
                    "id": "warm",
                    "label": "Getting warm",
                    "enter": {
                        "any": [
                            {"event": "download", "count": {"at_least": least}, "within": "90d"}
                        ]
                    },
                    "exit": {"any": [{"quiet": {"for": quiet}}]},
                },
            ]
        }
    )


PUBLISHED, DRAFT = rules("30d", 2), rules("3d")


def begin(scene, draft=DRAFT, now=NOON):
    def work(session):
        shadow.begin(session, scene.shelf.published(session), draft, now=now)

    scene.store.write(work)


def kept(scene, *models):
    """How many rows there are of each."""
    with scene.store.read() as session:
        return [session.scalar(sa.select(sa.func.count()).select_from(one)) for one in models]


def moves(scene):
    """What the draft would have done."""
    with scene.store.read() as session:
        rows = session.scalars(sa.select(ShadowMove).order_by(ShadowMove.at, ShadowMove.id))
        return [(one.from_phase, one.to_phase, one.at, one.cause) for one in rows]


def shown(scene):
    with scene.store.read() as session:
        return shadow_shown(session, scene.shelf.published(session))


def text(scene, name, now):
    """What is explained of an opportunity."""
    with scene.store.read() as session:
        told = explained(session, scene.shelf.published(session), name, now=now)["shadow"]
    return told and told["text"]


def differences(scene, now):
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        return [*standing_differences(session, published, now=now)]


def test_what_it_would_do_is_kept_and_nobody_is_told(scene, ann, deal):
    scene.publish(PUBLISHED)
    scene.weigh()
    begin(scene)
    scene.weigh()
    scene.did(ann, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)

    assert moves(scene) == [("unaware", "warm", NOON + DAY, "event")]
    assert (scene.phase(deal), scene.moves(), scene.messages("phase.changed")) == (
        "unaware",
        [],
        [],
    )
    assert text(scene, "crm:006", NOON + DAY) == (
        "the draft in shadow would have it in Getting warm since 5 Mar 2026 12:00"
    )
    assert shown(scene)["opportunities"] == [
        {
            "key": str(deal),
            "connector": "crm",
            "external_id": "006",
            "name": "500 widgets",
            "published": {"phase": "unaware", "label": "Unaware", "since": None},
            "draft": {"phase": "warm", "label": "Getting warm", "since": "2026-03-05T12:00:00Z"},
        }
    ]
    assert differences(scene, NOON + DAY) == []


def test_time_passes_for_it_at_its_own_moments(scene, ann, deal):
    scene.publish(PUBLISHED)
    begin(scene)
    for day in (1, 2):
        scene.did(ann, now=NOON + day * DAY)
    scene.weigh(now=NOON + 2 * DAY)
    both = text(scene, "crm:006", NOON + 2 * DAY)
    scene.weigh(now=NOON + 9 * DAY)

    assert both == "the draft in shadow has it there, too, since 5 Mar 2026 12:00"
    assert moves(scene)[1:] == [("warm", "unaware", NOON + 5 * DAY, "timer")]
    assert scene.phase(deal) == "warm"
    assert differences(scene, NOON + 9 * DAY) == []


def test_what_was_before_is_known_to_it_and_is_no_move(scene, ann, deal):
    scene.publish(PUBLISHED)
    scene.did(ann)
    scene.weigh()
    begin(scene, now=NOON + DAY)
    waiting = shown(scene)["waiting"]
    scene.weigh(now=NOON + DAY)
    told = shown(scene)

    assert (waiting, told["waiting"]) == (1, 0)
    assert [one["draft"]["phase"] for one in told["opportunities"]] == ["warm"]
    assert told["moves"] == {"published": 0, "draft": 0}
    assert moves(scene) == []


def test_what_is_taken_back_is_a_move_of_it_too(scene, ann, deal):
    scene.publish(PUBLISHED)
    begin(scene)
    scene.weigh()
    did = scene.did(ann, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)
    scene.store.write(lambda session: revert(session, did, "a namesake", now=NOON + 2 * DAY))
    scene.weigh(now=NOON + 2 * DAY)

    assert moves(scene)[1:] == [("warm", "unaware", NOON + 2 * DAY, "correction")]


SAID = MODEL.model_dump(mode="json", by_alias=True, exclude_unset=True)
OTHER = Buying.model_validate({"min_attribution": "claimed", "phases": SAID["phases"][:3]})


def lived(scene, seed, begins_at=None):
    """A life, in which a draft may be in shadow from some step on."""
    life = Life(scene, seed)
    for number in range(30):
        if number == begins_at:
            begin(scene, OTHER, now=life.now)
        life.step()
    scene.weigh(now=life.now)
    return life


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_published_rules_do_not_notice_it(new_database, seed):
    with (
        contextlib.closing(Store(make_engine(new_database()))) as one,
        contextlib.closing(Store(make_engine(new_database()))) as other,
    ):
        alone, scene = Scene(one), Scene(other)
        lived(alone, seed)
        life = lived(scene, seed, begins_at=8)

        assert life.differences() == []
        assert told(scene) == told(alone)
        assert kept(scene, ShadowStanding)[0] > 0


def told(scene):
    """What the published rules did, without keys."""
    return [(one.at, one.from_phase, one.to_phase, one.cause) for one in scene.moves()]


def test_it_loses_nothing_when_its_standings_are_deleted(scene):
    life = lived(scene, 3, begins_at=2)
    before = shown(scene)
    scene.store.write(lambda session: session.execute(sa.delete(ShadowStanding)))
    scene.store.write(partial(find_lost, now=NOON))
    scene.weigh(now=life.now)

    assert shown(scene) == before
    assert life.differences() == []


def test_what_is_published_ends_it_and_holds_where_it_stood(scene, ann, deal, tmp_path):
    scene.publish(PUBLISHED)
    begin(scene)
    scene.did(ann, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)
    publish(scene, tmp_path, DRAFT, now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)

    assert kept(scene, ShadowRules, ShadowStanding, ShadowMove) == [0, 0, 0]
    assert [(one.to_phase, one.cause) for one in scene.moves()] == [("warm", "rules")]
    assert differences(scene, NOON + 2 * DAY) == []


def test_other_rules_that_are_published_leave_it_where_it_is(scene, ann, deal, tmp_path):
    begin(scene)
    publish(scene, tmp_path, PUBLISHED, now=NOON + DAY)
    scene.did(ann, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)

    assert kept(scene, ShadowRules) == [1]
    assert [move[1] for move in moves(scene)] == ["warm"]


def publish(scene, folder, model, now):
    """Publish a model as `regportal apply` does."""
    said = {
        "site": {
            "name": "Acme",
            "controller": "Acme Ltd",
            "privacy_notice": "https://acme.example/privacy",
        },
        "buying": model.model_dump(mode="json", by_alias=True, exclude_unset=True),
    }
    book = reading.read_text(json.dumps(said).encode(), folder=folder)
    with scene.store.read() as session:
        plan = planning.plan(session, book, prune=True)
    scene.store.write(lambda session: actions.publish(session, plan, {}, now=now))


def test_its_end_leaves_nothing_of_it(scene, ann, deal):
    scene.publish(PUBLISHED)
    begin(scene)
    scene.did(ann, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)
    scene.store.write(shadow.end)

    assert kept(scene, ShadowRules, ShadowStanding, ShadowMove) == [0, 0, 0]
    assert text(scene, "crm:006", NOON + DAY) is None
    with pytest.raises(NotHereError):
        scene.store.write(shadow.end)
    with pytest.raises(NotHereError):
        shown(scene)


def test_a_second_draft_and_what_is_published_are_refused(scene):
    scene.publish(PUBLISHED)
    with pytest.raises(StaleError, match="these are the rules that are published"):
        begin(scene, PUBLISHED)
    begin(scene)
    with pytest.raises(StaleError, match="in shadow already"):
        begin(scene, rules("9d"))


def test_what_is_closed_is_compared_no_more(scene, ann, deal):
    scene.publish(PUBLISHED)
    begin(scene)
    scene.did(ann, now=NOON + DAY)
    scene.opportunity("006", now=NOON + 2 * DAY, is_closed=True)
    scene.weigh(now=NOON + 2 * DAY)

    assert shown(scene)["opportunities"] == []
    assert text(scene, "crm:006", NOON + 2 * DAY) is None
    assert differences(scene, NOON + 2 * DAY) == []


def test_of_an_erased_person_nothing_is_left_in_shadow(scene, ann, deal):
    site = {"name": "Acme", "controller": "Acme Ltd", "privacy_notice": "https://acme.example/p"}
    scene.publish(PUBLISHED, Site(**site))
    begin(scene)
    scene.did(ann, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)

    def work(session):
        whom = find_whom(session, "ann@example.com")
        published = scene.shelf.published(session)
        erase(session, published, whom, pepper="p", by=ADMINISTRATOR, now=NOON + 2 * DAY)

    before = kept(scene, ShadowStanding)
    scene.store.write(work)
    with scene.store.read() as session:
        at_once = session.scalars(sa.select(ShadowStanding.state)).all()
    scene.weigh(now=NOON + 2 * DAY)

    assert (before, at_once) == ([2], [""])
    with scene.store.read() as session:
        assert [one.phase for one in session.scalars(sa.select(ShadowStanding))] == ["unaware"]
    assert differences(scene, NOON + 2 * DAY) == []
