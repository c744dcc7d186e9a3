"""Query parameters and referrer, kept as they arrived, on the visit they began."""

import html
import re

import sqlalchemy as sa

from regportal.tracking.models import Touch


def action_of(page):
    """Return where the form of a page goes."""
    form = re.search(r'<form data-rp="gate"[^>]*action="([^"]*)"', page.text)
    return html.unescape(form[1])


def touches(portal):
    """Return every touch as (referrer, parameters)."""
    with portal.store.read() as session:
        return [(one.referrer, one.parameters) for one in session.scalars(sa.select(Touch))]


def test_a_campaign_and_a_referrer_come_with_the_form(portal):
    ann = portal.browser()
    page = ann.get(
        "/g/guide?utm_source=fair&utm_campaign=spring&gclid=abc&password=secret",
        Referer="https://news.example/article?reader=4711#top",
    )
    ann.post(action_of(page), {**page.fields, "email": "ann@widgetworks.example"})

    assert touches(portal) == [
        (
            "https://news.example/article",
            {"utm_source": "fair", "utm_campaign": "spring", "gclid": "abc"},
        )
    ]


def test_a_frame_is_told_where_the_page_around_it_was_reached_from(portal):
    ann = portal.browser()
    page = ann.get(
        "/g/guide?in=frame&host=https://www.acme.example&rp_ref=https://search.example/q",
        Referer="https://www.acme.example/widgets",
    )
    assert action_of(page).startswith("/g/guide?in=frame&host=https://www.acme.example")
    ann.post(action_of(page), {**page.fields, "email": "ann@widgetworks.example"})

    assert touches(portal) == [("https://search.example/q", {})]


def test_our_own_pages_and_nonsense_are_no_referrers(portal):
    for referrer in (
        "http://localhost:8000/g/study",
        "javascript:alert(1)",
        "https://[",
        "x" * 9000,
    ):
        ann = portal.browser()
        page = ann.get("/g/guide", Referer=referrer)
        ann.post(action_of(page), {**page.fields, "email": "ann@widgetworks.example"})

    assert [referrer for referrer, _ in touches(portal)] == [None] * 4
