"""Phases and scores as sentences: read, changed, tried, compared, let hold."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.backtest import beside
from regportal.buying.shadow import rules_in_shadow
from regportal.documents import drafts
from regportal.documents.models import DraftDocument
from regportal.documents.releasing import publish_due
from tests.portal import SITE
from tests.studio.forms import form_of, plain

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REVISION = re.compile(r'name="revision" value="([0-9]+)"')
BUYING = """
buying:
  phases:
    - {id: cold, label: Cold}
    - id: warm
      label: Warm
      enter:
        any:
          - {event: download, where: {category: price-list}, within: 45d}
      exit: {any: [{quiet: {for: 90d}}]}
"""
WITH_RULES = f"{SITE}\n{BUYING}"


@pytest.fixture
def ann(company):
    """A marketer, where two phases are published."""
    company.portal.publish(WITH_RULES)
    return company.at_desk("ann@acme.example", "marketer")


def begin(desk):
    desk.get("/rules")
    return desk.post("/rules/drafts").leads_to.removeprefix("/studio")


def phase_of(desk, draft, place=1):
    return desk.get(f"{draft}/phase?place={place}")


def save(desk, draft, fields=(), place=1, deed="save", **more):
    sent = form_of(phase_of(desk, draft, place)) | dict(fields) | {"do": deed}
    return desk.post(f"{draft}/phase?place={place}", sent | more)


def revision(desk, draft):
    return {"revision": REVISION.search(desk.get(draft).text)[1]}


def body_of(company, draft):
    with company.store.read() as session:
        key = uuid.UUID(draft.rsplit("/", 1)[1])
        return session.scalar(sa.select(DraftDocument.body).where(DraftDocument.draft_id == key))


def test_what_holds_is_read_as_sentences(ann):
    shown = plain(ann.get("/rules"))

    assert "Every opportunity begins here." in shown
    assert "An opportunity enters Warm as soon as this holds:" in shown
    assert "a download of a price list within 45 days" in shown
    assert "It falls back to Cold as soon as this holds:" in shown
    assert "nobody does anything for 90 days" in shown
    assert re.search(
        r"Warm since 4 Mar 2026 10:12: ann@example.com downloaded .+ \(1 needed", shown
    )


def test_a_draft_is_changed_part_by_part_and_published(ann, company):
    draft = begin(ann)
    fields = {"enter.any[0].count": "2", "enter.any[0].within.number": "30"}
    assert save(ann, draft, fields).status == 303
    assert save(ann, draft, deed="add:enter").leads_to.endswith("/phase?place=1#enter")
    assert save(ann, draft, {"enter.any[1].kind": "role", "enter.how": "all"}).status == 303
    shown = plain(ann.get(draft))
    assert "2 downloads of a price list within 30 days" in shown
    assert "~ warm: enter: + all: somebody in the part of decision maker" in shown

    assert ann.post(f"{draft}/publish", revision(ann, draft)).leads_to == "/studio/rules"
    assert "2 downloads of a price list within 30 days" in plain(ann.get("/rules"))
    assert company.deeds()[-3:] == ["write", "write", "publish"]
    assert company.deeds().count("draft") == 1


def test_phases_come_and_go_and_stand_in_another_order(ann, company):
    draft = begin(ann)
    add = {"do": "add", "label": "Really hot"}
    assert ann.post(f"{draft}/phases", revision(ann, draft) | add).status == 303
    assert ann.post(f"{draft}/phases", revision(ann, draft) | {"do": "up:2"}).status == 303
    assert [one["id"] for one in body_of(company, draft)["phases"]] == [
        "cold",
        "really-hot",
        "warm",
    ]
    assert ann.post(f"{draft}/phases", revision(ann, draft) | {"do": "remove:1"}).status == 303

    assert [one["id"] for one in body_of(company, draft)["phases"]] == ["cold", "warm"]
    assert "Nothing yet: it says what holds." in plain(ann.get(draft))


def test_what_is_wrong_stands_beside_its_part_and_nothing_is_published(ann, company):
    with company.store.read() as session:
        before = company.portal.shelf.published(session).number
    draft = begin(ann)
    save(ann, draft, {"exit.any[0].quiet.for.number": "9999", "falls_to": "nowhere"})
    shown = phase_of(ann, draft).text
    exit_says = re.search(r'data-lint="exit\.any\[0\]"[^>]*>(.*?)</div>', shown, re.DOTALL)[1]
    answer = ann.post(f"{draft}/publish", revision(ann, draft))

    assert "730d" in exit_says
    assert answer.status == 422
    assert re.search("[12] faults?", plain(answer))
    with company.store.read() as session:
        assert company.portal.shelf.published(session).number == before


def test_faults_are_said_as_one_types_and_nothing_is_kept(ann, company):
    draft = begin(ann)
    page = phase_of(ann, draft)
    before = body_of(company, draft)
    typed = form_of(page) | {"enter.any[0].within.number": "soon"}
    answer = ann.post(f"{draft}/check?place=1", typed)

    assert "is not a length of time" in answer.text
    assert "nobody does anything for 90 days" in answer.text
    assert body_of(company, draft) == before


def test_two_tabs_do_not_write_over_each_other(ann, company):
    draft = begin(ann)
    old = form_of(phase_of(ann, draft))
    save(ann, draft, {"label": "Warmer"})
    answer = ann.post(f"{draft}/phase?place=1", old | {"label": "Mine", "do": "save"})

    assert answer.status == 409
    assert 'value="Mine"' in answer.text
    assert body_of(company, draft)["phases"][1]["label"] == "Warmer"
    again = form_of(answer) | {"do": "save"}
    assert ann.post(f"{draft}/phase?place=1", again).status == 303
    assert body_of(company, draft)["phases"][1]["label"] == "Mine"


def test_nobody_publishes_what_he_did_not_look_at(ann, company):
    draft = begin(ann)
    save(ann, draft, {"label": "Warmer"})
    seen = revision(ann, draft)
    save(ann, draft, {"label": "Other"})
    answer = ann.post(f"{draft}/publish", seen)

    assert answer.status == 409
    assert "changed since you looked" in plain(answer)
    assert "Warm as soon" in plain(ann.get("/rules"))


def test_a_colleague_publishes_where_that_is_wanted(company):
    company.portal.publish(
        WITH_RULES.replace("site:\n", "site:\n  publish: {approval: by-another}\n")
    )
    ann = company.at_desk("ann@acme.example", "marketer")
    bo = company.at_desk("bo@acme.example", "marketer")
    draft = begin(ann)
    save(ann, draft, {"label": "Warmer"})
    assert "somebody else approve" in plain(ann.post(f"{draft}/publish", revision(ann, draft)))
    ann.post(f"{draft}/propose", revision(ann, draft) | {"note": "Please look."})
    ann.post(f"{draft}/publish", revision(ann, draft))
    assert "Warm as soon" in plain(ann.get("/rules"))

    assert "Please look." in plain(bo.get(draft))
    bo.post(f"{draft}/publish", revision(bo, draft))
    assert "Warmer as soon" in plain(bo.get("/rules"))


def test_rules_are_published_later_by_themselves(ann, company):
    draft = begin(ann)
    save(ann, draft, {"label": "Warmer"})
    at = datetime.now(UTC) + timedelta(days=2)
    later = revision(ann, draft) | {"at": f"{at:%Y-%m-%dT%H:%M}"}
    assert ann.post(f"{draft}/schedule", later).leads_to == f"/studio{draft}"
    assert "It is published by itself" in plain(ann.get(draft))
    storage = company.portal.app.extensions["regportal.storage"]
    publish_due(company.store, storage, now=at - timedelta(minutes=2))
    assert "Warm as soon" in plain(ann.get("/rules"))
    publish_due(company.store, storage, now=at + timedelta(minutes=1))

    assert "Warmer as soon" in plain(ann.get("/rules"))


def test_what_somebody_published_meanwhile_is_looked_at_first(ann, company):
    draft = begin(ann)
    save(ann, draft, {"label": "Warmer"})
    company.portal.publish(WITH_RULES.replace("label: Warm", "label: Tepid"))
    ann.post(f"{draft}/publish", revision(ann, draft))
    assert "somebody published it since" in plain(ann.get(draft))
    ann.post(f"{draft}/anew", revision(ann, draft))
    assert "label: Tepid -> Warmer" in plain(ann.get(draft))
    ann.post(f"{draft}/publish", revision(ann, draft))

    assert "Warmer as soon" in plain(ann.get("/rules"))


def test_a_draft_runs_in_shadow_and_ends(ann, company):
    draft = begin(ann)
    save(ann, draft, {"enter.any[0].count": "2"})
    assert ann.post(f"{draft}/shadow", revision(ann, draft)).leads_to == "/studio/rules"
    with company.store.read() as session:
        assert rules_in_shadow(session).rules["phases"][1]["enter"]["any"][0]["count"]
    assert "A draft runs in shadow" in plain(ann.get("/rules"))
    again = ann.post(f"{draft}/shadow", revision(ann, draft))
    assert again.status == 409
    assert "a draft is in shadow already" in plain(again)
    ann.get("/rules")
    ann.post("/rules/shadow/end")

    assert "A draft runs in shadow" not in plain(ann.get("/rules"))
    assert company.deeds()[-1] == "shadow-end"


def test_a_draft_is_tried_on_the_history_and_compared(ann, company, database_url):
    draft = begin(ann)
    save(ann, draft, {"enter.any[0].count": "2"})
    trial = ann.post(f"{draft}/try", revision(ann, draft)).leads_to.removeprefix("/studio")
    assert "waits for its turn" in plain(ann.get(trial))
    assert json.loads(ann.get(f"{trial}/state").text) == {"tried": 0, "of": 0, "over": False}
    beside.try_what_waits(company.store, database_url, lambda: True)
    shown = plain(ann.get(trial))

    assert "0 open, 0 won and 0 lost opportunities." in shown
    assert "Before and after, by phase" in shown
    ann.post(f"{trial}/stop")
    assert ann.get(trial).status == 404
    assert company.deeds()[-2:] == ["back-test", "back-test-stop"]


def test_a_back_test_is_stopped_while_it_waits(ann):
    draft = begin(ann)
    trial = ann.post(f"{draft}/try", revision(ann, draft)).leads_to.removeprefix("/studio")
    ann.get(trial)

    assert ann.post(f"{trial}/stop").status == 303
    assert ann.get(f"{trial}/state").status == 404


def test_a_history_begins_on_a_day_that_has_passed(ann):
    draft = begin(ann)
    for day in ("2999-01-01", "soon", "2026-02-31"):
        ann.post(f"{draft}/try", revision(ann, draft) | {"since": day})

        assert "Please choose a day that has passed." in plain(ann.get(draft)), day


def test_where_nothing_is_published_the_model_that_ships_is_changed(company):
    company.portal.publish()
    ann = company.at_desk("ann@acme.example", "marketer")
    shown = plain(ann.get("/rules"))
    assert "those that ship with regportal hold" in shown
    assert "nobody arrives from below" in shown
    assert "No rule leads here" not in shown
    draft = begin(ann)
    save(ann, draft, {"min_stay.number": "3"}, place=2)
    assert "~ interest: min_stay: (nothing) -> 3d" in plain(ann.get(draft))
    ann.post(f"{draft}/publish", revision(ann, draft))

    assert "It stays here for at least 3 days." in plain(ann.get("/rules"))


def test_a_draft_of_something_else_is_none_of_rules(ann, company):
    piece = drafts.Piece("gate", "new", {"asset": "x"})
    key = company.store.write(
        lambda session: drafts.begin(session, [piece], "x", now=datetime.now(UTC)).id
    )

    assert ann.get(f"/rules/drafts/{key}").status == 404
    assert ann.get(f"/rules/drafts/{key}/phase?place=0").status == 404
    for deed in ("publish", "propose", "discard", "shadow", "try", "anew", "open"):
        assert ann.post(f"/rules/drafts/{key}/{deed}", {"revision": "0"}).status == 404, deed


def test_who_only_reads_writes_nothing(ann, company):
    draft = begin(ann)
    bo = company.at_desk("bo@acme.example", "seller")

    assert "Change the phases" not in bo.get("/rules").text
    assert bo.get(draft).status == 403
    assert bo.post("/rules/drafts").status == 403


def test_a_score_is_read_as_sentences(company):
    score = """
scores:
  - key: attention
    label: Attention
    behaviour:
      - {group: reading, half_life: 14d, at_most: 40, points: [{event: download, points: 10}]}
    thresholds: {hot: 30}
"""
    company.portal.publish(f"{SITE}\n{score}")
    ann = company.at_desk("ann@acme.example", "analyst")
    shown = plain(ann.get("/rules"))

    assert "Reading (at most 40 points; half of them are gone after 14 days):" in shown
    assert "10 points for a download" in shown
    assert "hot from 30 on" in shown
