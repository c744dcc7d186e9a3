"""Whoever is told of a move says by a link in the mail that it was somebody else."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.alerts.doubting import DOUBTED
from regportal.buying.checking import standing_differences
from regportal.identity.models import Contact
from regportal.identity.people import join
from regportal.privacy.erasing import ADMINISTRATOR
from regportal.tracking.models import Attribution
from tests.buying.alerts.office import BO, page, plain, site
from tests.speech import left_of_english, visible

DAY = timedelta(days=1)
UNDO = {"choice": "undo"}


@pytest.fixture
def deal(office, ann):
    return office.deal("006", ann)


@pytest.fixture
def told(office, ann, deal):
    """Ann took the price list, and Bo was told; return his browser and the path of his link."""
    office.takes(ann)
    (path,) = office.wrong()
    return office.portal.browser(), path


def words(office):
    """Return what was said later of whose something is: why, and whose."""
    with office.store.read() as session:
        return session.execute(sa.select(Attribution.because, Attribution.contact_id)).all()


def test_the_page_says_what_would_be_taken_back_and_takes_nothing_back(office, told, deal):
    browser, path = told
    shown = browser.get(path)

    assert shown.status == 200
    assert 'data-state="open"' in shown.text
    assert "<bdi>ann@initech.example</bdi> downloaded <bdi>Price list 2026</bdi>." in shown.text
    assert "4 March 2026, 12:00 UTC" in shown.text
    assert "“<bdi>500 widgets</bdi>”" in shown.text
    assert words(office) == []
    assert office.phase(deal) == "comparison"


def test_one_press_takes_it_back_and_the_crm_reads_why(office, told, deal):
    browser, path = told
    answer = browser.post(path, UNDO)
    office.portal.work()
    after = browser.get(answer.headers["Location"])

    assert answer.status == 303
    assert 'data-state="undone"' in after.text
    assert "<form" not in after.text
    assert office.phase(deal) == "unaware"
    assert office.moves()[-1].cause == "correction"
    reason = office.messages("phase.changed")[-1].payload["reason"]
    assert reason.endswith(f": Price list 2026 no longer counts: {DOUBTED}")
    with office.store.read() as session:
        published = office.shelf.published(session)
        assert [*standing_differences(session, published, now=office.now)] == []


def test_a_second_press_changes_nothing_and_says_so(office, told):
    browser, path = told
    first, second = browser.post(path, UNDO), browser.post(path, UNDO)

    assert (first.status, second.status) == (303, 303)
    assert len(words(office)) == 1
    assert 'data-state="undone"' in browser.get(path).text


def test_only_what_the_mail_told_of_is_taken_back(office, ann, deal):
    office.did(ann, "white-paper", name="paper", now=office.now)
    office.portal.work()
    office.takes(ann)
    browser, (path,) = office.portal.browser(), office.wrong()
    browser.post(path, UNDO)
    office.portal.work()

    assert office.phase(deal) == "interest"


def test_each_move_of_a_digest_has_a_link_of_its_own(office, ann):
    office.portal.publish(site(send="digest"))
    office.deal("006", ann)
    office.takes(ann)
    bob = office.contact("bob@initech.example")
    office.deal("007", bob)
    taken = office.takes(bob)
    office.passes(DAY)
    links = office.wrong()
    office.portal.browser().post(links[1], UNDO)

    assert len(links) == 2
    with office.store.read() as session:
        assert session.scalars(sa.select(Attribution.interaction_id)).all() == [taken]


def test_after_thirty_days_the_link_is_closed_and_names_nobody(office, told, deal):
    browser, path = told
    office.clock.shift(30 * DAY + timedelta(seconds=1))
    pressed, shown = browser.post(path, UNDO), browser.get(path)

    assert (pressed.status, shown.status) == (303, 410)
    assert 'data-state="closed"' in shown.text
    assert "ann@" not in shown.text
    assert "500 widgets" not in shown.text
    assert words(office) == []


def test_who_no_longer_looks_after_it_takes_nothing_back(office, told, deal, ann):
    browser, path = told
    office.deal("006", owner={"name": "Cy", "email": "cy@acme.example"})
    pressed = browser.post(path, UNDO)

    assert (pressed.status, browser.get(path).status) == (303, 410)
    assert words(office) == []


def test_where_nobody_looks_after_it_the_sites_own_reader_may(office, ann):
    office.deal("006", ann, owner=None)
    office.takes(ann)
    (path,) = office.wrong()
    office.portal.browser().post(path, UNDO)

    assert office.letters()[-1]["To"] == "marketing@acme.example"
    assert len(words(office)) == 1


def test_what_two_addresses_of_one_person_did_is_taken_back_as_one_persons(office, told, ann):
    browser, path = told
    other = office.contact("ann@home.example")

    def same(session):
        both = (session.get_one(Contact, one) for one in (other, ann))
        join(session, *both, because="one person", by=ADMINISTRATOR, now=office.now)

    office.store.write(same)
    office.portal.work()
    browser.post(path, UNDO)

    assert len(words(office)) == 1


@pytest.mark.parametrize("language", ["de", "ar"])
def test_letter_and_page_speak_the_language_of_the_site(office, ann, language):
    office.portal.publish(site(send="each").replace("  alerts", f"  locale: {language}\n  alerts"))
    office.deal("006", ann)
    office.takes(ann)
    browser, (path,) = office.portal.browser(), office.wrong()
    shown = [browser.get(path)]
    browser.post(path, UNDO)
    shown.append(browser.get(path))
    office.clock.shift(31 * DAY)
    shown.append(browser.get(path))

    assert left_of_english(visible(page(office.letters()[-1])), language) == []
    for each in shown:
        assert left_of_english(visible(each.text), language) == []


def test_the_text_of_the_letter_has_the_link_on_a_line_of_its_own(office, told):
    _, path = told
    lines = plain(office.letters()[-1]).splitlines()

    assert f"{office.portal.settings.base_url}{path}" in lines
    assert re.search(r'href="[^"]+/alerts/wrong/', page(office.letters()[-1]))
    assert BO["email"] not in path
