"""A CRM may name a contact by its own record: whoever that is here, by what we keep of links."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.buying.models import Opportunity
from regportal.connectors.base import Link
from regportal.identity.actions import find_contact
from regportal.inbox.applying import ECHO, NOBODY, NOTHING, OLDER
from regportal.outbox.links import keep_links, links_of
from regportal.outbox.models import LinkedBefore
from tests.inbox.test_docs import ACME, PRICES
from tests.inbox.test_understanding import ADDED, REMOVED, UPSERTED, count, shown

ANN, BOB = "ann@example.com", "bob@example.com"
NOON, LATER = "2026-03-04T11:00:00Z", "2026-03-04T11:30:00Z"


@pytest.fixture
def known(crm):
    """A CRM in which Ann is the record 151 and Bob 152; both have a part in 006."""
    crm.tell(UPSERTED, {"external_id": "006", "contacts": [{"email": ANN}, {"email": BOB}]},
             timestamp=NOON)  # fmt: skip
    crm.understand()
    for email, ref in ((ANN, "151"), (BOB, "152")):
        is_record(crm, email, ref)
    return crm


def subject(crm, email):
    with crm.store.read() as session:
        contact = find_contact(session, email)
        return f"contact:{contact.id}" if contact else None


def is_record(crm, email, ref, connector="crm", was=None):
    name = subject(crm, email)
    before = {name: Link(was)} if was else {}
    crm.store.write(
        lambda session: keep_links(
            session, connector, before, {name: Link(ref)}, now=datetime.now(UTC)
        )
    )


def refs(crm):
    """Return as which records they are known."""
    subjects = [one for email in (ANN, BOB) if (one := subject(crm, email))]
    with crm.store.read() as session:
        return {link.ref for link in links_of(session, "crm", subjects).values()}


def said(crm, kind, data, timestamp=LATER):
    """Return what came of something that was said."""
    crm.tell(kind, data, timestamp=timestamp)
    crm.understand()
    last = crm.notices()[-1]
    return last.state.value, last.because


def test_a_part_ends_by_the_record(known):
    told = {"opportunity": "006", "record": "151"}

    assert said(known, REMOVED, told) == ("done", None)
    assert [one["email"] for one in shown(known)["contacts"]] == [BOB]
    assert said(known, ADDED, told, NOON) == ("done", OLDER)
    assert said(known, ADDED, told) == ("done", None)


def test_a_record_that_is_gone_is_forgotten_and_nobody_else_is(known):
    assert said(known, "contact.deleted", {"record": "151"}) == ("done", None)
    assert refs(known) == {"152"}
    assert subject(known, ANN) is not None
    again = said(known, "contact.deleted", {"record": "151"})
    assert again == ("done", "it was not known as this record")


def test_whoever_was_erased_is_found_by_the_record_he_was(known):
    said(known, "contact.deleted", {"record": "151"})

    assert said(known, "contact.erased", {"record": "151"}) == ("done", "erased here, too")
    assert subject(known, ANN) is None
    assert subject(known, BOB) is not None
    assert count(known, LinkedBefore) == 0


def test_whoever_was_made_anew_over_there_meanwhile_is_found_too(known):
    is_record(known, ANN, "160", was="151")  # we told of her before we heard it

    assert refs(known) == {"160", "152"}
    says = "erased here, too; the CRM has them anew, delete 160 there"
    assert said(known, "contact.erased", {"record": "151"}) == ("done", says)
    assert subject(known, ANN) is None


def test_the_record_of_another_connector_is_somebody_else(known):
    is_record(known, BOB, "151", "other")

    assert said(known, "contact.erased", {"record": "151"}) == ("done", "erased here, too")
    assert subject(known, BOB) is not None


def test_everybody_whom_one_record_was_is_erased_with_it(known):
    is_record(known, BOB, "151")

    says = "erased here, too: 2 contacts"
    assert said(known, "contact.erased", {"record": "151"}) == ("done", says)
    assert (subject(known, ANN), subject(known, BOB)) == (None, None)


def test_a_record_is_merged_into_a_record(known):
    assert said(known, "contact.merged", {"record": "152", "into": "151"}) == ("done", None)
    with known.store.read() as session:
        assert len({find_contact(session, one).person_id for one in (ANN, BOB)}) == 1


def test_a_newsletter_ends_by_the_record(known):
    known.publish(ACME, PRICES)
    told = {"record": "151", "newsletter": PRICES.key}

    assert said(known, "consent.withdrawn", told) == ("done", None)
    assert said(known, "consent.withdrawn", told) == ("done", "stopped before")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("contact.deleted", {}),
        ("contact.erased", {}),
        ("contact.merged", {"into": "151"}),
        (REMOVED, {"opportunity": "006"}),
        (REMOVED, {"opportunity": "unheard-of"}),
        ("consent.withdrawn", {}),
    ],
)
def test_a_record_that_is_nobody_here_harms_nothing(known, kind, data):
    assert said(known, kind, {"record": "999", **data}) == ("done", NOBODY)
    assert refs(known) == {"151", "152"}
    assert len(shown(known)["contacts"]) == 2


def test_an_opportunity_that_is_gone_is_closed_and_one_we_do_not_know_is_not_made(known):
    gone = "opportunity.deleted"

    assert said(known, gone, {"external_id": "007"}) == ("done", NOTHING)
    assert said(known, gone, {"external_id": "006"}) == ("done", None)
    assert said(known, gone, {"external_id": "006"}) == ("done", ECHO)
    with known.store.read() as session:
        assert session.scalars(sa.select(Opportunity.is_closed)).all() == [True]
