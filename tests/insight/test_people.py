"""The list of people shows who was here last, and is narrowed to what somebody asks for."""

from datetime import timedelta
from functools import partial

import pytest

from regportal.buying.lists.keeping import list_missing
from regportal.buying.scores.reading import best
from regportal.errors import BadRequestError
from regportal.identity.models import Assurance
from regportal.insight import people
from regportal.insight.people import Claims, People
from regportal.tracking.actions import log
from regportal.tracking.models import Attributed, EntryKind
from tests.buying.scene import NOON

HOUR = timedelta(hours=1)
SAM = {"name": "Sam Okafor", "email": "Sam@acme.example"}
LATER = NOON + 24 * HOUR


@pytest.fixture
def crowd(scene, person):
    """Five people: two of Initech who buy, one who looks around, two who do nothing."""
    ann, bob = person("ann@initech.example"), person("bob@initech.example")
    eve = person("eve@globex.example")
    person("joe@gmail.com", Assurance.IMPORTED)
    person("jane@hooli.example", Assurance.CRM)
    deal = scene.opportunity("006", owner=SAM, account={"external_id": "A-1", "name": "Initech"})
    other = scene.opportunity("007", owner={"name": "Kim"})
    for one in (ann, bob):
        scene.role(deal, one)
    scene.role(other, eve)
    scene.did(ann, now=NOON + 3 * HOUR)
    scene.did(ann, now=NOON + 4 * HOUR)
    scene.did(bob, type="page_view", category=None, name="/a", now=NOON + 2 * HOUR)
    scene.did(eve, now=NOON + HOUR)
    scene.weigh(now=LATER)
    return scene


@pytest.fixture
def listed(crowd, whole):
    """Return the names of those who are listed."""
    with crowd.store.read() as session:
        published = crowd.shelf.published(session)

    def read(owners=None, **asked):
        rows = whole(
            partial(_page, published, owners), People.of([(k, [v]) for k, v in asked.items()])
        )
        return [row.email.partition("@")[0] for row in rows]

    return read


def _page(published, owners, session, filters, at, size):
    return people.page(session, published, filters, at, size, owners=owners, now=LATER)


def test_those_who_did_something_last_come_first(listed):
    assert listed()[:3] == ["ann", "bob", "eve"]
    assert {*listed()[3:]} == {"joe", "jane"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"phase": "comparison"}, {"ann", "bob", "eve"}),
        ({"phase": "decision"}, set()),
        ({"account": "crm:A-1"}, {"ann", "bob"}),
        ({"account": "globex.example"}, {"eve"}),
        ({"assurance": "imported"}, {"joe"}),
        ({"score": "interest", "level": "warm"}, {"eve"}),
        ({"level": "hot"}, set()),
        ({"phase": "comparison", "assurance": "verified", "account": "crm:A-1"}, {"ann", "bob"}),
        ({"q": "j"}, {"joe", "jane"}),
        ({"q": "ANN@"}, {"ann"}),
        ({"q": "%"}, set()),
        ({"q": "_nn"}, set()),
        ({"q": "j", "assurance": "crm"}, {"jane"}),
        ({"q": "e", "level": "warm"}, {"eve"}),
    ],
)
def test_a_list_is_narrowed_to_what_is_asked_for(listed, asked, found):
    assert {*listed(**asked)} - ({"ann"} if "level" in asked else set()) == found


def test_a_search_is_in_the_order_of_addresses(listed):
    assert listed(q="j") == ["jane", "joe"]


def test_by_score_the_highest_level_comes_first_and_in_it_whoever_did_most_lately(crowd, listed):
    with crowd.store.read() as session:
        published = crowd.shelf.published(session)
        ranked = [one.contact for one in best(session, published, "interest", 3, at=LATER)]
        rows = people.page(session, published, People(order="score"), now=LATER).rows

    assert [row.key for row in rows][:3] == ranked
    assert listed(order="score")[:3] == ["ann", "eve", "bob"]
    assert {*listed(order="score")} == {*listed()}


def test_a_row_says_what_is_known_and_worth_now(crowd):
    with crowd.store.read() as session:
        published = crowd.shelf.published(session)
        row = people.page(session, published, People(), None, 1, now=LATER).rows[0]

    assert (row.email, row.assurance, row.account) == ("ann@initech.example", "verified", "crm:A-1")
    assert (row.phase, row.last_at, row.first_seen) == ("comparison", NOON + 4 * HOUR, NOON)
    assert row.level == "warm"
    assert 38 < row.score < 40


def test_a_seller_sees_whoever_has_a_part_in_what_he_looks_after(crowd, listed):
    assert listed(owners=frozenset({"sam@acme.example"})) == ["ann", "bob"]
    assert listed(owners=frozenset({"kim"})) == ["eve"]
    assert listed(owners=frozenset({"sam@acme.example", "kim"})) == ["ann", "bob", "eve"]
    assert listed(owners=frozenset({"kim"}), q="ann") == []
    assert listed(owners=frozenset({"nobody@acme.example"})) == []
    assert listed(owners=frozenset()) == []


def test_whoever_has_no_part_any_more_is_not_the_sellers(crowd, listed, person):
    bob = person("bob@initech.example")
    crowd.role(crowd.opportunity("006"), bob, add=False, now=LATER)
    crowd.weigh(now=LATER)

    assert listed(owners=frozenset({"sam@acme.example"})) == ["ann"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"score": "nope"}, "score: there is no score called 'nope'"),
        ({"level": "boiling"}, "level: is none of warm, hot."),
        ({"assurance": "sure"}, "assurance: "),
        ({"order": "random()"}, "order: "),
        ({"q": "a\0b"}, "q: has signs that cannot be seen."),
        ({"q": "a" * 400}, "q: "),
        ({"scope": "everybody"}, "scope: "),
        ({"q": "a", "order": "score"}, "a search is in the order of addresses"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(listed, asked, says):
    with pytest.raises(BadRequestError) as refused:
        listed(**asked)

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_where_there_is_no_score_none_is_shown_and_none_can_be_asked_for(store, person):
    from regportal.store.documents import Published

    nothing = Published(0, ())
    person("ann@initech.example")
    list_missing(store)
    with store.read() as session:
        (row,) = people.page(session, nothing, People(), now=LATER).rows
        with pytest.raises(BadRequestError, match="score: there is none yet"):
            people.page(session, nothing, People(order="score"), now=LATER)

    assert (row.score, row.level) == (None, None)


@pytest.fixture
def claims(scene, whole):
    def read(owners=None, **asked):
        def page(session, filters, at, size):
            return people.unconfirmed(session, filters, at, size, owners=owners)

        return [row.email for row in whole(page, Claims(**asked))]

    return read


def test_claims_stand_apart_the_newest_first(scene, person, claims):
    ann = person("ann@initech.example")
    for number, email in enumerate(("ann@initech.example", "zoe@example.com", "zed@example.com")):
        scene.claim(email, now=NOON + number * HOUR)
    scene.role(scene.opportunity("006", owner=SAM), ann)

    assert claims() == ["zed@example.com", "zoe@example.com", "ann@initech.example"]
    assert claims(q="Z") == ["zed@example.com", "zoe@example.com"]
    assert claims(q="%") == []
    assert claims(owners=frozenset({"sam@acme.example"})) == ["ann@initech.example"]


def test_what_is_only_claimed_moves_nobody_in_the_list_of_people(scene, person, crowd, listed):
    ann = person("jane@hooli.example", Assurance.CRM)
    claim = scene.claim("jane@hooli.example", now=LATER)
    scene.did(None, claim=claim, attribution=Attributed.CLAIMED, now=LATER)
    scene.store.write(lambda session: log(session, EntryKind.ATTRIBUTION, ann, now=LATER))
    scene.weigh(now=LATER)

    assert listed()[0] == "ann"
