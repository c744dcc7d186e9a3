"""Pages and letters speak the visitor's language, whole, and no other."""

import html
import re

import pytest

from tests.portal import FIREFOX, SITE
from tests.privacy.people import PRESS, ask, link
from tests.speech import SITE_IN_THREE, left_of_english, visible

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
ARABIC = {"Accept-Language": "ar-EG,ar;q=0.9"}
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def house(portal):
    """An installation whose site is written in three languages."""
    portal.publish(SITE_IN_THREE)
    return portal


def spoken(page):
    """The language and direction a page says it has."""
    return re.search(r'<html lang="([^"]+)" dir="([^"]+)"', page.text).groups()


def assert_whole(page, language):
    """A page is in one language from its head to its foot."""
    direction = "rtl" if language == "ar" else "ltr"
    assert spoken(page) == (language, direction)
    assert page.headers["Content-Language"] == language
    assert "Accept-Language" in page.headers["Vary"]
    assert left_of_english(html.unescape(visible(page.text)), language) == []


@pytest.fixture(params=[("de", GERMAN), ("ar", ARABIC)], ids=["de", "ar"])
def speaker(request, house):
    """A language, and a browser that speaks it."""
    language, headers = request.param
    return language, house.browser(**headers)


# --- whole ---


def test_every_page_of_a_gate_is_whole(house, speaker):
    language, ann = speaker
    assert_whole(ann.gate("prices"), language)
    assert_whole(ann.send("prices", email="ann"), language)
    assert_whole(ann.send("prices", email=""), language)

    ann.send("prices", email="ann@gmial.com", n_prices="yes", remember="yes")
    assert_whole(ann.get("/g/prices/done"), language)
    assert_whole(ann.gate("guide"), language)
    assert_whole(ann.send("guide", q_country="XX"), language)
    ann.send("guide", q_country="CH")
    assert_whole(ann.get("/g/guide/done"), language)
    for gate, question in [("study", "timeframe"), ("seen", "visited"), ("seats", "seats")]:
        asking = ann.gate(gate)
        assert asking.question == question
        assert_whole(asking, language)
    ann.send("study", q_timeframe="later")
    assert_whole(ann.get("/g/study/done"), language)
    assert_whole(ann.gate("study"), language)


def test_every_page_of_a_mailed_link_is_whole(house, speaker):
    language, ann = speaker
    ann.claim("ann@widgetworks.example", "prices", n_prices="yes")
    ann.send("guide", decline="yes")
    house.work()
    yes = house.link()
    assert_whole(ann.get(yes), language)
    assert_whole(ann.post(yes, {"choice": "neither"}), language)
    ann.post(yes, {"choice": "confirm"})
    assert_whole(ann.get("/g/prices/done"), language)
    assert_whole(ann.get(yes), language)
    assert_whole(ann.get("/m/nothing"), language)

    bob = house.browser(**ann.headers)
    bob.claim("bob@widgetworks.example", "prices")
    house.work()
    no = house.link()
    bob.post(no, {"choice": "deny"})
    assert_whole(bob.get(no), language)


@pytest.mark.parametrize("said", ["not a number", "x" * 500, "\u202e1", "1,2,3", ["1", "2"]])
def test_every_complaint_is_whole(house, speaker, said):
    language, ann = speaker
    ann.claim("ann@widgetworks.example", "prices")
    refused = ann.send("seats", q_seats=said)

    assert refused.errors == ["q-seats"]
    assert_whole(refused, language)


def test_every_error_is_whole(house, speaker):
    language, ann = speaker
    page = ann.gate("prices")
    assert_whole(ann.get("/g/nothing"), language)
    assert_whole(ann.post("/g/prices", {"ask": "forged"}), language)
    assert_whole(ann.post("/g/prices", {**page.fields, "q-x": "y"}), language)
    assert_whole(ann.post("/g/prices", page.fields, Origin="https://evil.example"), language)
    assert_whole(ann.post("/g/prices", {"x": "y" * 20_000}), language)
    assert_whole(ann.get("/nowhere/at/all"), language)


def test_the_letter_is_whole_in_the_language_of_who_claimed(house, speaker):
    language, ann = speaker
    ann.claim("ann@widgetworks.example", "prices")
    house.work()
    [letter] = house.mails()
    text = letter.get_body(("plain",)).get_content()
    page = letter.get_body(("html",)).get_content()

    assert left_of_english(letter["Subject"], language) == []
    assert left_of_english(text, language) == []
    assert left_of_english(html.unescape(visible(page)), language) == []
    assert f'<html lang="{language}"' in page
    assert ('dir="rtl"' in page) == (language == "ar")


def test_what_was_claimed_is_told_in_the_language_of_who_reads_it(house):
    ann = house.browser(**ARABIC, **{"User-Agent": PHONE})
    ann.claim("ann@widgetworks.example", "prices", n_prices="yes")
    ann.send("guide", q_country="CH")
    house.work()
    page = house.browser(**GERMAN).get(house.link())
    text = html.unescape(visible(page.text))

    assert_whole(page, "de")
    assert "Safari auf einem iPhone" in text
    assert "<bdi>Schweiz</bdi>" in page.text
    assert "monatlich" in text
    assert "„أرسلوا إليّ تنبيهات الأسعار.“" in text, "what was agreed to stays word for word"


# --- which language ---


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("de", "de"),
        ("de-CH;q=0.8, fr;q=0.9", "de"),
        ("DE-at", "de"),
        ("fr, nl", "en"),
        ("fr, ar;q=0.2, *;q=0.1", "ar"),
        ("*", "en"),
        ("", "en"),
        ("de;q=0, ar;q=0.5", "ar"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("de_DE@euro", "de"),
        ("x" * 9000, "en"),
        ("de;q=nan", "en"),
        ("../../de", "en"),
    ],
)
def test_the_browser_says_which_language_it_wants(house, wanted, language):
    assert spoken(house.browser(**{"Accept-Language": wanted}).gate("prices"))[0] == language


def test_a_page_that_knows_may_ask_for_a_language(house):
    ann = house.browser(**{"Accept-Language": "en"})
    page = ann.get("/g/prices?lang=de")
    refused = ann.post("/g/prices?lang=de", {**page.fields, "email": "ann"})
    sent = ann.post(
        "/g/prices?lang=de", {**page.fields, "email": "ann@widgetworks.example", "remember": "yes"}
    )

    assert_whole(page, "de")
    assert 'action="/g/prices?lang=de"' in page.text
    assert_whole(refused, "de")
    assert sent.headers["Location"] == "/g/prices/done?lang=de"
    assert_whole(ann.get(sent.headers["Location"]), "de")
    assert "/g/study?lang=de" in ann.get(sent.headers["Location"]).text
    house.work()
    assert house.mails()[-1]["Subject"] == "Ihr Link: Alle Preise"


def test_the_form_keeps_the_language_it_was_shown_in(house):
    ann = house.browser(**GERMAN)
    page = ann.gate("prices")
    ann.headers["Accept-Language"] = "en"
    refused = ann.send("prices", page, email="ann")
    ann.send("prices", page, email="ann@widgetworks.example", n_prices="yes")
    house.work()

    assert_whole(refused, "de")
    assert house.mails()[-1]["Subject"] == "Ihr Link: Alle Preise"


@pytest.mark.parametrize("asked", ["fr", "xx", "../de", "%00", "de'--", "x" * 3000])
def test_a_language_the_site_has_not_is_not_spoken(house, asked):
    page = house.browser().get(f"/g/prices?lang={asked}")

    assert page.status == 200
    assert spoken(page) == ("en", "ltr")
    assert "lang=" not in re.search(r'action="([^"]+)"', page.text)[1]


def test_a_site_in_english_only_answers_everybody_in_english(portal):
    portal.publish(SITE)
    page = portal.browser(**GERMAN).gate("study")
    asked = portal.browser(**GERMAN).get("/g/study?lang=de")

    assert (spoken(page), page.headers["Content-Language"]) == (("en", "ltr"), "en")
    assert spoken(asked) == ("en", "ltr")
    assert "Your e-mail address" in page.text


def test_a_site_in_german_only_answers_everybody_in_german(portal):
    portal.publish(SITE.replace("name: Acme Products", "name: Acme\n  locale: de"))
    ann = portal.browser(**{"Accept-Language": "en-GB,en"})
    ann.claim("ann@widgetworks.example", "prices")
    portal.work()

    assert spoken(ann.gate("study")) == ("de", "ltr")
    assert "Nicht Sie?" in ann.gate("study").text
    assert portal.mails()[-1]["Subject"] == "Ihr Link: All prices"


def test_a_language_we_do_not_speak_is_not_offered_beside_the_sites_own(portal):
    portal.publish(SITE.replace("headline: All prices", "headline: {en: All prices, fr: Les prix}"))
    page = portal.browser(**{"Accept-Language": "fr"}).gate("prices")

    assert spoken(page) == ("en", "ltr")
    assert "All prices" in page.text


def test_a_countrys_kind_of_a_language_is_spoken_as_its_language(portal):
    portal.publish(SITE.replace("headline: All prices", "headline: {en: All, de-AT: Alle Preise}"))
    page = portal.browser(**{"Accept-Language": "de"}).gate("prices")

    assert spoken(page) == ("de-AT", "ltr")
    assert "Alle Preise" in page.text
    assert "Ihre E-Mail-Adresse" in page.text


def test_the_notice_that_is_shown_is_the_one_that_is_kept(house):
    ann = house.browser(**GERMAN)
    page = ann.gate("prices")
    ann.send("prices", page, email="ann@widgetworks.example", n_prices="yes")
    with house.store.read() as session:
        [kept] = session.connection().exec_driver_sql(
            "SELECT privacy_notice, locale FROM consent_event"
        )

    assert "https://www.acme.example/datenschutz" in page.text
    assert tuple(kept) == ("https://www.acme.example/datenschutz", "de")


# --- as people write it ---


def test_names_dates_and_sizes_are_written_as_people_write_them(house):
    ann = house.browser(**GERMAN)
    ann.claim("ann@widgetworks.example", "prices")
    ann.send("guide", q_country="AT")
    house.work()
    page = ann.get(house.link()).text

    assert "Österreich" in page
    assert re.search(r"\d+\. [A-ZÄ][a-zä]+ 20\d\d, \d\d:\d\d UTC", visible(page))
    assert "TXT, 18 Byte" in ann.gate("prices").text


def test_what_is_written_from_the_left_stays_so(house):
    ann = house.browser(**ARABIC)
    ann.claim("ann@widgetworks.example", "guide")
    done = ann.get("/g/guide/done")

    assert '<b dir="ltr">a***@w***.example</b>' in done.text
    assert "<bdi>guide.txt</bdi>" in done.text


def test_what_somebody_typed_turns_none_of_our_words_round(house):
    house.publish(SITE_IN_THREE.replace("type: number", "type: company"))
    named, ann = "شركة الأدوات (ليدز) 7", house.browser()
    ann.claim("ann@widgetworks.example", "prices")
    ann.send("seats", q_seats=named)
    house.work()
    asked = ann.get(house.link())
    ann.prove(house)
    house.work()
    ask(ann, "ann@widgetworks.example")
    house.work()
    ann.post(link(house, "/me/"), PRESS)
    own = ann.get("/me")

    assert f"<bdi>{named}</bdi>" in asked.text
    assert own.text.count(named) == own.text.count(f"<bdi>{named}</bdi>") > 0
    assert "You took “<bdi>" in own.text


def test_a_title_cannot_bring_markup_into_a_sentence(house):
    house.publish(
        SITE_IN_THREE.replace("ar: قائمة أسعار 2026", "ar: '<script>alert(1)</script> %(x)r 100%'")
    )
    ann = house.browser(**ARABIC)
    ann.claim("ann@widgetworks.example", "prices")
    done = ann.get("/g/prices/done")

    assert done.status == 200
    assert "<script>alert" not in done.text
    assert "%(x)r 100%" in done.text


def test_an_old_browser_name_is_told_as_it_was_kept(house):
    ann = house.browser(**GERMAN, **{"User-Agent": FIREFOX})
    ann.claim("ann@widgetworks.example", "prices")
    house.work()

    assert "Firefox unter Linux" in ann.get(house.link()).text
