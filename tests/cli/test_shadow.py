"""`regportal shadow`: a draft beside the published rules, from the front door."""

from datetime import UTC, datetime, timedelta

import pytest

from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM, PRICES, Scene

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
DRAFT = """\
buying:
  phases:
    - id: unaware
    - id: warm
      label: Getting warm
      enter: {any: [{event: download, within: 90d}]}
"""


@pytest.fixture
def scene(installed, database_url):
    """Ann took a price list ten days ago."""
    scene = Scene(Store(make_engine(database_url)))
    scene.publish(CRM, PRICES)
    ann = scene.contact("ann@example.com")
    deal = scene.opportunity(name="500 widgets", now=NOW - 50 * DAY)
    scene.role(deal, ann, now=NOW - 50 * DAY)
    scene.did(ann, now=NOW - 10 * DAY)
    scene.weigh(now=NOW)
    yield scene
    scene.store.close()


@pytest.fixture
def draft(tmp_path):
    path = tmp_path / "draft.yaml"
    path.write_text(DRAFT)
    return path


def test_it_begins_says_what_it_would_do_otherwise_and_ends(installed, scene, draft):
    begun = installed("shadow", "begin", draft)
    waiting = installed("shadow", "show")
    scene.weigh(now=NOW + timedelta(minutes=1))
    told = installed("shadow", "show").out.splitlines()
    explained = installed("explain", "opportunity", "crm:006")
    as_json = installed("shadow", "show", "--json").json()
    checked = installed("replay", "--check")
    ended = installed("shadow", "end")

    assert (begun.code, ended.code) == (0, 0)
    assert "not worked out yet: 1 (is a worker running?)" in waiting.out
    assert told[0].endswith(": unaware, warm")
    assert told[1:3] == [
        "moves since then: published 0, draft 0",
        "open opportunities: 1, of which 1 are in another phase",
    ]
    assert told[3].startswith("  500 widgets (crm:006): Comparison since ")
    assert "; draft: Getting warm since " in told[3]
    assert "the draft in shadow would have it in Getting warm since " in explained.out
    assert as_json["opportunities"][0]["draft"]["phase"] == "warm"
    assert checked.code == 0


@pytest.mark.parametrize("arguments", [("show",), ("end",)])
def test_where_nothing_is_in_shadow_it_says_so(installed, arguments):
    ran = installed("shadow", *arguments)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("no draft is in shadow")


def test_what_could_not_be_published_is_refused(installed, scene, draft):
    draft.write_text(DRAFT.replace("within: 90d", "where: {category: prices}, within: 90d"))
    ran = installed("shadow", "begin", draft)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("draft.yaml:6: buying.phases[1].enter.any[0].where.category: ")


def test_a_second_one_is_refused(installed, scene, draft):
    installed("shadow", "begin", draft)
    ran = installed("shadow", "begin", draft)

    assert (ran.code, "in shadow already" in ran.err) == (1, True)
