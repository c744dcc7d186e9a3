"""
A gate to be published at the end of time, or at its beginning.

Databases and browsers know the year 9999; the clock of a zone west or east of Greenwich ends a
few hours before it. Whoever may publish once, and writes such a moment, would leave a draft that
no list can show any more: every page on which it stands would fail, for all colleagues.
"""

import re

import pytest

from tests.portal import SITE
from tests.studio.staff import Company
from tests.studio.test_gates import IN_BERLIN, begin, decide

pytestmark = pytest.mark.both
LOS_ANGELES = IN_BERLIN.replace("Europe/Berlin", "America/Los_Angeles")


@pytest.fixture
def company(portal):
    portal.publish()
    return Company(portal)


@pytest.mark.parametrize("zone", [IN_BERLIN, LOS_ANGELES], ids=["Berlin", "Los Angeles"])
@pytest.mark.parametrize("at", ["9999-12-31T23:59", "0001-01-01T00:00", "2100-01-01T00:00"])
def test_no_moment_that_no_clock_shows_is_taken(company, zone, at):
    company.portal.publish(SITE + zone)
    desk = company.at_desk("eve@acme.example", "marketer")
    draft = begin(desk)
    answer = decide(desk, draft, "schedule", at=at)

    assert answer.status == 422
    assert "within the next ten years" in answer.errors["at"]
    assert desk.get("/gates").status == desk.get(draft).status == 200
    assert not re.search("by itself: ", desk.get(draft).text)


@pytest.mark.parametrize("up", ["", "nobody", "<script>", "country\x00", "company" * 500])
def test_a_place_further_to_the_front_of_nothing_moves_nothing(company, up):
    desk = company.at_desk("eve@acme.example", "marketer")
    draft = begin(desk)
    chosen = {"chosen": ["country", "company"]}
    answer = desk.post(f"{draft}/questions", {**chosen, "up": up})
    shown = desk.get(f"{draft}/questions").text

    assert answer.status == 303
    assert re.findall(r'name="up" value="(\w+)"', shown) == ["company"]
