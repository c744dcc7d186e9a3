"""
A kiosk at a fair: sending as the stand, photographing a code, walking on into the portal.

The device stands among strangers. Where a product protects its kiosk by nothing but its address,
anybody fills the CRM from home; where its code signs a telephone in, whoever photographs it over
a shoulder is somebody else; where the page remembers, the next visitor reads who was before. Here
the stand has a key that can be taken back, and a code gives a file, once, and nobody's name.
"""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.limits import HOUR, LIMITS, Limit
from regportal.identity.models import Claim, Visitor
from regportal.kiosk.models import StandForm, StandPage
from regportal.kiosk.sheets import read_sheet, write_sheet
from regportal.tracking.models import Interaction
from tests.kiosk.tablet import SPOKEN, Tablet, path_of
from tests.portal import ORIGIN

pytestmark = pytest.mark.both
ANN, BOB, EVE = "ann@widgetworks.example", "bob@gearbox.example", "eve@evil.example"
KEYS = ["", "rps_", "x" * 47, "rps_" + "A" * 43, "rps_" + "é" * 43, "rpk_" + "A" * 43]


@pytest.fixture
def tablet(portal):
    """A tablet at a stand before an ordinary gate."""
    portal.publish()
    return Tablet(portal)


def count(portal, kind):
    """How many rows of a kind there are."""
    with portal.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(kind))


@pytest.mark.parametrize("key", KEYS)
def test_nobody_sends_as_the_stand_without_its_key(portal, tablet, key):
    refused = tablet.browser.post(
        f"{tablet.path}/forms",
        tablet.form(EVE),
        Authorization=f"Bearer {key}".encode().decode("latin-1"),
    )

    assert refused.status == 401
    assert count(portal, Claim) == 0


def test_a_key_in_the_address_or_in_a_field_is_none(portal, tablet):
    form = tablet.form(EVE)
    answers = [
        tablet.browser.post(f"{tablet.path}/forms?key={tablet.key}", form),
        tablet.browser.post(f"{tablet.path}/forms", {**form, "authorization": tablet.key}),
    ]

    assert [one.status for one in answers] == [401, 401]
    assert count(portal, Claim) == 0


def test_the_key_of_one_stand_opens_no_other(portal, tablet):
    other = Tablet(portal, name="Lyon")

    assert tablet.send(tablet.form(EVE), key=other.key).status == 401
    assert count(portal, Claim) == 0


def test_what_a_page_asked_is_answered_at_its_own_stand_only(portal, tablet):
    other = Tablet(portal, "prices", name="Lyon")

    assert tablet.send({**tablet.form(EVE), "sheet": other.sheet()}).status == 400
    assert count(portal, Claim) == 0


def test_a_key_that_was_taken_back_opens_nothing_and_never_says_more(portal, tablet):
    form = tablet.form(EVE)
    tablet.close()
    closed, wrong = tablet.send(form), tablet.send(form, key=KEYS[3])

    assert (closed.status, wrong.status) == (401, 401)
    assert closed.told["detail"] == wrong.told["detail"]
    assert count(portal, Claim) == 0


def test_a_stand_that_was_never_there_is_answered_as_a_wrong_key(tablet):
    form = tablet.form(EVE)
    wrong = tablet.send(form, key=KEYS[3]).told["detail"]
    tablet.path = f"/kiosk/{uuid.uuid4()}"
    nowhere = tablet.send(form)

    assert (nowhere.status, nowhere.told["detail"]) == (401, wrong)


def test_guessing_keys_comes_to_an_end(limited, monkeypatch):
    monkeypatch.setitem(LIMITS, "keys", Limit(3, HOUR))
    tablet = Tablet(limited)
    form = tablet.form(EVE)

    assert [tablet.send(form, key=KEYS[3]).status for _ in range(5)] == [401] * 3 + [429] * 2


def test_whoever_has_the_key_still_cannot_send_without_end(limited, monkeypatch):
    monkeypatch.setitem(LIMITS, "stand", Limit(3, HOUR))
    tablet = Tablet(limited)
    answers = [tablet.ask(f"eve{number}@evil.example") for number in range(5)]

    assert [one.status for one in answers] == [200] * 3 + [429] * 2
    assert all(int(one.headers["Retry-After"]) > 0 for one in answers[3:])
    assert count(limited, Claim) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://www.acme.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
)
def test_a_page_elsewhere_sends_nothing_not_even_with_the_key(portal, tablet, headers):
    url = path_of(tablet.ask(ANN).told["phone"]["url"])

    assert tablet.send(tablet.form(EVE), **headers).status == 403
    assert portal.browser().post(url, {}, **headers).status == 403
    assert count(portal, Claim) == 1


def test_no_page_elsewhere_may_ask_first_nor_show_it_inside(tablet):
    asked = tablet.browser.client.options(
        f"{tablet.path}/forms",
        base_url=ORIGIN,
        headers={
            "Origin": "https://www.acme.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "Authorization",
        },
    )

    assert not [name for name, _ in asked.headers if name.startswith("Access-Control")]
    assert "frame-ancestors 'none'" in tablet.page().headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "bent",
    [
        {"q-company": "Evil"},
        {"n-prices": "yes"},
        {"sheet": "x"},
        {"sheet": ""},
        {"key": "x"},
        {"key": ["1", "2"]},
        {"email": [EVE, BOB]},
    ],
)
def test_what_was_not_asked_is_not_answered(portal, tablet, bent):
    assert tablet.send({**tablet.form(EVE), **bent}).status == 400
    assert count(portal, Claim) == 0


def test_the_words_of_a_consent_cannot_be_bent(portal, tablet):
    forged = write_sheet(read_sheet(tablet.sheet(), portal.settings.keys), [b"another key" * 4])

    assert tablet.send({**tablet.form(EVE), "sheet": forged}).status == 400


def test_a_sheet_of_the_time_to_come_is_not_taken(portal, tablet):
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        form = tablet.form(EVE)

    assert tablet.send(form).status == 409
    assert count(portal, Claim) == 0


def test_whoever_photographs_a_code_gets_a_file_at_most_and_no_name(portal, tablet):
    path = path_of(tablet.ask(ANN).told["phone"]["url"])
    eve = portal.browser()
    given = eve.post(path, {})
    pages = [eve.get(path), given, eve.get("/g/guide"), eve.get("/g/guide/done"), eve.get("/me")]

    assert given.download
    for page in pages:
        assert "widgetworks" not in page.text
        assert "***" not in page.text
        assert "Welcome back" not in page.text
    assert eve.gate("study").asks_email


def test_a_code_is_good_for_one_of_many_who_press_at_once(portal, tablet):
    path = path_of(tablet.ask(ANN).told["phone"]["url"])

    def press(_):
        return portal.browser().post(path, {}).status

    with ThreadPoolExecutor(8) as at_once:
        statuses = sorted(at_once.map(press, range(8)))

    assert statuses == [200] + [410] * 7


def test_the_link_behind_a_code_opens_once(portal, tablet):
    given = portal.browser().post(path_of(tablet.ask(ANN).told["phone"]["url"]), {})
    first, second = (portal.browser().get(given.download) for _ in range(2))

    assert first.status == 200
    assert "This is guide.txt." not in second.text


def test_a_code_is_over_after_five_minutes(portal, tablet):
    path = path_of(tablet.ask(ANN).told["phone"]["url"])
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=6)):
        late = [portal.browser().get(path).status, portal.browser().post(path, {}).status]

    assert late == [410, 410]


def test_a_code_of_somebody_who_said_no_opens_nothing(portal, tablet):
    path = path_of(tablet.ask(ANN).told["phone"]["url"])
    portal.work()
    portal.browser().post(portal.link(), {"choice": "deny"})

    assert portal.browser().post(path, {}).status == 410


@pytest.mark.parametrize("token", ["x", "A" * 43, "..%2f..%2fetc", "%00", "A" * 4000])
def test_a_guessed_code_looks_like_one_that_is_used_up(portal, tablet, token):
    path = path_of(tablet.ask(ANN).told["phone"]["url"])
    portal.browser().post(path, {})
    used, guessed = portal.browser().get(path), portal.browser().get(f"/t/{token}")

    assert guessed.status in {404, 410, 414}
    if guessed.status == used.status:
        assert guessed.text == used.text


def test_guessing_codes_comes_to_an_end(limited, monkeypatch):
    monkeypatch.setitem(LIMITS, "phones", Limit(3, HOUR))
    eve = limited.browser()

    assert [eve.post(f"/t/{'A' * 43}", {}).status for _ in range(5)] == [410] * 3 + [429] * 2


def test_a_form_sent_many_times_at_once_counts_once(portal, tablet):
    form = tablet.form(ANN)

    def send(_):
        answer = portal.browser().post(
            f"{tablet.path}/forms", form, Authorization=f"Bearer {tablet.key}"
        )
        return answer.status, answer.text

    with ThreadPoolExecutor(8) as at_once:
        answers = set(at_once.map(send, range(8)))

    assert len(answers) == 1
    assert next(iter(answers))[0] == 200
    for kind in (Claim, Visitor, StandForm, Interaction):
        assert count(portal, kind) == 1, kind


def test_replaying_a_form_does_not_bring_a_used_code_back(portal, tablet):
    form = tablet.form(ANN)
    path = path_of(tablet.send(form).told["phone"]["url"])
    portal.browser().post(path, {})

    assert tablet.send(form).told == {"phone": None}
    assert portal.browser().post(path, {}).status == 410


def test_an_answer_never_says_whether_an_address_is_known(portal, tablet):
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    known, unknown = tablet.ask(ANN), tablet.ask(BOB)

    assert known.told.keys() == unknown.told.keys()
    assert known.status == unknown.status == 200
    assert known.told["phone"].keys() == unknown.told["phone"].keys()
    assert known.told["phone"]["code"]["size"] == unknown.told["phone"]["code"]["size"]


def test_scripts_in_the_name_of_an_event_stay_words(portal):
    portal.publish()
    tablet = Tablet(portal, name='<script>alert(1)</script>"')
    page = tablet.page()
    tablet.ask(ANN)
    portal.work()

    assert "<script>alert" not in page.text
    assert "<script>alert" not in portal.browser().get(portal.link()).text


def test_who_stood_at_one_stand_is_not_told_again_at_another(portal, tablet):
    other, page = Tablet(portal, name="Lyon"), (uuid.uuid4(), 1, "shown")
    for one in (tablet, tablet, other):
        one.leave(page)
    tablet.key, own = other.key, tablet.key

    assert tablet.leave(page).status == 401
    assert count(portal, StandPage) == 2
    assert own != other.key


def test_a_device_that_tells_of_thousands_is_counted_a_few_at_a_time(portal, tablet):
    pages = [(uuid.uuid4(), 1, "begun") for _ in range(2000)]

    assert tablet.leave(*pages).status == 413
    assert count(portal, StandPage) == 0
    assert tablet.leave(*pages[:60]).status == 200
    assert count(portal, StandPage) == 50


def test_a_stand_that_ended_meanwhile_counts_nobody_any_more(portal, tablet):
    tablet.close()

    assert tablet.leave((uuid.uuid4(), 1, "shown")).status == 401
    assert count(portal, StandPage) == 0


def test_scripts_in_what_is_offered_in_any_language_stay_words(portal):
    hostile = "'</a><script>alert(1)</script>'"
    portal.publish(SPOKEN.replace("Durch das Werk", hostile))
    tablet = Tablet(portal, "tour")
    pages = [tablet.browser.get(f"{tablet.path}?lang={one}") for one in ("de", '"><script>alert')]

    assert "&lt;script&gt;alert(1)" in pages[0].text
    assert all("<script>alert" not in page.text for page in pages)
