"""What browsers and servers tell of interactions: kept once, under the right name, judged."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.actions import find_contact
from regportal.identity.keys import add_key
from regportal.privacy.clocks import tidy
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from regportal.store.ids import uuid7
from regportal.tracking.judging import RULES
from regportal.tracking.models import Interaction, Parcel, Told, Touch, Visit
from regportal.tracking.unpacking import unpack
from tests.portal import FIREFOX, ORIGIN, SITE

pytestmark = pytest.mark.both

ANN = "ann@widgetworks.example"
PAGE = "https://www.acme.example/widgets"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
CHOICE = {"recognise": True, "track": True}


def event(type="page_view", about=PAGE, **more):
    at = datetime.now(UTC).isoformat()
    return {"id": str(uuid7()), "type": type, "object": about, "occurred_at": at, **more}


def tell(browser, *events, media="application/json", headers=(), **more):
    """Let a browser tell; return the status and what is answered."""
    said = browser.client.post(
        "/api/v1/interactions",
        data=json.dumps({"events": events, **more}),
        content_type=media,
        headers={**browser.headers, **browser.origin, **dict(headers)},
        base_url=ORIGIN,
    )
    return said.status_code, said.get_json()


def choose(browser, **choice):
    """Let a visitor choose on the site's banner; return the token its script is given."""
    said = browser.client.post(
        "/api/v1/choice",
        json=CHOICE | choice,
        headers={**browser.headers, **browser.origin},
        base_url=ORIGIN,
    )
    assert said.status_code == 200


def kept(portal, kind=Interaction):
    with portal.store.read() as session:
        return session.scalars(sa.select(kind).order_by(kind.id)).all()


@pytest.fixture
def followed(portal):
    """A browser whose visitor allowed us to link what it does."""
    browser = portal.browser()
    choose(browser)
    return browser


@pytest.fixture
def ann(portal, followed):
    """Ann, proven in a browser that she lets us follow."""
    followed.claim(ANN)
    portal.work()
    followed.prove(portal)
    portal.work()
    return followed


@pytest.fixture
def key(portal):
    """The key of one of the company's systems."""
    now = datetime.now(UTC)
    _, secret = portal.store.write(
        lambda session: add_key(session, "shop", ["interactions"], now=now)
    )
    return {"Authorization": f"Bearer {secret}"}


def serve(portal, key, *events):
    """Let one of the company's systems tell; return the status and what is answered."""
    said = portal.app.test_client().post(
        "/api/v1/interactions", json={"events": events}, headers=key, base_url=ORIGIN
    )
    return said.status_code, said.get_json()


# --- browsers ---


def test_a_page_view_is_kept_in_its_visit_with_where_it_came_from(portal, followed):
    touch = {
        "referrer": "https://search.example/find?q=widgets",
        "parameters": {"utm_source": "spring", "email": "ann@acme.example"},
    }
    one = event(about=f"{PAGE}?email=ann@acme.example#top", properties={"title": "Widgets"})
    answer = tell(followed, one, touch=touch)
    portal.work()
    (done,), (visit,), (came,) = (kept(portal, kind) for kind in (Interaction, Visit, Touch))

    assert answer == (202, {"accepted": 1, "duplicate": 0, "refused": []})
    assert (done.object, done.properties) == (PAGE, {"title": "Widgets"})
    assert (done.visit_id, done.attribution, done.judged) == (visit.id, "anonymous", "person")
    assert (came.referrer, came.parameters) == (
        "https://search.example/find",
        {"utm_source": "spring"},
    )


def test_what_somebody_proven_does_is_his_and_the_crm_hears_of_it(portal, ann):
    looked = event("price_lookup", "widget-9", category="price", properties={"quantity": 3})
    tell(ann, looked)
    portal.work()
    told = [one for one in portal.news("interaction.recorded") if one["id"] == looked["id"]]

    assert [(one["contact"]["email"], one["interaction"]["type"]) for one in told] == [
        (ANN, "price_lookup")
    ]
    assert told[0]["interaction"]["attribution"] == "verified"


def test_the_weigher_is_woken_for_what_is_somebodys_and_for_nothing_else(portal, ann):
    woken = []

    def unpacked():
        woken.clear()
        now = datetime.now(UTC)
        unpack(portal.store, portal.shelf, now=now, on_heard=lambda: woken.append(now))
        return len(woken)

    tell(portal.browser(), event())
    of_nobody = unpacked()
    tell(ann, event())

    assert (of_nobody, unpacked(), unpacked()) == (0, 1, 0)


def test_what_somebody_claimed_does_waits_for_his_proof(portal, followed):
    followed.claim(ANN)
    portal.work()
    tell(followed, event("price_lookup", "widget-9"))
    portal.work()
    before = portal.news("interaction.recorded")
    followed.prove(portal)
    portal.work()
    after = [one["interaction"]["type"] for one in portal.news("interaction.recorded")]

    assert before == []
    assert sorted(after) == ["download", "price_lookup"]


def test_a_known_contact_who_looks_prices_up_thrice_moves_the_opportunity(portal, ann):
    portal.hook("opportunity.upserted", {"external_id": "D-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "D-1", "email": ANN, "role": "buyer"})
    phases = []
    for _ in range(3):
        tell(ann, event("price_lookup", "widget-9", category="price"))
        portal.work()
        phases.append(portal.news("phase.changed")[-1]["to"])

    assert phases == ["interest", "interest", "comparison"]
    assert "looked up" in portal.news("phase.changed")[-1]["reason"]


def test_the_category_of_our_own_asset_is_ours_to_say(portal, followed):
    tell(followed, event("share", "guide", category="price-list"))
    portal.work()
    (done,) = kept(portal)

    assert done.category == "paper"


@pytest.mark.parametrize("how", ["twice", "in one call", "after it was unpacked"])
def test_an_event_counts_once_however_often_it_is_told(portal, followed, how):
    one, two = event(), event()
    if how == "in one call":
        answer = tell(followed, one, {**one, "object": f"{PAGE}/other"}, two)
    else:
        tell(followed, one)
        if how == "after it was unpacked":
            portal.work()
        answer = tell(followed, one, two)
    portal.work()

    accepted = 2 if how == "in one call" else 1
    assert answer == (202, {"accepted": accepted, "duplicate": 1, "refused": []})
    assert sorted(str(done.id) for done in kept(portal)) == sorted([one["id"], two["id"]])
    assert {done.object for done in kept(portal)} == {PAGE}


def test_what_was_told_so_long_ago_that_its_parcel_is_gone_counts_once(portal, followed):
    one = event()
    tell(followed, one)
    portal.work()
    portal.store.write(lambda session: session.execute(sa.delete(Told)) and None)

    assert tell(followed, one)[1]["duplicate"] == 1


def test_without_consent_to_be_followed_nothing_is_linked(portal):
    nobody, known, objects = portal.browser(), portal.browser(), portal.browser()
    known.claim(ANN)
    choose(objects)
    for browser, headers in ((nobody, {}), (known, {}), (objects, {"Sec-GPC": "1"})):
        assert tell(browser, event(), headers=headers)[1]["accepted"] == 1
    portal.work()
    seen = [one for one in kept(portal) if one.type == "page_view"]

    assert {(one.visitor_id, one.visit_id, one.claim_id, one.contact_id) for one in seen} == {
        (None, None, None, None)
    }
    assert {one.attribution for one in seen} == {"anonymous"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_another_worker_has_in_hand_is_looked_for_again_and_not_without_a_pause(
    portal, followed
):
    tell(followed, event())
    now = datetime.now(UTC)
    with portal.store.engine.begin() as another:
        another.execute(sa.select(Parcel.id).with_for_update())
        again = unpack(portal.store, portal.shelf, now=now)

    assert now < again < now + timedelta(seconds=1)
    assert unpack(portal.store, portal.shelf, now=again) is None
    assert len(kept(portal)) == 1


def test_a_token_that_scripts_can_read_is_never_worth_a_proof(portal, ann):
    token = ann.client.get_cookie("rp_v", domain="localhost").value
    script = portal.browser()
    tell(script, event("price_lookup", "by-body"), visitor=token)
    tell(script, event("price_lookup", "by-header"), headers={"X-RP-Visitor": token})
    portal.work()
    by_script = [one for one in kept(portal) if one.object.startswith("by-")]

    assert [one.attribution for one in by_script] == ["claimed", "claimed"]
    assert "by-body" not in str(portal.news("interaction.recorded"))


def test_a_page_may_send_text_so_that_it_need_not_ask_first(portal, followed):
    answer = tell(followed, event(), media="text/plain;charset=UTF-8")

    assert answer[0] == 202


def test_the_clock_of_a_browser_is_set_right_by_when_it_sent(portal, followed):
    wrong = datetime.now(UTC) - timedelta(days=400)
    one = event() | {"occurred_at": (wrong - timedelta(hours=1)).isoformat()}
    tell(followed, one, sent_at=wrong.isoformat())
    portal.work()
    (done,) = kept(portal)

    assert timedelta(minutes=59) < done.received_at - done.occurred_at < timedelta(minutes=61)


# --- refused ---


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"type": "download"}, "a browser cannot tell of a download"),
        ({"type": "party"}, "type: "),
        ({"type": "custom:Not a name"}, "type: "),
        ({"contact": ANN}, "contact: a browser cannot say whose it is"),
        ({"id": "1"}, "id: "),
        ({"id": "9f0e3c1e-8a55-4d50-9a43-3a6d7b9c2f11"}, "id: is not a UUID of version 7"),
        ({"object": ""}, "object: "),
        ({"object": "a\u202eb"}, "object: contains control characters"),
        ({"occurred_at": "yesterday"}, "occurred_at: "),
        ({"occurred_at": "2026-01-01T00:00:00"}, "occurred_at: "),
        ({"occurred_at": "2001-01-01T00:00:00Z"}, "it is more than a day old"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at: is not in the calendar"),
        ({"properties": {"colour": "red"}}, "properties.colour: "),
        ({"properties": []}, "properties: "),
        ({"type": "search"}, "properties.query: "),
        ({"type": "video_watch", "properties": {"watched": [[9, 3]]}}, "properties.watched: "),
        ({"type": "custom:x", "properties": {"x": "y" * 5000}}, "properties: more than 4 KiB"),
        ({"type": "custom:x", "properties": {"x": [1e300] * 99}}, "properties: more than 4 KiB"),
        ({"surprise": 1}, "surprise: "),
        ({"type": {}}, "type: "),
        ({"occurred_at": 1_772_625_600}, "occurred_at: "),
        ({"category": "Price List"}, "category: "),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason_and_the_others_are_kept(
    portal, followed, wrong, reason
):
    status, answer = tell(followed, event() | wrong, event(), "no object")
    portal.work()
    first, last = answer["refused"]

    assert (status, answer["accepted"], answer["duplicate"]) == (202, 1, 0)
    assert (first["index"], last) == (0, {"index": 2, "reason": "it is not an object"})
    assert first["reason"].startswith(reason)
    assert len(kept(portal)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"events": []}',
        b'{"events": {}}',
        b'{"events": [1], "more": 1}',
        b'{"events": [1], "events": [1]}',
        b'{"events": [' + b"1," * 50 + b"1]}",
        b'{"events": [1], "visitor": "short"}',
        b'{"events": [1], "sent_at": "now"}',
        b'{"events": [1], "sent_at": 1772625600}',
        b'{"events": [1], "touch": {"referrer": 1}}',
        b'{"events": ["\xff"]}',
        b'{"events": ["\\u0000"]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_call_is_refused_whole(portal, followed, body):
    said = followed.client.post(
        "/api/v1/interactions",
        data=body[: 60 * 1024],
        content_type="application/json",
        headers={**followed.headers, **followed.origin},
        base_url=ORIGIN,
    )

    assert said.status_code == 400
    assert said.mimetype == "application/problem+json"
    assert kept(portal, Parcel) == []


def test_a_call_that_is_too_large_is_refused(portal, followed):
    many = [event("custom:x", properties={"x": "y" * 4000}) for _ in range(20)]
    status, _ = tell(followed, *many)

    assert status == 413


@pytest.mark.parametrize(
    "origin", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "none"}]
)
def test_no_other_site_tells_in_a_visitors_name(portal, followed, origin):
    followed.origin = origin

    assert tell(followed, event())[0] == 403
    assert kept(portal, Parcel) == []


def test_pages_of_the_site_may_tell_and_read_the_answer(portal, followed):
    followed.origin = {"Origin": "https://www.acme.example", "Sec-Fetch-Site": "same-site"}
    said = followed.client.post(
        "/api/v1/interactions",
        json={"events": [event()]},
        headers={**followed.headers, **followed.origin},
        base_url=ORIGIN,
    )

    assert said.status_code == 202
    assert said.headers["Access-Control-Allow-Origin"] == "https://www.acme.example"
    assert said.headers["Access-Control-Allow-Credentials"] == "true"


def test_a_flood_is_told_to_come_later(limited):
    browser = limited.browser()
    with time_machine.travel(datetime(2026, 3, 4, 12, tzinfo=UTC), tick=False):
        answers = [tell(browser, event())[0] for _ in range(1_201)]

    assert set(answers[:1_200]) == {202}
    assert answers[-1] == 429


# --- machines ---


@pytest.mark.parametrize(
    ("headers", "because"),
    [
        ({"User-Agent": CRAWLER}, "a crawler: Googlebot/"),
        ({"User-Agent": "python-requests/2.33"}, "a crawler: python-requests"),
        ({"User-Agent": "OurOwnFetcher (httpclient)"}, "calls itself a program: Fetcher"),
        ({"User-Agent": ""}, "gives itself no name"),
        ({"Sec-Purpose": "prefetch;prerender"}, "fetched ahead of anybody: prefetch"),
    ],
)
def test_a_machine_is_kept_judged_and_never_told_of(portal, ann, headers, because):
    tell(ann, event("price_lookup", "widget-9", category="price"), headers=headers)
    portal.work()
    done = kept(portal)[-1]

    assert (done.judged, done.judged_because, done.judged_by) == ("machine", because, RULES)
    assert "widget-9" not in str(portal.news("interaction.recorded"))


def test_too_many_pages_at_once_are_a_machines(portal, ann):
    tell(ann, *(event(about=f"{PAGE}/{number}") for number in range(4)))
    portal.work()
    calm = {one.judged for one in kept(portal)}
    tell(ann, *(event(about=f"{PAGE}/more/{number}") for number in range(5)))
    portal.work()

    assert calm == {"person"}
    assert kept(portal)[-1].judged_because == "8 different objects within 2 seconds"


def test_nobody_sees_an_hour_of_film_in_a_minute(portal, followed):
    hour = {"watched": [[0, 1800], [1700, 3600]]}
    tell(followed, event("video_watch", "film", properties=hour))
    portal.work()
    (done,) = kept(portal)

    assert done.properties["seconds"] == 3600
    assert done.judged_because == "saw 3600 seconds in 0"


def test_own_staff_is_recorded_as_a_machine(portal, followed):
    portal.publish(SITE.replace("origins:", "ignore: {networks: [127.0.0.0/8]}\n  origins:"))
    tell(followed, event())
    portal.work()
    (done,) = kept(portal)

    assert (done.judged, done.judged_because) == ("machine", "own staff")


# --- the company's own systems ---


def test_a_server_tells_what_a_contact_did_elsewhere(portal, ann, key):
    status, answer = serve(portal, key, event("call", "+44 113 496 0000", contact=ANN.upper()))
    portal.work()
    told = portal.news("interaction.recorded")[-1]

    assert (status, answer["accepted"]) == (202, 1)
    assert (told["contact"]["email"], told["interaction"]["type"]) == (ANN, "call")
    assert told["interaction"]["attribution"] == "verified"


def test_a_server_may_name_somebody_we_do_not_know(portal, key):
    serve(portal, key, event("meeting", "fair", contact="new@acme.example"))
    portal.work()
    (done,) = kept(portal)
    with portal.store.read() as session:
        contact = find_contact(session, "new@acme.example")

    assert (contact.assurance, done.contact_id) == ("imported", contact.id)
    assert done.attribution == "imported"


def test_a_server_cannot_bring_back_who_was_erased(portal, ann, key):
    def forget(session):
        published, whom = portal.shelf.published(session), find_whom(session, ANN)
        pepper, now = portal.settings.pepper_text, datetime.now(UTC)
        erase(session, published, whom, pepper=pepper, by=ADMINISTRATOR, now=now)

    portal.store.write(forget)
    _, answer = serve(
        portal,
        key,
        event("call", "1", contact="bob@acme.example"),
        event("call", "2", contact=ANN),
    )

    assert answer == {
        "accepted": 1,
        "duplicate": 0,
        "refused": [{"index": 1, "reason": "contact: was erased, and is not brought back"}],
    }


def test_a_server_may_tell_late_and_not_of_what_is_to_come(portal, key):
    now = datetime.now(UTC)
    old, coming = (
        event("purchase", "order-7", contact=ANN)
        | {"occurred_at": (now + timedelta(days=days)).isoformat()}
        for days in (-300, 1)
    )
    _, answer = serve(portal, key, old, coming, event("ticket", "t-1"))

    assert answer == {
        "accepted": 1,
        "duplicate": 0,
        "refused": [
            {"index": 1, "reason": "occurred_at: is in the future"},
            {"index": 2, "reason": "contact: is missing: name the contact's e-mail address"},
        ],
    }


@pytest.mark.parametrize(
    ("scopes", "status"), [(["interactions"], 202), (["may-mail"], 403), (None, 401)]
)
def test_a_key_opens_only_what_it_is_for(portal, scopes, status):
    secret = "rpk_" + "x" * 43
    if scopes is not None:
        now = datetime.now(UTC)
        _, secret = portal.store.write(lambda session: add_key(session, "k", scopes, now=now))
    answer = serve(portal, {"Authorization": f"Bearer {secret}"}, event("call", "1", contact=ANN))

    assert answer[0] == status


# --- how long ---


def test_what_was_told_goes_with_the_person(portal, ann):
    tell(ann, event("search", PAGE, properties={"query": "a canary of ann's"}))

    def forget(session):
        published, whom = portal.shelf.published(session), find_whom(session, ANN)
        pepper, now = portal.settings.pepper_text, datetime.now(UTC)
        erase(session, published, whom, pepper=pepper, by=ADMINISTRATOR, now=now)

    portal.store.write(forget)
    portal.work()

    assert kept(portal, Parcel) == []
    assert "canary" not in str([one.properties for one in kept(portal)])


def test_how_it_was_told_is_kept_as_long_as_a_network_may_be(portal, followed):
    tell(followed, event())
    portal.work()
    pepper = portal.settings.pepper_text
    later = datetime.now(UTC) + timedelta(days=31)
    tidy(portal.store, portal.shelf, pepper=pepper, now=later)

    assert kept(portal, Parcel) == kept(portal, Told) == []
    assert len(kept(portal)) == 1


def test_an_id_from_the_future_is_remembered_no_longer_than_another(portal, followed):
    tell(followed, event(id=f"ffffffff-ffff{str(uuid7())[13:]}"), event())
    portal.work()
    later = datetime.now(UTC) + timedelta(days=31)
    tidy(portal.store, portal.shelf, pepper=portal.settings.pepper_text, now=later)

    assert kept(portal, Told) == []
    assert len(kept(portal)) == 2


def test_the_name_a_browser_gives_itself_is_kept_no_longer_than_its_first_300_signs(
    portal, followed
):
    tell(followed, event(), headers={"User-Agent": FIREFOX + "x" * 1000})
    (parcel,) = kept(portal, Parcel)

    assert len(parcel.agent) == 300
