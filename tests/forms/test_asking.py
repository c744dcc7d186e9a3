"""What a gate asks, of whom, and when."""

from datetime import timedelta

import pytest
import time_machine

from tests.portal import SITE


@pytest.fixture
def ann(portal):
    """A browser whose owner gave her address at the guide."""
    browser = portal.browser()
    browser.claim("ann@widgetworks.example")
    return browser


def test_a_first_visit_asks_the_address_then_one_question_then_nothing(portal):
    ann = portal.browser()

    first = ann.gate("guide")
    assert (first.asks_email, first.question) == (True, None)
    ann.send("guide", first, email="ann@widgetworks.example", remember="yes")

    second = ann.gate("study")
    assert (second.asks_email, second.question) == (False, "country")
    ann.send("study", second, q_country="DE")

    third = ann.gate("prices")
    assert (third.asks_email, third.question) == (False, None)


def test_the_same_asset_again_is_one_click(ann):
    again = ann.gate("guide")

    assert (again.asks_email, again.question) == (False, None)
    assert ann.send("guide", again).headers["Location"] == "/g/guide/done"


def test_the_budget_decides_what_a_page_shows_and_never_refuses_a_form(ann, portal):
    one, other = ann.gate("study"), ann.gate("prices")
    ann.send("study", one, q_country="DE")

    assert other.question == "country"
    assert ann.send("prices", other, q_country="FR").status == 303


def test_a_new_visit_asks_again_after_half_an_hour(portal):
    ann = portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann.claim("ann@widgetworks.example")
        assert ann.gate("guide").question is None
        clock.shift(timedelta(minutes=31))

        assert ann.gate("guide").question == "country"


def test_a_condition_must_hold_before_its_question_is_asked(portal):
    ann = portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann.claim("ann@widgetworks.example")
        clock.shift(timedelta(days=1))
        ann.send("guide", q_country="US")
        clock.shift(timedelta(days=1))

        page = ann.gate("guide")
        assert page.question == "region"
        assert "California" in page.text
        assert ann.send("guide", page, q_region="US-CA").status == 303


def test_a_declined_question_rests_and_the_next_one_comes_another_day(portal):
    ann = portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann.claim("ann@widgetworks.example")
        clock.shift(timedelta(days=1))
        assert ann.send("guide", decline="yes").status == 303
        assert ann.gate("study").question is None

        clock.shift(timedelta(days=1))
        assert ann.gate("guide").question == "company"

        clock.shift(timedelta(days=90))
        assert ann.gate("guide").question == "country"


def test_a_required_question_cannot_be_declined(ann):
    page = ann.gate("must")
    assert page.question == "company"
    assert 'name="decline"' not in page.text

    refused = ann.send("must", page, decline="yes")
    assert (refused.status, refused.errors) == (422, ["q-company"])
    refused = ann.send("must", page)
    assert (refused.status, refused.errors) == (422, ["q-company"])


def test_a_newsletter_is_offered_three_times_and_never_again(portal):
    ann = portal.browser()
    assert ann.gate("guide").newsletter == "news"
    ann.claim("ann@widgetworks.example")
    ann.send("guide")
    assert ann.gate("guide").newsletter == "news"
    ann.send("guide")

    assert ann.gate("guide").newsletter is None
    assert ann.gate("study").newsletter == "prices"


def test_a_box_is_never_ticked_beforehand(ann):
    page = ann.gate("study")

    assert page.newsletter == "news"
    assert "checked" not in page.text


def test_the_page_after_the_file_suggests_two_assets_of_the_same_topics(ann):
    page = ann.get("/g/guide/done")

    assert "A case study" in page.text
    assert "Price list 2026" not in page.text


@pytest.mark.parametrize(
    ("question", "typed", "kept"),
    [
        ("seats", "1.200", 1200),
        ("seats", "2,5", 2.5),
        ("phone", "0113 496 0000", None),
        ("phone", "+44 113 496 0000", "+441134960000"),
        ("company", "  Widget   Works ", "Widget Works"),
    ],
)
def test_what_is_typed_becomes_a_value(portal, question, typed, kept):
    ann = portal.browser()
    questions = f"questions: [{question}]"
    site = (portal.folder / "regportal.yaml").read_text()
    portal.publish(site.replace("questions: [country, company]", questions))
    ann.claim("ann@widgetworks.example")
    sent = ann.send("study", **{f"q_{question}": typed})

    if kept is None:
        assert (sent.status, sent.errors) == (422, [f"q-{question}"])
        assert typed in sent.text
    else:
        portal.work()
        assert portal.news("contact.claimed")[-1]["fields"] or sent.status == 303
        fields = portal.news("contact.claimed")[-1]["fields"]
        assert [one["value"] for one in fields.values()] == [kept]


def test_countries_are_named_in_the_language_of_the_page(portal, ann):
    headline = "{key: study, asset: study, headline: {en: A case study, de: Eine Fallstudie}"
    portal.publish(SITE.replace("{key: study, asset: study, headline: A case study", headline))
    page = ann.gate("study", **{"Accept-Language": "de-AT,de;q=0.9"})

    assert "Eine Fallstudie" in page.text
    assert "Österreich" in page.text


@pytest.mark.parametrize("address", ["ann@gmail.com", "ann@mailinator.com"])
def test_a_gate_for_business_addresses_says_so(portal, address):
    refused = portal.browser().send("work", email=address)

    assert (refused.status, refused.errors) == (422, ["email"])
    assert "at work" in refused.text
    assert portal.browser().send("work", email="ann@widgetworks.example").status == 303


def test_the_funnel_is_measured(portal):
    ann = portal.browser()
    ann.claim("ann@widgetworks.example")
    ann.gate("study")
    ann.send("study", q_country="DE")
    with portal.store.read() as session:
        pass

    portal.store.catch_up()
    with portal.store.read() as session:
        shown = {(one.gate, one.question, one.outcome) for one in _shown(session)}
    assert ("study", "country", "answered") in shown
    assert ("study", "country", None) in shown
    assert ("guide", None, "answered") in shown


def _shown(session):
    from sqlalchemy import select

    from regportal.forms.models import Shown

    return session.scalars(select(Shown)).all()


def test_a_form_made_for_somebody_who_is_known_is_not_taken_from_anybody_else(portal):
    ann = portal.browser()
    ann.claim("ann@acme.example")
    hers = ann.gate("study")
    eve = portal.browser()
    eve.gate("guide")

    assert eve.send("study", hers).status == 409
