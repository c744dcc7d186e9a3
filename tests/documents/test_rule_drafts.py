"""Drafts of the buying model as they are kept: begun, changed by several people, tried."""

import json
import re
import threading
from datetime import timedelta

import pytest

from regportal.buying.backtest.models import Trial
from regportal.buying.schema import Buying
from regportal.buying.shadow import rules_in_shadow
from regportal.documents import drafts, history, releasing, rule_drafts
from regportal.documents.actions import Signed
from regportal.documents.drafts import Piece
from regportal.errors import DocumentError, NotHereError, StaleError
from regportal.store.documents import read_published
from tests.documents.conftest import NOON, SITE

ANN, BOB = "ann@acme.example", "bob@acme.example"
BUYING = """
buying:
  phases:
    - {id: cold, label: Cold}
    - id: warm
      label: Warm
      enter:
        any:
          - {event: download, where: {category: price-list}, within: 45d}
"""


@pytest.fixture
def held(desk):
    """An installation that published two phases."""
    desk.apply(f"{SITE}\n{BUYING}")
    return desk


def published(desk):
    with desk.store.read() as session:
        return read_published(session, 0)


def begun(desk, by=ANN):
    found = published(desk)
    return desk.store.write(
        lambda session: rule_drafts.begin_rules(session, found, by, now=NOON)
    ).id


def changed(desk, key, revision, work, by=ANN):
    return desk.store.write(
        lambda session: rule_drafts.change(session, key, revision, work, by, now=NOON)
    ).revision


def labelled(number, label):
    """Give a phase another label."""

    def work(body):
        phases = [dict(one) for one in body["phases"]]
        phases[number]["label"] = label
        return {**body, "phases": phases}

    return work


def within(span):
    """Let downloads of a price list count for another span."""

    def work(body):
        return json.loads(re.sub(r'"45d"|"20d"', json.dumps(span), json.dumps(body)))

    return work


def body_of(desk, key):
    with desk.store.read() as session:
        return rule_drafts.rules_of(session, drafts.draft_called(session, key)).body


def labels(body):
    return [one["label"] for one in rule_drafts.phases_in(body)]


def test_a_draft_begins_as_what_holds_and_changes_nothing_by_itself(held):
    key = begun(held)

    assert labels(body_of(held, key)) == ["Cold", "Warm"]
    assert labels(published(held).one(Buying, rule_drafts.KEY).as_written()) == ["Cold", "Warm"]


def test_where_nothing_is_published_a_draft_begins_as_the_model_that_ships(desk):
    desk.apply(SITE)
    key = begun(desk)

    assert len(labels(body_of(desk, key))) > 2
    assert published(desk).find(Buying, rule_drafts.KEY) is None


def test_each_change_is_a_revision_and_none_is_where_nothing_changed(held):
    key = begun(held)
    first = changed(held, key, 0, labelled(0, "Quiet"))
    second = changed(held, key, first, labelled(0, "Quiet"))

    assert (first, second) == (1, 1)
    assert labels(body_of(held, key)) == ["Quiet", "Warm"]


def test_who_looked_at_an_older_revision_changes_nothing(held):
    key = begun(held)
    changed(held, key, 0, labelled(0, "Quiet"))
    with pytest.raises(StaleError):
        changed(held, key, 0, labelled(1, "Hot"), by=BOB)

    assert labels(body_of(held, key)) == ["Quiet", "Warm"]


def test_of_many_who_change_the_same_revision_at_once_one_is_heard(held):
    key, start, told = begun(held), threading.Barrier(6), []

    def write(number):
        start.wait()
        try:
            changed(held, key, 0, labelled(0, f"By {number}"))
        except StaleError:
            told.append("stale")
        else:
            told.append(f"By {number}")

    threads = [threading.Thread(target=write, args=[number]) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert sorted(told)[1:] == ["stale"] * 5
    assert labels(body_of(held, key)) == [min(told), "Warm"]


def test_a_draft_of_something_else_is_none_of_rules(held):
    with held.store.read() as session:
        version = drafts.versions_now(session)["site", "site"]
        site = dict(history.body_of(session, "site", "site", version))
    piece = Piece("site", "site", site)
    other = held.store.write(lambda session: drafts.begin(session, [piece], ANN, now=NOON)).id
    key = begun(held)
    with pytest.raises(NotHereError):
        body_of(held, other)

    with held.store.read() as session:
        assert [one.id for one in rule_drafts.open_rule_drafts(session)] == [key]


def test_a_draft_with_faults_is_kept_and_neither_tried_nor_run_nor_published(held):
    key = begun(held)
    revision = changed(held, key, 0, lambda body: {**body, "phases": []})
    for work in (
        lambda session: rule_drafts.let_try(session, key, revision, now=NOON),
        lambda session: rule_drafts.let_run_in_shadow(
            session, read_published(session, 0), key, revision, now=NOON
        ),
        lambda session: releasing.release(
            session, held.storage, key, Signed(ANN), revision, now=NOON
        ),
    ):
        with pytest.raises(DocumentError):
            held.store.write(work)

    assert body_of(held, key)["phases"] == []
    assert len(published(held).one(Buying, rule_drafts.KEY).phases) == 2


def test_a_draft_is_asked_to_be_tried_and_runs_in_shadow_as_it_was_seen(held):
    key = begun(held)
    revision = changed(held, key, 0, within("20d"))
    since = NOON - timedelta(days=30)
    trial = held.store.write(
        lambda session: rule_drafts.let_try(session, key, revision, since, now=NOON)
    )
    held.store.write(
        lambda session: rule_drafts.let_run_in_shadow(
            session, read_published(session, 0), key, revision, now=NOON
        )
    )
    changed(held, key, revision, within("10d"))

    with held.store.read() as session:
        assert session.get_one(Trial, trial.id).id == trial.id
        shadow = rules_in_shadow(session)
    assert '"10d"' in json.dumps(body_of(held, key))
    assert '"20d"' in json.dumps(shadow.rules)
    assert '"10d"' not in json.dumps(shadow.rules)
