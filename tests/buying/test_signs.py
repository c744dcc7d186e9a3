"""Since when what was done is whose own: what nothing is said of later is read in short."""

from datetime import UTC, datetime
from itertools import product

import pytest

from regportal.buying.signs import LADDER, _at_first, _later, _spells
from regportal.store.ids import uuid7
from regportal.tracking.actions import Seen
from regportal.tracking.models import Attributed, Judged

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attribution", "judged", "is_known", "least"),
    [*product(Attributed, Judged, (True, False), LADDER)],
)
def test_the_short_way_comes_to_what_the_long_way_does(attribution, judged, is_known, least):
    enough = LADDER[LADDER.index(least) :]
    contact = uuid7() if is_known else None
    taken = Seen(
        *(uuid7(), "download", "list", "price-list", NOON, NOON, attribution, judged, contact, None)
    )
    whose, by = _later(taken, [])
    assert _at_first(taken, enough) == tuple(_spells(taken, whose, by, enough))
