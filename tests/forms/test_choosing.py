"""What somebody chooses for one browser, and what the browser itself says of it."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.identity.models import Choice, Claim, Visitor
from regportal.store.ids import uuid7
from regportal.tracking.actions import record, seen_of_contacts
from regportal.tracking.models import Attributed, Interaction, Judged
from tests.portal import ORIGIN, SITE

ANN = "ann@widgetworks.example"
ACME = "https://www.acme.example"
YES = {"recognise": True, "track": True}
NO = {"recognise": False, "track": False}


def choose(browser, said=YES, body=None, kind="application/json", **headers):
    """Send a choice as a script on a page does."""
    return browser.client.post(
        "/api/v1/choice",
        data=json.dumps(said) if body is None else body,
        content_type=kind,
        headers={**browser.headers, **browser.origin, **headers},
        base_url=ORIGIN,
    )


def rows(portal, kind):
    """Return every row of a kind."""
    with portal.store.read() as session:
        return session.scalars(sa.select(kind).order_by(kind.id)).all()


def test_a_choice_is_kept_and_holds(portal):
    ann = portal.browser()
    answer = choose(ann)

    assert (answer.status_code, answer.json) == (200, YES)
    [kept], [visitor] = rows(portal, Choice), rows(portal, Visitor)
    assert (kept.visitor_id, kept.recognise, kept.track) == (visitor.id, True, True)
    assert (visitor.remembered, visitor.tracks) == (True, True)
    assert ann.client.get_cookie("rp_v").max_age > 86400
    assert "X-RP-Visitor" not in answer.headers


def test_the_newest_choice_holds_and_none_is_lost(portal):
    ann = portal.browser()
    for said in (YES, {"recognise": True, "track": False}, NO):
        assert choose(ann, said).json == said

    [visitor] = rows(portal, Visitor)
    assert (visitor.remembered, visitor.tracks) == (False, False)
    assert [(one.recognise, one.track) for one in rows(portal, Choice)] == [
        (True, True),
        (True, False),
        (False, False),
    ]
    assert ann.client.get_cookie("rp_v") is None
    assert ann.client.get_cookie("rp_s").max_age is None


def test_whoever_is_unknown_and_refuses_stays_unknown(portal):
    answer = choose(portal.browser(), NO)

    assert answer.json == NO
    assert "Set-Cookie" not in answer.headers
    assert rows(portal, Visitor) == rows(portal, Choice) == []


@pytest.mark.parametrize("signal", ["1", "1, 1", " 1"])
def test_global_privacy_control_goes_before_what_is_sent(portal, signal):
    answer = choose(portal.browser(), **{"Sec-GPC": signal})

    assert answer.json == NO
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("signal", ["0", "true", "11"])
def test_any_other_value_of_it_says_nothing(portal, signal):
    assert choose(portal.browser(), **{"Sec-GPC": signal}).json == YES


@pytest.mark.parametrize(("honours", "holds"), [("ignore", YES), ("honour", NO)])
def test_dnt_counts_where_the_site_honours_it(portal, honours, holds):
    portal.publish(SITE.replace("controller:", f"do_not_track: {honours}\n  controller:"))

    assert choose(portal.browser(), DNT="1").json == holds


def test_a_browser_that_objects_keeps_no_cookie_for_long(portal):
    ann = portal.browser()
    ann.claim(ANN, remember="yes")
    again = portal.browser(**{"Sec-GPC": "1"})
    page = again.gate("guide")
    assert 'name="remember" value="yes"' not in " ".join(page.text.split())
    again.send("guide", page, email=ANN, remember="yes")

    assert again.client.get_cookie("rp_v") is None
    assert [one.remembered for one in rows(portal, Visitor)] == [True, False]


def test_being_remembered_at_a_gate_is_a_recorded_choice(portal):
    portal.browser().claim(ANN, remember="yes")
    portal.browser().claim("bob@widgetworks.example", remember="no")

    [kept] = rows(portal, Choice)
    assert (kept.recognise, kept.track) == (True, False)


def test_remember_never_goes_before_a_choice(portal):
    portal.publish(SITE.replace("controller:", "remember: never\n  controller:"))

    assert choose(portal.browser()).json == {"recognise": False, "track": True}


def test_a_choice_leaves_an_open_form_good(portal):
    ann = portal.browser()
    page = ann.gate("guide")
    choose(ann)

    assert ann.send("guide", page, email=ANN).status == 303
    assert len(rows(portal, Visitor)) == 1


def test_a_script_without_cookies_holds_its_token_itself(portal):
    page = portal.browser()
    begun = choose(page, **{"X-RP-Visitor": "", "Origin": ACME, "Sec-Fetch-Site": "cross-site"})
    token = begun.headers["X-RP-Visitor"]
    again = choose(page, NO, **{"X-RP-Visitor": token, "Origin": ACME})

    assert "Set-Cookie" not in begun.headers
    assert again.headers["X-RP-Visitor"] == token
    assert [one.track for one in rows(portal, Choice)] == [True, False]
    assert len(rows(portal, Visitor)) == 1


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://www.acme.example.evil.example",
        "http://www.acme.example",
    ],
)
def test_a_page_of_another_origin_is_refused_and_told_nothing(portal, origin):
    answer = choose(portal.browser(), **{"Origin": origin, "Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert rows(portal, Choice) == []


def test_a_page_of_the_site_may_ask_and_read(portal):
    origin = {"Origin": ACME, "Sec-Fetch-Site": "same-site"}
    asked = {"Access-Control-Request-Method": "POST", **origin}
    before = portal.app.test_client().options("/api/v1/choice", headers=asked, base_url=ORIGIN)
    answer = choose(portal.browser(), **origin)

    for one in (before, answer):
        assert one.headers["Access-Control-Allow-Origin"] == ACME
        assert one.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in one.headers["Vary"]
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert exposed.split(", ") == ["Retry-After", "X-RP-Visitor"]
    assert before.headers["Access-Control-Max-Age"] == "600"
    assert "Content-Type" in before.headers["Access-Control-Allow-Headers"]


def test_cookies_are_not_for_pages_of_other_sites(portal):
    answer = choose(portal.browser(), **{"Origin": ACME, "Sec-Fetch-Site": "cross-site"})

    assert answer.headers["Access-Control-Allow-Origin"] == ACME
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"recognise": true}', "application/json"),
        ('{"recognise": true, "track": 1}', "application/json"),
        ('{"recognise": true, "track": true, "email": "x"}', "application/json"),
        ('{"recognise": true, "track": true, "track": false}', "application/json"),
        ('{"recognise": true, "track": NaN}', "application/json"),
        ("[]", "application/json"),
        ("", "application/json"),
        (b"\xff", "application/json"),
        ("[" * 900, "application/json"),
        ('{"recognise": true, "track": true}', "text/plain"),
        ("recognise=true&track=true", "application/x-www-form-urlencoded"),
    ],
)
def test_anything_but_two_truths_is_refused(portal, body, kind):
    answer = choose(portal.browser(), body=body, kind=kind)

    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert rows(portal, Choice) == []


def test_a_choice_of_endless_length_is_not_even_read(portal):
    answer = choose(portal.browser(), body='{"recognise": true, "track": true}' + " " * 2000)

    assert answer.status_code == 413
    assert rows(portal, Choice) == []


def test_it_says_that_gpc_is_honoured(portal):
    answer = portal.app.test_client().get("/.well-known/gpc.json", base_url=ORIGIN)

    assert answer.json["gpc"] is True
    assert datetime.fromisoformat(answer.json["lastUpdate"])
    assert answer.content_type == "application/json; charset=utf-8"


# --- what was done before anybody knew who it was ---


def looked_at(portal, visitor, name="https://www.acme.example/widgets"):
    """Record that a browser looked at a page, when nobody knew whose it was."""
    now = datetime.now(UTC)
    seen = Interaction(
        id=uuid7(),
        type="page_view",
        object=name,
        properties={},
        occurred_at=now,
        received_at=now,
        visitor_id=visitor.id,
        attribution=Attributed.ANONYMOUS,
        judged=Judged.PERSON,
    )
    return portal.store.write(lambda session: record(session, seen, now=now).id)


def history(portal):
    """Return what everybody we know looked at."""
    from regportal.identity.models import Contact

    with portal.store.read() as session:
        contacts = session.scalars(sa.select(Contact.id)).all()
        return [one.type for one in seen_of_contacts(session, contacts)]


@pytest.mark.parametrize(("tracks", "known"), [(True, True), (False, False)])
@pytest.mark.parametrize("by", ["link", "code"])
def test_earlier_visits_join_after_the_proof_where_tracking_was_allowed(portal, tracks, known, by):
    from tests.identity.test_codes import code_in, type_code

    ann = portal.browser()
    choose(ann, {"recognise": True, "track": tracks})
    [visitor] = rows(portal, Visitor)
    looked_at(portal, visitor)
    ann.claim(ANN)
    portal.work()
    assert history(portal) == []
    if by == "link":
        ann.prove(portal)
    else:
        type_code(ann, code_in(portal))
    portal.work()

    assert ("page_view" in history(portal)) is known
    [seen] = [one for one in rows(portal, Interaction) if one.type == "page_view"]
    assert (seen.contact_id, seen.attribution) == (None, "anonymous")


@pytest.mark.parametrize("by", ["link", "code"])
@pytest.mark.parametrize(("signal", "honours"), [("Sec-GPC", "ignore"), ("DNT", "honour")])
def test_nothing_joins_in_a_browser_that_objects_by_the_time_of_the_proof(
    portal, by, signal, honours
):
    from tests.identity.test_codes import code_in, type_code

    portal.publish(SITE.replace("controller:", f"do_not_track: {honours}\n  controller:"))
    ann = portal.browser()
    choose(ann, {"recognise": False, "track": True})
    [visitor] = rows(portal, Visitor)
    looked_at(portal, visitor)
    ann.claim(ANN, remember="no")
    portal.work()
    ann.headers[signal] = "1"
    if by == "link":
        ann.prove(portal)
    else:
        type_code(ann, code_in(portal))
    portal.work()

    assert "page_view" not in history(portal)
    assert [one.tracks for one in rows(portal, Visitor)] == [False]
    assert rows(portal, Choice)[-1].signals[signal] == "1"


@pytest.mark.parametrize(
    ("honours", "headers", "known"),
    [
        ("ignore", {}, True),
        ("ignore", {"Sec-GPC": "1"}, False),
        ("ignore", {"Sec-GPC": "1, 1"}, False),
        ("ignore", {"Sec-GPC": "0"}, True),
        ("ignore", {"DNT": "1"}, True),
        ("honour", {"DNT": "1"}, False),
        ("honour", {"DNT": "0"}, True),
    ],
)
def test_a_cookie_from_before_the_objection_is_not_read(portal, honours, headers, known):
    portal.publish(SITE.replace("controller:", f"do_not_track: {honours}\n  controller:"))
    ann = portal.browser()
    ann.claim(ANN, remember="yes")

    assert ann.gate("study", **headers).asks_email is not known


def test_what_a_stranger_did_never_joins_whoever_says_yes_elsewhere(portal):
    eve, ann = portal.browser(), portal.browser()
    choose(eve)
    [visitor] = rows(portal, Visitor)
    looked_at(portal, visitor)
    eve.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()

    assert "page_view" not in history(portal)


def test_it_joins_when_the_code_proves_that_browser_later(portal):
    from tests.identity.test_codes import code_in, type_code

    ann, phone = portal.browser(), portal.browser()
    choose(ann)
    [visitor] = rows(portal, Visitor)
    looked_at(portal, visitor)
    ann.claim(ANN)
    portal.work()
    phone.prove(portal)
    portal.work()
    assert "page_view" not in history(portal)
    type_code(ann, code_in(portal))
    portal.work()

    assert history(portal).count("page_view") == 1


@pytest.mark.parametrize("by", ["link", "code"])
def test_a_proof_that_comes_with_an_objection_joins_nothing(portal, by):
    """Whatever was chosen before: not at the proof, not when the worker comes back to it."""
    from tests.identity.test_codes import code_in, type_code

    ann = portal.browser()
    choose(ann, {"recognise": True, "track": True})
    [visitor] = rows(portal, Visitor)
    looked_at(portal, visitor)
    ann.claim(ANN)
    portal.work()
    ann.headers["Sec-GPC"] = "1"
    ann.client.set_cookie("rp_s", ann.client.get_cookie("rp_v").value)
    if by == "link":
        ann.prove(portal)
    else:
        type_code(ann, code_in(portal))
    portal.work()

    assert "page_view" not in history(portal)
    assert rows(portal, Claim)[0].state == "confirmed"
