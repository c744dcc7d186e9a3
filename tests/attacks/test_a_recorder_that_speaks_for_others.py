"""
Speaking for somebody else by the recorder of a page.

Where the portal is on another site than the page, the browser keeps our frame's cookie apart, and
the page's scripts have a token of their own. To make one person of the two, one of them has to be
told of the other: by a message from window to window, or a call to the portal. Elsewhere the page
is given the frame's identity, or names itself ("identify(...)"), and everybody who can send that
message or that call decides whose a visitor is: another site, which opens the frame or fakes its
answer; a form on a hostile page, which has a victim's browser speak for the attacker, who then
reads on his own page what she does; a script that got hold of the page's token.

Here nothing of the frame goes to the page. The page has a token made that only the portal reads,
good for one use, one minute, this site, this frame's origin, this kind of browser and network; the
frame hears it only from the window and the origin around it, and gives it to the portal with its
own cookie, which takes it from its own origin only. What comes of it is one thing: what the
recorder tells waits for the claim that was made in the frame. It proves nothing, reads nothing and
opens nothing; it ends with the frame's visitor, and speaks for one person in its life.
"""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.models import Visitor
from tests.attacks.test_a_link_that_brings_its_giver import CHROME
from tests.framed import ANN, Framed, ann, token_means, whose  # noqa: F401 - a fixture
from tests.portal import ORIGIN
from tests.two_sites import SHOP, WWW, Far

EVE = "eve@evil.example"
NOBODYS, CLAIMED, HERS = ("anonymous", None), ("claimed", None), ("verified", ANN)


def spoken_for(portal):
    """Return how many recorders speak for somebody."""
    with portal.store.read() as session:
        speaking = sa.select(sa.func.count()).where(Visitor.speaks_for.is_not(None))
        return session.scalar(speaking)


def as_eve(portal, gate="guide"):
    """Return Eve's own browser, in the same network and of the same kind, with her own claim."""
    eve = Framed(portal)
    eve.page.choose()
    eve.frame.claim(EVE, gate)
    portal.work()
    return eve


# --- who may ask ---


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": WWW, "Sec-Fetch-Site": "cross-site"},
        {"Origin": SHOP, "Sec-Fetch-Site": "cross-site"},
        {"Origin": f"{ORIGIN}.evil.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_nobody_but_our_own_frame_vouches(portal, ann, headers):  # noqa: F811 - a fixture
    """Also not the page around it, though its fetch takes the frame's cookie along."""
    status, _ = ann.ask(ann.page.leave(ORIGIN), **headers)

    assert status == 403
    assert spoken_for(portal) == 0


def test_a_token_is_good_for_one_use_one_minute_and_one_way(portal, ann):  # noqa: F811 - a fixture
    now = datetime.now(UTC)
    with time_machine.travel(now, tick=False):
        late = ann.page.leave(ORIGIN)
    with time_machine.travel(now + timedelta(seconds=61), tick=False):
        assert ann.ask(late) == (200, {"speaks": False})
    token = ann.page.leave(ORIGIN)
    raw = base64.urlsafe_b64decode(token + "==")
    forged = base64.urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode().rstrip("=")
    assert ann.ask(forged) == (200, {"speaks": False})
    assert ann.ask(token, came_from=SHOP) == (200, {"speaks": False})
    assert ann.ask(token, **{"User-Agent": CHROME}) == (200, {"speaks": False})
    ann.page.network = "198.51.100.7"
    assert ann.ask(token) == (200, {"speaks": False})
    ann.page.network = "203.0.113.9"

    assert spoken_for(portal) == 0
    assert ann.ask(token) == (200, {"speaks": True})
    assert ann.ask(token) == (200, {"speaks": False})


def test_without_consent_on_the_page_nothing_is_linked(portal, ann):  # noqa: F811 - a fixture
    made_before = ann.page.leave(ORIGIN)
    before = ann.tell()
    ann.page.client.post(
        "/api/v1/choice",
        json={"recognise": True, "track": False},
        headers={**ann.page.headers, "X-RP-Visitor": ann.page.token},
        base_url=ORIGIN,
    )

    assert ann.ask(made_before) == (200, {"speaks": False})
    assert ann.page.leave(ORIGIN) is None
    ann.prove_here()
    assert (whose(portal, before), whose(portal, ann.tell())) == (NOBODYS, NOBODYS)


@pytest.mark.parametrize("where", ["page", "frame"])
def test_an_objection_holds_on_either_side(portal, ann, where):  # noqa: F811 - a fixture
    signal = {"Sec-GPC": "1"}
    if where == "page":
        assert ann.page.leave(ORIGIN, **signal) is None
    else:
        assert not ann.vouch(**signal)
    assert spoken_for(portal) == 0


def test_consent_taken_back_after_it_was_linked_ends_it(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    told = ann.tell()
    ann.prove_here()
    later = ann.tell()
    ann.page.client.post(
        "/api/v1/choice",
        json={"recognise": True, "track": False},
        headers={**ann.page.headers, "X-RP-Visitor": ann.page.token},
        base_url=ORIGIN,
    )

    assert not ann.vouch()
    assert (whose(portal, told), whose(portal, later)) == (HERS, CLAIMED)
    assert whose(portal, ann.tell()) == NOBODYS


def test_a_proof_that_comes_with_an_objection_brings_nothing_of_the_page(portal, ann):  # noqa: F811 - a fixture
    before = ann.tell()
    ann.vouch()
    ann.frame.origin = {**ann.frame.origin, "DNT": "1", "Sec-GPC": "1"}
    from_session = ann.frame.client.get_cookie("rp_v").value
    ann.frame.client.set_cookie("rp_s", from_session)
    ann.prove_here()

    assert whose(portal, before) == NOBODYS
    assert whose(portal, ann.tell()) == NOBODYS


# --- two people ---


def test_whoever_sits_down_next_is_not_told_of_the_one_before(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    hers = ann.tell("hers")
    page = ann.frame.get("/g/study")
    ann.frame.post("/g/study/not-you", page.fields)

    assert not token_means(portal, ann)
    his = ann.tell("his")
    ann.frame.claim(EVE)
    portal.work()
    assert not ann.vouch()
    ann.prove_here()
    ann.page.token = None
    ann.page.choose()  # he answers the banner himself
    assert ann.vouch()
    assert (whose(portal, hers), whose(portal, his)) == (CLAIMED, NOBODYS)


def test_another_address_typed_in_the_frame_begins_anew(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    hers = ann.tell()
    done = ann.frame.get("/g/guide/done")
    ann.frame.post("/g/guide/change", {**done.fields, "email": EVE})
    portal.work()

    assert not token_means(portal, ann)
    ann.prove_here()
    assert whose(portal, hers) == CLAIMED


def test_a_recorder_never_speaks_for_a_second_person(portal, ann):  # noqa: F811 - a fixture
    """Her frame's session ended by itself; then somebody else gives an address in it."""
    ann.vouch()
    hers = ann.tell("hers")
    ann.frame = portal.browser()
    ann.frame.claim(EVE)
    portal.work()

    assert not ann.vouch()
    assert not token_means(portal, ann)
    ann.prove_here()
    assert whose(portal, hers) == CLAIMED
    assert whose(portal, ann.tell("his")) == NOBODYS


# --- what the token of the page is worth ---


def test_the_token_of_the_page_opens_nothing_of_the_frames(portal, ann):  # noqa: F811 - a fixture
    """Stolen, and put wherever a browser puts one."""
    ann.vouch()
    ann.prove_here()
    asks = ann.page.client.get(
        "/api/v1/gates/study", headers={**ann.page.headers, "X-RP-Visitor": ann.page.token}
    ).get_json()
    thief = portal.browser()
    thief.client.set_cookie("rp_v", ann.page.token)

    assert (asks["recognised"], asks["email"]) == (False, True)
    assert 'data-rp="me"' not in thief.get("/me").text
    assert thief.get("/me/export.json").status == 303
    assert thief.get("/g/guide/done").status == 303
    assert thief.gate("guide").asks_email
    for secret in ("a***@", ANN):
        assert secret not in thief.gate("guide").text
    assert whose(portal, ann.tell()) == CLAIMED


def test_a_thief_of_the_page_token_tells_nothing_that_counts_by_itself(portal, ann):  # noqa: F811 - a fixture
    ann.vouch()
    ann.prove_here()
    thief = Far(portal, WWW)
    thief.token = ann.page.token
    moves = len(portal.news("interaction.recorded"))
    thief.tell()
    portal.work()

    assert len(portal.news("interaction.recorded")) == moves


def test_the_frames_token_is_no_recorder(portal, ann):  # noqa: F811 - a fixture
    """What reads the mailbox must not be what scripts hold: neither is the other."""
    frames = ann.frame.client.get_cookie("rp_v").value
    ann.page.token = frames

    assert ann.page.leave(ORIGIN) is None  # nobody chose in the frame to be followed
    ann.prove_here()
    assert spoken_for(portal) == 0


def test_eve_cannot_take_a_recorder_away_that_speaks_for_another_address(portal, ann):  # noqa: F811 - a fixture
    """She stole the page's token, and vouches for it in her own frame: she learns nothing."""
    ann.vouch()
    eve = as_eve(portal)
    eve.page.token = ann.page.token

    assert not eve.vouch()
    told = ann.tell()
    eve.prove_here()
    assert whose(portal, told) == NOBODYS


def test_a_frame_whose_proof_is_in_doubt_vouches_for_nobody(portal, ann):  # noqa: F811 - a fixture
    """The cookie is old, or in another kind of browser than the one that proved the address."""
    old = ann.frame.client.get_cookie("rp_v").value
    ann.prove_here()
    thief = Framed(portal)
    thief.page.choose()
    thief.frame.client.set_cookie("rp_v", old)
    elsewhere = Framed(portal)
    elsewhere.page.headers["User-Agent"] = elsewhere.frame.headers["User-Agent"] = CHROME
    elsewhere.page.choose()
    stolen = ann.frame.client.get_cookie("rp_v").value
    elsewhere.frame.client.set_cookie("rp_v", stolen)

    assert not thief.vouch()
    assert not elsewhere.vouch()
    assert spoken_for(portal) == 0
