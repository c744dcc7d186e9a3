"""Numbers by their definitions: each of the funnel is a part of the one before."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.errors import BadRequestError
from regportal.forms.models import Submission
from regportal.insight.growth import growth
from regportal.insight.numbers import FUNNEL, MACHINES, NUMBERS, Span
from regportal.insight.paging import walk
from regportal.tracking.models import Visit


def counts(portal, **asked):
    span, now = Span(**asked), datetime.now(UTC)
    with portal.store.read() as session:
        return {one.key: one.count(session, span, now=now) for one in NUMBERS.values()}


@pytest.fixture
def used(portal):
    """Ann takes the guide and comes back, somebody only looks, and so does a crawler."""
    ann = portal.browser()
    ann.claim("ann@initech.example", gate="guide", n_news="yes")
    portal.work()
    page = ann.prove(portal)
    ann.get(page.download or ann.get("/g/guide/done").download)
    portal.browser().gate("study")
    portal.browser(**{"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}).gate(
        "study"
    )
    portal.work()
    return portal


def test_each_of_the_funnel_is_a_part_of_the_one_before(used):
    told = counts(used)
    steps = [told[one.key] for one in FUNNEL]

    assert steps == sorted(steps, reverse=True)
    assert told["shown"] > told["sent"] > 0
    assert told["passed"] == told["fetched"] == 1
    assert told["returned"] == 0


def test_who_came_in_a_later_visit_came_back(used):
    later = datetime.now(UTC) + timedelta(hours=2)

    def come(session):
        visitor = session.scalars(sa.select(Submission.visitor_id)).first()
        session.add(Visit(visitor_id=visitor, started_at=later, last_at=later))

    used.store.write(come)

    assert counts(used)["returned"] == 1


def test_machines_are_counted_apart(used):
    told = counts(used, gate="study")

    assert (told["shown"], told["machines"]) == (1, 1)
    assert MACHINES.key not in {one.key for one in FUNNEL}


def test_every_number_is_how_many_rows_it_opens(used):
    now = datetime.now(UTC)
    with used.store.read() as session:
        for one in NUMBERS.values():
            rows = [*walk(lambda at, one=one: one.page(session, Span(), at, 1, now=now))]
            assert len(rows) == one.count(session, Span(), now=now), one.key


def test_a_mark_of_another_list_is_refused(used):
    with used.store.read() as session, pytest.raises(BadRequestError):
        FUNNEL[0].page(session, Span(), "x", now=datetime.now(UTC))


def test_what_is_known_grows_with_visits(portal):
    ann = portal.browser()
    ann.claim("ann@initech.example", gate="guide")
    portal.work()
    ann.prove(portal)
    ann.send("study", q_country="DE")
    portal.work()
    with portal.store.read() as session:
        first = growth(session, datetime.now(UTC) - timedelta(days=1))
        none = growth(session, datetime.now(UTC) + timedelta(days=1))

    assert [(one.visit, one.people, one.median) for one in first] == [(1, 1, 1.0)]
    assert none == []
