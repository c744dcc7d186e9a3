"""Who has how much at any later moment, asked of the database: the same as looking at everybody."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regportal.buying.scores.heard import Heard
from regportal.buying.scores.reading import _who_may_have, at_least, best
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.templates import template_of
from regportal.documents.reading import read_text
from regportal.store.ids import uuid7
from tests.buying.scores import oracle
from tests.buying.scores.made_up import NOON, as_told, scores, signs

DAY = timedelta(days=1)
DOMAINS = {"business": "acme.example", "free": "gmail.com"}
STARTED = datetime.fromtimestamp(NOON, UTC)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    score=scores(),
    people=st.lists(st.tuples(st.sampled_from([*DOMAINS]), signs(most=8)), min_size=1, max_size=5),
    limit=st.integers(1, 20),
    asked=st.tuples(st.integers(0, 400), st.integers(1, 100), st.integers(1, 5)),
)
def test_what_the_database_finds_is_what_looking_at_everybody_finds(
    scene, listener, score, people, limit, asked
):
    scene.publish(score)
    days, value, count = asked
    at, histories, worth = STARTED + days * DAY, {}, {}
    for kind, done in people:
        contact = scene.contact(f"{uuid7()}@{DOMAINS[kind]}")
        histories[contact] = done
        fixed = oracle.fixed(score, kind)
        worth[contact] = oracle.total(score, fixed, done, at.timestamp())
        for type, category, when, _, film in done:
            then = datetime.fromtimestamp(when, UTC)
            told = as_told(*film) if film else {}
            scene.did(contact, category, type=type, now=STARTED, occurred_at=then, **told)
    listener.hear(now=STARTED, limit=limit)
    listener.tell(Heard(answered={*histories}), now=STARTED)
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        enough = {one.contact for one in at_least(session, published, "s", value, at=at)}
        first = best(session, published, "s", count, at=at)

    clear_cut = {one for one, has in worth.items() if abs(has - value) > 1e-6}
    ranked = sorted((has for has in worth.values() if has >= 1), reverse=True)[:count]
    assert enough & clear_cut == {one for one in clear_cut if worth[one] >= value}
    assert [one.value for one in first] == sorted((one.value for one in first), reverse=True)
    assert all(abs(one.value - has) < 1e-6 for one, has in zip(first, ranked, strict=False))
    assert abs(len(first) - len(ranked)) <= sum(abs(has - 1) < 1e-6 for has in worth.values())
    assert all(abs(one.value - worth[one.contact]) < 1e-6 for one in first)
    assert [one for one in listener.differences(now=at) if one.contact in histories] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_that_part_of_the_index_is_read_where_somebody_may_have_enough(store):
    book = read_text(template_of("qualify").encode())
    query = _who_may_have(Scoring(book.documents["score", "qualify"]), 70, NOON)
    asked = str(query.compile(store.engine, compile_kwargs={"literal_binds": True}))
    with store.engine.connect() as connection:
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")]

    assert [one for one in steps if one.startswith(("SEARCH score", "SCAN score"))] == [
        "SEARCH score_state USING INDEX ix_score_state_rank (score=? AND fixed>?)",
        "SEARCH score_state USING INDEX ix_score_state_rank (score=? AND fixed=? AND rank>?)",
    ]
