"""The language of our letters and of a person's own pages, chosen there."""

import re
from datetime import UTC, datetime

import pytest

from regportal.identity.actions import find_contact
from regportal.identity.contact_tokens import PREFERENCES, UNSUBSCRIBE, contact_token
from tests.portal import SITE
from tests.privacy.people import PRESS, Person, ask, link

EMAIL = "ann@example.com"
SPOKEN = SITE.replace(
    "headline: All prices", "headline: {en: All prices, de: Alle Preise, ar: الأسعار}"
)


@pytest.fixture
def ann(portal):
    """Somebody known to a site that is written in three languages; her browser speaks English."""
    portal.publish(SPOKEN)
    return Person(portal, EMAIL).arrives()


def path_of(portal, purpose, newsletter=None):
    """Return where a link of one of our letters leads."""
    with portal.store.read() as session:
        contact = find_contact(session, EMAIL).id
    keys, now = portal.settings.keys, datetime.now(UTC)
    token = portal.store.write(
        lambda session: contact_token(session, keys, contact, purpose, newsletter, now=now)
    )
    return f"/{'p' if purpose == PREFERENCES else 'u'}/{token}"


def spoken(page):
    """Return the language a page says it has."""
    return re.search(r'<html lang="([^"]+)"', page.text)[1]


def offered(page):
    """Return the languages there are to choose from, and the chosen one."""
    form = re.search(r'data-rp="language".*?</form>', page.text, re.DOTALL)
    keys = re.findall(r'name="language"\s+value="([^"]+)"', form[0]) if form else []
    chosen = re.findall(r'value="([^"]+)"[^>]*aria-pressed="true"', form[0]) if form else []
    return keys, chosen


def choose(browser, path, language):
    """Press a language; return the page it leads to."""
    page = browser.get(path)
    answer = browser.post(f"{path}/language", {**page.fields, "language": language})
    return browser.get(answer.headers["Location"]) if answer.status == 303 else answer


def test_there_is_nothing_to_choose_where_the_site_has_one_language(portal):
    Person(portal, EMAIL).arrives()
    page = portal.browser().get(path_of(portal, PREFERENCES))

    assert 'data-rp="language"' not in page.text


def test_the_languages_of_the_site_are_offered_in_their_own_words(portal, ann):
    page = portal.browser().get(path_of(portal, PREFERENCES))

    assert offered(page) == (["en", "de", "ar"], [])
    assert "Deutsch" in page.text
    assert "العربية" in page.text


def test_a_choice_by_the_link_of_a_letter_holds_on_each_page_of_hers(portal, ann):
    anybody, preferences = portal.browser(), path_of(portal, PREFERENCES)
    page = choose(anybody, preferences, "de")

    assert (spoken(page), offered(page)) == ("de", (["en", "de", "ar"], ["de"]))
    assert page.headers["Content-Language"] == "de"
    assert spoken(anybody.get(path_of(portal, UNSUBSCRIBE, "news"))) == "de"
    assert spoken(ann.browser.get("/me")) == "de"
    assert spoken(anybody.get("/me")) == "en"
    assert spoken(anybody.get(f"{preferences}?lang=ar")) == "ar"


def test_the_next_letter_is_in_the_language_she_chose(portal, ann):
    ask(portal.browser(), EMAIL)
    portal.work()
    before = portal.mails()[-1]
    choose(portal.browser(), path_of(portal, PREFERENCES), "de")
    ask(portal.browser(), EMAIL)
    portal.browser().claim(EMAIL, "prices")
    portal.work()
    own, asked = portal.mails()[-2:]

    assert before["Subject"] == "Your data at Acme Products"
    assert {own["Subject"], asked["Subject"]} == {
        "Ihre Daten bei Acme Products",
        "Ihr Link: Alle Preise",
    }


def test_whoever_is_proven_chooses_on_the_own_page(portal, ann):
    page = choose(ann.browser, "/me", "ar")

    assert (spoken(page), offered(page)[1]) == ("ar", ["ar"])
    assert 'dir="rtl"' in page.text
    assert ann.opens_her_page(portal.browser()).headers["Content-Language"] == "ar"


def test_a_choice_changes_no_permission_and_tells_nobody(portal, ann):
    portal.told.clear()
    choose(portal.browser(), path_of(portal, PREFERENCES), "de")
    portal.work()

    assert portal.told == []


def test_where_she_is_written_to_elsewhere_the_mailbox_she_left_keeps_its_own(portal, ann):
    own = ann.opens_her_page()
    ann.browser.post("/me/address", {**own.fields, "email": "ann@new.example"})
    portal.work()
    ann.browser.post(link(portal, "/me/"), PRESS)
    portal.work()
    choose(ann.browser, "/me", "de")

    with portal.store.read() as session:
        languages = [find_contact(session, one).language for one in ("ann@new.example", EMAIL)]
    assert languages == ["de", None]


def test_another_language_is_refused(portal, ann):
    for language in ("", "fr", "de-AT", "../en", "x" * 4000):
        answer = choose(portal.browser(), path_of(portal, PREFERENCES), language)

        assert answer.status == 400, language
        assert offered(portal.browser().get(path_of(portal, PREFERENCES)))[1] == [], language


def test_no_page_of_somebody_else_chooses_for_her(portal, ann):
    preferences = path_of(portal, PREFERENCES)
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    fields = ann.browser.get("/me").fields
    answers = [
        portal.browser().post(f"{preferences}/language", {"language": "de"}, **elsewhere),
        ann.browser.post("/me/language", {**fields, "language": "de"}, **elsewhere),
        ann.browser.post("/me/language", {"language": "de"}),
        portal.browser().post("/me/language", {**fields, "language": "de"}),
        portal.browser().get(f"{preferences}/language"),
    ]

    assert [one.status for one in answers] == [403, 403, 403, 403, 405]
    assert spoken(ann.browser.get("/me")) == "en"


def test_a_link_that_leads_nowhere_chooses_nothing(portal, ann):
    answer = portal.browser().post("/p/nothing/language", {"language": "de"})

    assert answer.status == 404


def test_a_language_the_site_no_longer_has_gives_way_to_the_browsers(portal, ann):
    choose(portal.browser(), path_of(portal, PREFERENCES), "de")
    portal.publish(SITE)

    assert spoken(portal.browser().get(path_of(portal, PREFERENCES))) == "en"
