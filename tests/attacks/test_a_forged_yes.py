"""
Somebody else says yes in a person's name: a list that is imported, a flag in the CRM, a merge.

Marketing systems let permissions in by many doors. A CSV with ``opted_in=true`` resubscribes who
left. A CRM's "email opt-in" checkbox, ticked by a salesperson, is synchronised as consent. Merging
two records lets the permissive one win. Turning "double opt-in" off makes everybody who never
answered eligible at once.

Here only the owner of a mailbox says yes. An import needs evidence, is told apart for ever, and
brings back nobody who left; a CRM can take a permission away and never give one; of two addresses
of one person the "no" wins; and no setting is asked when it comes to whether somebody may be
written to: only the ledger is.
"""

from datetime import UTC, datetime

import pytest

from regportal.consent.actions import states_of, subject_of_contact
from regportal.consent.permission import may_mail
from regportal.consent.schema import Newsletter
from regportal.forms.joining import join_people
from regportal.identity.actions import find_contact
from regportal.privacy.importing import Row, Source, bring_in
from tests.portal import SITE

ANN, BOB = "ann@acme.example", "bob@acme.example"


def reads(portal, email, *, confirms=True):
    """Somebody asks for the price alerts, and answers the mail or does not."""
    browser = portal.browser()
    browser.claim(email, "prices", n_prices="yes")
    portal.work()
    if confirms:
        browser.prove(portal)
        portal.work()
    return browser


def stops(portal, email):
    """Her CRM tells us that she wants no more of it."""
    portal.hook("consent.withdrawn", {"email": email, "newsletter": "prices"})
    portal.work()


def state(portal, email):
    with portal.store.read() as session:
        contact = find_contact(session, email)
        line = states_of(session, subject_of_contact(contact.id)).get("prices") if contact else None
        return line.state.value if line else None


def allowed(portal, email):
    with portal.store.read() as session:
        contact = find_contact(session, email)
        at = datetime.now(UTC)
        return contact is not None and may_mail(session, contact, "prices", at=at).allowed


def imports(portal, *emails):
    """A marketer imports a list, with evidence."""
    with portal.store.read() as session:
        published = portal.shelf.published(session)
    source = Source(
        published.one(Newsletter, "prices"),
        "bo",
        "0" * 64,
        portal.settings.pepper_text,
    )
    rows = [Row(number, {"email": email}) for number, email in enumerate(emails, start=2)]
    (*_, report) = bring_in(portal.store, published, source, rows, now=datetime.now(UTC))
    return report


def test_an_import_brings_back_nobody_who_left(portal):
    reads(portal, ANN)
    stops(portal, ANN)
    report = imports(portal, ANN)

    assert [one.reason for one in report.refused] == ["may not be brought back: withdrawn"]
    assert not allowed(portal, ANN)


def test_an_import_is_no_confirmation(portal):
    reads(portal, ANN, confirms=False)
    imports(portal, ANN)

    assert state(portal, ANN) == "imported"


def test_who_said_that_was_not_me_is_not_imported(portal):
    browser = reads(portal, ANN, confirms=False)
    browser.post(portal.link(), {"choice": "deny"})
    portal.work()
    report = imports(portal, ANN)

    assert [one.reason for one in report.refused] == ["may not be brought back: refused"]


@pytest.mark.parametrize(
    ("topic", "data"),
    [
        ("consent.confirmed", {"email": ANN, "newsletter": "prices"}),
        ("consent.granted", {"email": ANN, "newsletter": "prices"}),
        ("consent.changed", {"email": ANN, "newsletter": "prices", "state": "confirmed"}),
        ("consent.withdrawn", {"email": BOB, "newsletter": "prices", "state": "confirmed"}),
        ("contact.updated", {"email": ANN, "opt_in": True, "HasOptedOutOfEmail": False}),
        (
            "contact_role.added",
            {"opportunity": "006", "email": ANN, "opt_in": True, "newsletters": ["prices"]},
        ),
    ],
)
def test_a_flag_of_the_crm_is_no_yes(portal, topic, data):
    reads(portal, ANN)
    stops(portal, ANN)
    portal.hook("opportunity.upserted", {"external_id": "006"})
    portal.hook(topic, data)
    portal.work()

    assert not allowed(portal, ANN)
    assert not allowed(portal, BOB)


def test_an_opt_out_of_the_crm_is_honoured_at_once(portal):
    reads(portal, ANN)
    before = allowed(portal, ANN)
    stops(portal, ANN)

    assert (before, allowed(portal, ANN), state(portal, ANN)) == (True, False, "withdrawn")


def test_an_opt_out_of_somebody_unknown_stands_in_the_way_of_an_import(portal):
    stops(portal, BOB)
    imports(portal, BOB)

    assert not allowed(portal, BOB)


def test_an_opt_out_without_a_newsletter_is_from_all_of_them(portal):
    reads(portal, ANN)
    portal.hook("consent.withdrawn", {"email": ANN})
    portal.work()
    with portal.store.read() as session:
        contact = find_contact(session, ANN)
        states = states_of(session, subject_of_contact(contact.id))

    assert {key: line.state for key, line in states.items()} == {
        "prices": "withdrawn",
        "news": "withdrawn",
    }


def test_a_merge_lets_the_no_win(portal):
    reads(portal, ANN)
    reads(portal, BOB)
    stops(portal, BOB)

    def join(session):
        published = portal.shelf.published(session)
        pair = find_contact(session, ANN), find_contact(session, BOB)
        now = datetime.now(UTC)
        join_people(session, published, *pair, because="one", by="administrator", now=now)

    portal.store.write(join)

    assert not allowed(portal, ANN)
    assert not allowed(portal, BOB)


@pytest.mark.parametrize(
    "text",
    [
        SITE.replace("confirm: always", "confirm: unless_verified"),
        SITE.replace("title: Price alerts", "title: Everything we have"),
        SITE.replace("wording: Send me price alerts.", "wording: Send me everything, for ever."),
        SITE.replace("  privacy_notice", "  valid_for: 120mo\n  privacy_notice"),
    ],
    ids=["confirm", "title", "wording", "valid_for"],
)
def test_no_setting_makes_a_yes_of_what_was_none(portal, text):
    reads(portal, ANN, confirms=False)
    reads(portal, BOB)
    stops(portal, BOB)
    portal.publish(text)
    portal.work()

    assert not allowed(portal, ANN)
    assert not allowed(portal, BOB)


def test_a_stop_between_the_yes_and_its_settling_holds(portal):
    browser = portal.browser()
    browser.claim(ANN, "prices", n_prices="yes")
    portal.work()
    browser.prove(portal)
    portal.hook("consent.withdrawn", {"email": ANN, "newsletter": "prices"})
    portal.work()

    assert not allowed(portal, ANN)


def test_a_stranger_asks_in_vain_for_somebody_who_said_no(portal):
    browser = reads(portal, ANN, confirms=False)
    browser.post(portal.link(), {"choice": "deny"})
    portal.work()
    stranger = portal.browser()
    asked = stranger.claim(ANN, "prices", n_prices="yes")
    portal.work()
    page = stranger.get(portal.link())
    stranger.post(portal.link(), {"choice": "confirm"})
    portal.work()

    assert asked.status == 303
    assert "Price alerts" not in page.text
    assert state(portal, ANN) is None
