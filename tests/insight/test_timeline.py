"""What one person did: proven and claimed apart, newest first, under all of his addresses."""

import uuid
from datetime import timedelta

import pytest

from regportal.errors import BadRequestError, NotHereError
from regportal.identity.models import Contact
from regportal.identity.people import join
from regportal.insight import timeline
from regportal.insight.timeline import Deeds
from regportal.store import marks
from regportal.tracking.models import Attributed, Judged
from tests.buying.scene import NOON

MINUTE = timedelta(minutes=1)
SAM = {"name": "Sam", "email": "sam@acme.example"}


@pytest.fixture
def ann(person):
    return person("ann@initech.example")


@pytest.fixture
def read(whole):
    def names(what, contact, owners=None, **asked):
        def page(session, filters, at, size):
            return what(session, contact, filters, at, size, owners=owners)

        return [row.object for row in whole(page, Deeds(**asked))]

    return names


def test_everything_comes_once_also_what_happened_at_one_moment(scene, ann, read):
    for number in range(7):
        scene.did(ann, name=f"/{number}", now=NOON + number // 3 * MINUTE)

    assert read(timeline.proven, ann) == [f"/{number}" for number in reversed(range(7))]


def test_the_way_back_shows_the_same_pages(scene, store, ann):
    mine = [scene.did(ann, now=NOON + number // 2 * MINUTE) for number in range(7)]
    later = [scene.did(None, now=NOON + number * MINUTE) for number in range(3)]
    scene.attribute(ann, *later, now=NOON + 9 * MINUTE)
    assert len({*mine, *later}) == 10

    def pages(session, at, way):
        found = []
        while at is not None or not found:
            found.append(timeline.proven(session, ann, Deeds(), at, 3))
            at = getattr(found[-1], way)
        return found

    with store.read() as session:
        on = pages(session, None, "after")
        back = pages(session, on[-1].before, "before")

    assert [one.rows for one in reversed(back)] == [one.rows for one in on[:-1]]
    assert {row.id for one in on for row in one.rows} == {*mine, *later}


def test_what_is_only_claimed_stands_apart(scene, ann, read):
    claim = scene.claim("Ann@initech.example")
    scene.did(ann, name="/own")
    for number in range(3):
        scene.did(
            None,
            name=f"/{number}",
            claim=claim,
            attribution=Attributed.CLAIMED,
            now=NOON + number * MINUTE,
        )

    assert read(timeline.proven, ann) == ["/own"]
    assert read(timeline.claimed, ann) == ["/2", "/1", "/0"]


def test_of_several_addresses_it_is_one(scene, person, ann, read):
    bob = person("bob@initech.example")
    scene.did(ann, name="/ann")
    scene.did(bob, name="/bob", now=NOON + MINUTE)

    def joined(session):
        both = (session.get_one(Contact, one) for one in (ann, bob))
        join(session, *both, because="one person", by="administrator", now=NOON)

    scene.store.write(joined)

    assert read(timeline.proven, ann) == read(timeline.proven, bob) == ["/bob", "/ann"]


def test_it_is_narrowed_to_types_and_to_who_did_it(scene, ann, read):
    scene.did(ann, name="/a", type="page_view")
    scene.did(ann, name="/b", type="search", now=NOON + MINUTE)
    scene.did(ann, name="/c", judged=Judged.MACHINE, now=NOON + 2 * MINUTE)

    assert read(timeline.proven, ann, type=("page_view", "search")) == ["/b", "/a"]
    assert read(timeline.proven, ann, judged="machine") == ["/c"]


def test_a_seller_reads_only_of_whom_he_looks_after(scene, ann, person, read):
    bob = person("bob@initech.example")
    scene.role(scene.opportunity("006", owner=SAM), ann)
    scene.did(ann, name="/a")
    sam = frozenset({"sam@acme.example"})

    assert read(timeline.proven, ann, owners=sam) == ["/a"]
    for what in (timeline.proven, timeline.claimed):
        for contact, owners in ((bob, sam), (ann, frozenset()), (uuid.uuid4(), None)):
            with pytest.raises(NotHereError):
                read(what, contact, owners=owners)


@pytest.mark.parametrize(
    "at",
    [
        "x",
        marks.written(NOON, uuid.UUID(int=1)),
        marks.written("n", 0, "0001-01-01T00:00:00+14:00", uuid.UUID(int=1)),
        marks.written("n", 0, NOON, "1"),
        marks.written("n", 1, NOON, uuid.UUID(int=1)),
    ],
)
def test_a_mark_of_another_list_is_refused(store, ann, at):
    for what in (timeline.proven, timeline.claimed):
        with store.read() as session, pytest.raises(BadRequestError, match=r"^at: is not"):
            what(session, ann, Deeds(), at)
