"""A page's recorder and our frame in it: one identity, once the frame has vouched for it."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.actions import find_contact
from regportal.identity.models import Visitor
from regportal.identity.visitors import sign_out_everywhere
from regportal.privacy.clocks import tidy
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from regportal.tracking.models import Attribution, Interaction, Parcel
from tests.framed import ANN, Framed, ann, published_for, token_means, whose  # noqa: F401 - a fixture
from tests.portal import ORIGIN
from tests.two_sites import SHOP

NOBODYS, CLAIMED, HERS = ("anonymous", None), ("claimed", None), ("verified", ANN)


def rows(portal, kind):
    """Return how many rows a table has."""
    with portal.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(kind))


def test_what_the_recorder_tells_waits_for_the_claim_of_the_frame(portal, ann):  # noqa: F811 - a fixture
    before = ann.tell()
    assert ann.vouch()
    told = ann.tell()

    assert (whose(portal, before), whose(portal, told)) == (NOBODYS, CLAIMED)
    portal.browser().prove(portal)  # where she reads her mail
    portal.work()
    assert (whose(portal, before), whose(portal, told)) == (NOBODYS, HERS)
    assert "price_lookup" in {
        one["interaction"]["type"] for one in portal.news("interaction.recorded")
    }


def test_a_proof_in_the_frame_also_brings_what_was_told_before_the_address(portal, ann):  # noqa: F811 - a fixture
    before = ann.tell()
    ann.vouch()
    told = ann.tell()
    ann.prove_here()

    assert (whose(portal, before), whose(portal, told)) == (HERS, HERS)


@pytest.mark.parametrize("proven_first", [True, False])
def test_the_order_does_not_matter(portal, ann, proven_first):  # noqa: F811 - a fixture
    """The frame knew her before the page had a recorder, or she was proven before they met."""
    ann.page.token = None
    if proven_first:
        ann.prove_here()
    ann.page.choose()
    before = ann.tell()
    assert ann.vouch()
    if not proven_first:
        ann.prove_here()

    assert whose(portal, before) == HERS


def test_the_recorders_word_is_never_worth_a_proof_until_the_frame_vouches_again(portal, ann):  # noqa: F811 - a fixture
    ann.prove_here()
    ann.vouch()
    told = ann.tell()

    assert whose(portal, told) == CLAIMED
    assert ann.vouch()
    assert whose(portal, told) == HERS
    heard = rows(portal, Attribution)
    assert ann.vouch()
    assert rows(portal, Attribution) == heard  # nothing is given twice


def test_a_rejected_claim_takes_back_what_was_told_and_nothing_follows(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    told = ann.tell()
    portal.browser().post(portal.link(), {"choice": "deny"})
    portal.work()

    assert whose(portal, told) == NOBODYS
    assert whose(portal, ann.tell()) == NOBODYS
    assert not ann.vouch()


def test_an_expired_claim_is_nobodys_either(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=91)):
        portal.work()
        told = ann.tell()

        assert whose(portal, told) == NOBODYS


def test_an_address_given_again_goes_on_under_the_new_claim(portal, ann):  # noqa: F811 - a fixture
    """The frame was told "just this once", and closed; the banner's choice still holds."""
    ann.vouch()
    ann.frame = portal.browser()
    ann.frame.claim(ANN)
    assert ann.vouch()
    told = ann.tell()
    portal.work()
    ann.prove_here()

    assert whose(portal, told) == HERS


def test_one_visitor_of_the_frame_may_have_several_recorders(portal, ann):  # noqa: F811 - a fixture
    """As where a browser may not be recognised, and each tab has a recorder of its own."""
    ann.vouch()
    first = ann.tell()
    ann.page.token = None
    ann.page.choose()
    ann.vouch()
    second = ann.tell()
    ann.prove_here()

    assert whose(portal, first) == whose(portal, second) == HERS


def test_signing_out_everywhere_silences_the_recorder(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    ann.prove_here()
    now = datetime.now(UTC)
    portal.store.write(lambda one: sign_out_everywhere(one, find_contact(one, ANN), now))

    assert not token_means(portal, ann)
    assert whose(portal, ann.tell()) == NOBODYS


def test_there_is_no_token_for_the_portal_from_its_own_pages(portal):
    published_for(portal)
    status, said = Framed(portal, ORIGIN).page.ask("handover", {"to": ORIGIN})

    assert (status, said["field"]) == (400, "to")


def test_a_token_for_another_site_is_none_for_the_frame_and_the_reverse(portal, ann):  # noqa: F811 - a fixture
    for_shop, for_frame = ann.page.leave(SHOP), ann.page.leave(ORIGIN)
    shop = Framed(portal, SHOP).page.choose()

    assert ann.ask(for_shop) == (200, {"speaks": False})
    assert not shop.arrive(for_frame)


# --- what is kept ---


def test_erasing_her_leaves_nothing_of_what_the_page_told(portal, ann):  # noqa: F811 - a fixture
    before = ann.tell("before")
    ann.vouch()
    told = ann.tell("after")
    ann.prove_here()

    def forget(session):
        published, whom = portal.shelf.published(session), find_whom(session, ANN)
        pepper, now = portal.settings.pepper_text, datetime.now(UTC)
        erase(session, published, whom, pepper=pepper, by=ADMINISTRATOR, now=now)

    portal.store.write(forget)

    assert before != told
    assert [rows(portal, kind) for kind in (Visitor, Interaction, Parcel)] == [0, 0, 0]


def test_a_recorders_visitor_is_kept_as_long_as_the_one_for_whom_it_speaks(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    told = ann.tell()
    ann.prove_here()
    lone = Framed(portal)
    lone.page.choose()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=100)):
        pepper, now = portal.settings.pepper_text, datetime.now(UTC)
        tidy(portal.store, portal.shelf, pepper=pepper, now=now)
        kept = rows(portal, Visitor)

    assert kept == 2
    assert whose(portal, told) == HERS
