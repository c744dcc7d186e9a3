"""docs/scores.md tells of Ann; what it says of her is what the example really gives."""

import re
from datetime import UTC, datetime
from pathlib import Path

from regportal.buying.scores.crossing import next_change
from regportal.buying.scores.profile import facts_of, points_of
from regportal.buying.scores.rollup import Member, rolled_up
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Standing, Told
from regportal.documents.reading import read_text

TEXT = (Path(__file__).parents[3] / "docs" / "scores.md").read_text(encoding="utf-8")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()


def test_ann_is_worth_what_the_page_says_and_cools_down_when_it_says():
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    book = read_text(example.encode())
    book.refuse_faults()
    scoring = Scoring(book.documents["score", "engagement"])
    ann = facts_of("ann@initech.example", [("role", "job-title", "Head of Procurement")])
    standing = Standing(points_of(scoring.score.profile, ann))
    standing.hear(scoring, Told("download", "price-list", NOON, "a"))
    parts = standing.parts(scoring, NOON)
    cooled = datetime.fromtimestamp(next_change(scoring, standing, NOON), UTC)

    assert f"(engagement): {parts.total:g}, hot since" in TEXT
    assert f"profile: {parts.profile:+g}" in TEXT
    assert f"temporal: {parts.temporal:+g}" in TEXT
    assert f"warm from {cooled:%Y-%m-%dT%H:%M:%S}" in TEXT
    assert (
        f"account initech.example: {rolled_up('noisy_or', [Member(65), Member(40)]).value:g} (2"
        in TEXT
    )
