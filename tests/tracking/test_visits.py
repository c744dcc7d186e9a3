"""Visits: one ends when nobody has been heard of for a while; where it came from is kept."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.visitors import begin_visitor
from regportal.tracking.actions import visit_going_on, visit_of
from regportal.tracking.models import Touch, Visit

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
IDLE = timedelta(minutes=30)


@pytest.fixture
def ann(store):
    return store.write(lambda session: begin_visitor(session, "ann", now=NOON).id)


@pytest.fixture
def bob(store):
    return store.write(lambda session: begin_visitor(session, "bob", now=NOON).id)


def come(store, who, minutes, **source):
    now = NOON + timedelta(minutes=minutes)
    return store.write(lambda session: visit_of(session, who, IDLE, now=now, **source).id)


def test_a_visit_goes_on_as_long_as_somebody_is_heard_of_within_half_an_hour(store, ann):
    visits = [come(store, ann, minutes) for minutes in (0, 29, 58, 87)]

    assert len(set(visits)) == 1


def test_half_an_hour_of_silence_ends_it(store, ann):
    visits = [come(store, ann, minutes) for minutes in (0, 30, 45, 80)]

    assert [visits.index(one) for one in visits] == [0, 1, 1, 3]


def test_everybody_has_a_visit_of_his_own(store, ann, bob):
    assert come(store, ann, 0) != come(store, bob, 0)


def test_looking_whether_a_visit_goes_on_does_not_prolong_it(store, ann):
    visit = come(store, ann, 0)
    with store.read() as session:
        found = [
            visit_going_on(session, ann, IDLE, now=NOON + timedelta(minutes=minutes))
            for minutes in (20, 29, 31)
        ]

    assert [one.id if one else None for one in found] == [visit, visit, None]


def test_where_a_visit_came_from_is_kept_once(store, ann):
    come(store, ann, 0, referrer="https://search.example/", parameters={"utm_source": "ad"})
    come(store, ann, 5, referrer="https://other.example/", parameters={"utm_source": "mail"})
    come(store, ann, 60, parameters={"utm_source": "mail"})
    with store.read() as session:
        touches = session.execute(
            sa.select(Touch.referrer, Touch.parameters).order_by(Touch.at)
        ).all()

    assert [tuple(one) for one in touches] == [
        ("https://search.example/", {"utm_source": "ad"}),
        (None, {"utm_source": "mail"}),
    ]


def test_a_gate_keeps_campaign_and_referrer_of_the_first_page(portal):
    ann = portal.browser()
    page = ann.get(
        "/g/guide?utm_source=ad&utm_campaign=spring&email=eve@evil.example",
        Referer="https://search.example/results?q=secret",
    )
    action = page.text.partition('data-rp="gate"')[2].partition('action="')[2].partition('"')[0]
    ann.post(
        action.replace("&amp;", "&"),
        {**page.fields, "email": "ann@acme.example", "remember": "yes"},
    )
    with portal.store.read() as session:
        [touch] = session.scalars(sa.select(Touch))

    assert touch.parameters == {"utm_source": "ad", "utm_campaign": "spring"}
    assert touch.referrer == "https://search.example/results"


def test_the_site_says_how_long_a_visit_may_be_silent(portal):
    ann = portal.browser()
    with time_machine.travel(NOON, tick=False) as clock:
        ann.claim("ann@acme.example")
        clock.shift(IDLE - timedelta(seconds=1))
        ann.send("study")
        clock.shift(IDLE)
        ann.send("study", q_company="Widget Works")
    with portal.store.read() as session:
        visits = session.scalars(sa.select(Visit).order_by(Visit.started_at)).all()

    assert [(one.last_at - one.started_at) for one in visits] == [
        IDLE - timedelta(seconds=1),
        timedelta(0),
    ]
