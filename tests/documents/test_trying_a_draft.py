"""Programs try a draft of rules on the history: /api/v1/backtests."""

import itertools
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.backtest import beside, trials
from regportal.buying.backtest.models import Trial, TrialState
from regportal.buying.schema import Buying
from regportal.identity.keys import SCOPES, add_key
from tests.buying.scene import CRM, PRICES, Scene
from tests.patience import FOR_EVER, PATIENCE
from tests.portal import ORIGIN

HERE = "/api/v1/backtests"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
DRAFT = """\
buying:
  phases:
    - id: unaware
    - id: warm
      enter: {any: [{event: download, within: 30d}]}
      exit: {any: [{quiet: {for: 30d}}]}
"""
DRAFTED = Buying.model_validate({"phases": [{"id": "unaware"}]})
MODEL = {"phases": [{"id": "unaware"}]}


@pytest.fixture
def scene(portal):
    """Ann took a price list 40 days ago, and her company bought ten days later."""
    scene = Scene(portal.store)
    scene.publish(CRM, PRICES)
    ann, deal = scene.contact("ann@example.com"), scene.opportunity(now=NOW - 50 * DAY)
    scene.role(deal, ann, now=NOW - 50 * DAY)
    scene.did(ann, now=NOW - 40 * DAY)
    scene.opportunity(now=NOW - 30 * DAY, is_closed=True, is_won=True)
    return scene


@pytest.fixture
def ask(portal, scene):
    """Return what asks with a key."""
    _, secret = portal.store.write(lambda one: add_key(one, "studio", [*SCOPES], now=NOW))
    client = portal.app.test_client()

    def ask(method, address=HERE, **body):
        key = {"Authorization": f"Bearer {secret}"}
        more = {"json": body} if method == "POST" else {}
        return client.open(address, method=method, base_url=ORIGIN, headers=key, **more)

    return ask


@pytest.fixture
def work(portal, database_url):
    """Run what waits, as the worker does."""
    return lambda: beside.try_what_waits(portal.store, database_url, lambda: True)


def test_a_draft_is_tried_beside_whoever_answers(ask, work):
    begun = ask("POST", document=DRAFT)
    waiting = ask("GET", begun.headers["Location"])
    work()
    done = ask("GET", begun.headers["Location"]).json

    assert begun.status_code == 202
    assert begun.headers["Location"].endswith(f"{HERE}/{begun.json['key']}")
    assert waiting.json["state"] == "waiting"
    assert (done["state"], done["tried"], done["of"]) == ("done", 1, 1)
    assert done["trouble"] is None
    assert done["report"]["opportunities"] == {"open": 0, "won": 1, "lost": 0}
    assert [one["phase"] for one in done["report"]["draft"]["phases"]] == ["unaware", "warm"]


def test_only_a_part_of_the_history_counts_where_that_is_asked(ask, work):
    begun = ask("POST", document=json.dumps(MODEL), to=(NOW - 45 * DAY).isoformat())
    work()
    report = ask("GET", begun.headers["Location"]).json["report"]

    assert report["opportunities"] == {"open": 1, "won": 0, "lost": 0}


@pytest.mark.parametrize(
    ("body", "status", "field", "says"),
    [
        ({"document": "gates: []"}, 422, "document", "document:1: buying: is missing"),
        ({"document": "buying: ["}, 422, "document", "document:1"),
        (
            {"document": DRAFT.replace("quiet: {for: 30d}", "quiet: {for: soon}")},
            422,
            "document",
            "document:6: buying.phases[1].exit.any[0].quiet.for: ",
        ),
        (
            {"document": DRAFT.replace("within: 30d", "where: {category: prices}, within: 30d")},
            422,
            "document",
            "document:5: buying.phases[1].enter.any[0].where.category: ",
        ),
        ({"document": DRAFT.replace("warm", "a b", 1)}, 422, "document", "phases[1].id: "),
        ({"document": ""}, 400, "document", "document: "),
        ({}, 400, "document", "document: is missing"),
        ({"document": DRAFT, "to": "2999-01-01T00:00:00Z"}, 400, "to", "lies ahead"),
        ({"document": DRAFT, "from": "2999-01-01T00:00:00Z"}, 400, "from", "must be before"),
        ({"document": DRAFT, "from": "2999-01-01"}, 400, "from", "must be before"),
        ({"document": DRAFT, "from": "2026-02-30"}, 400, "from", "from: "),
        ({"document": DRAFT, "from": "2026-03-01T10:00"}, 400, "from", "from: "),
    ],
)
def test_a_draft_that_could_not_be_published_is_refused_with_the_place(
    ask, scene, body, status, field, says
):
    refused = ask("POST", **body)

    assert (refused.status_code, refused.json["field"]) == (status, field)
    assert refused.content_type == "application/problem+json"
    assert says in refused.json["detail"]
    assert rows(scene) == []


def rows(scene):
    with scene.store.read() as session:
        return session.scalars(sa.select(Trial).order_by(Trial.id)).all()


def test_of_several_faults_the_first_is_named_and_how_many_there_are(ask):
    refused = ask("POST", document=DRAFT.replace("30d", "soon"))

    assert refused.json["detail"].endswith("(the first of 2 faults).")


def test_who_deletes_one_stops_it(ask, work):
    key = ask("POST", document=DRAFT).headers["Location"]
    stopped = ask("DELETE", key)
    work()

    assert (stopped.status_code, stopped.json["state"]) == (200, "waiting")
    assert [ask(method, key).status_code for method in ("GET", "DELETE")] == [404, 404]


def test_what_is_deleted_while_it_runs_ends_at_once(
    ask, portal, database_url, monkeypatch, tmp_path
):
    address, ended = ask("POST", document=DRAFT).headers["Location"], tmp_path / "ended"
    slow = f"import time; time.sleep({PATIENCE}); open({str(ended)!r}, 'w')"
    monkeypatch.setattr(beside, "COMMAND", (sys.executable, "-c", slow))
    asked = itertools.count()

    def going():
        if next(asked) == 2:
            ask("DELETE", address)
        return True

    beside.try_what_waits(portal.store, database_url, going)

    assert not ended.exists()
    assert ask("GET", address).status_code == 404


def test_it_ends_with_who_began_it():
    slow = f"""
from regportal.buying.backtest import beside
import time
beside.run = lambda *_: time.sleep({FOR_EVER})
beside.main()
"""
    with subprocess.Popen([sys.executable, "-c", slow], stdin=subprocess.PIPE) as child:
        child.stdin.write(b'["sqlite://", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b"]\n')
        child.stdin.close()

        assert child.wait(timeout=PATIENCE) == 1


def test_more_than_ten_do_not_wait(ask):
    told = [ask("POST", document=DRAFT) for _ in range(11)]

    assert [one.status_code for one in told] == [202] * 10 + [429]
    assert told[-1].headers["Retry-After"] == "60"


def test_they_are_kept_for_a_week_and_the_newest_fifty(ask, scene):
    def work(session):
        for day in range(9):
            for _ in range(10):
                trials.ask(session, DRAFTED, None, None, now=NOW + day * DAY)
            for one in session.scalars(sa.select(Trial).where(trials.UNFINISHED)):
                trials.finish(session, one.id, {}, now=NOW + day * DAY)
        session.expire_all()

    scene.store.write(work)
    assert len(rows(scene)) == 50

    scene.store.write(lambda session: trials.tidy(session, now=NOW + 14.5 * DAY))
    assert len(rows(scene)) == 10


def test_whose_runner_died_is_begun_again(scene):
    def work(session):
        return trials.ask(session, DRAFTED, None, None, now=NOW).id

    key = scene.store.write(work)
    takes = [
        scene.store.write(lambda session, at=at: trials.take(session, now=at))
        for at in (NOW, NOW + trials.LEASE / 2, NOW + trials.LEASE)
    ]

    assert takes == [key, None, key]


def test_where_we_end_it_waits_for_who_comes_next(ask, portal, database_url):
    ask("POST", document=DRAFT)
    answers = iter([True, False])
    beside.try_what_waits(portal.store, database_url, lambda: next(answers, False))

    assert [one.state for one in rows(portal)] == [TrialState.WAITING]


def test_what_breaks_says_so_and_is_not_tried_again(ask, portal, work):
    address = ask("POST", document=DRAFT).headers["Location"]
    portal.store.write(lambda session: session.execute(sa.update(Trial).values(rules={"a": 1})))
    work()
    told = ask("GET", address).json

    assert (told["state"], told["report"]) == ("failed", None)
    assert told["trouble"].startswith("ValidationError at ")


def test_a_process_that_dies_says_so(ask, work, monkeypatch):
    address = ask("POST", document=DRAFT).headers["Location"]
    monkeypatch.setattr(beside, "COMMAND", (sys.executable, "-c", "import os; os.abort()"))
    work()

    assert ask("GET", address).json["trouble"] == beside.BROKE


def test_another_key_may_not(portal, scene):
    _, secret = portal.store.write(lambda one: add_key(one, "crm", ["timeline"], now=NOW))
    refused = portal.app.test_client().post(
        HERE,
        json={"document": DRAFT},
        base_url=ORIGIN,
        headers={"Authorization": f"Bearer {secret}"},
    )

    assert refused.status_code == 403
    assert "backtest" in refused.json["detail"]


def test_a_day_stands_for_its_beginning(ask, scene):
    taken = ask("POST", document=DRAFT, **{"from": "2026-03-01", "to": "2026-03-08"})

    assert taken.status_code == 202
    (row,) = rows(scene)
    assert (row.since, row.until) == (
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 8, tzinfo=UTC),
    )
