"""What was asked as sensitive is kept, used and exported, and never shown again."""

import pytest

from tests.portal import SITE
from tests.privacy.people import Person


@pytest.fixture
def ann(portal):
    """Somebody whose country the site takes for sensitive."""
    portal.publish(SITE.replace("key: country,", "key: country, sensitive: true,", 1))
    return Person(portal, "ann@example.com").arrives()


def test_her_page_says_that_it_is_kept_and_not_what(ann):
    page = ann.opens_her_page()

    assert "kept, and not shown" in page.text
    assert "Germany" not in page.text


def test_the_form_to_correct_it_begins_empty(ann):
    ann.opens_her_page()
    page = ann.browser.get("/me/answers/country")

    assert page.status == 200
    assert 'value="DE" selected' not in page.text
    assert 'selected value="DE"' not in page.text


def test_her_export_has_it(ann):
    ann.opens_her_page()

    assert '"DE"' in ann.browser.get("/me/export.json").text
