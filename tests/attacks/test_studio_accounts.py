"""
Coming into the Studio without being let in (security.md T-08, T-16, T-30; R11).

Guessing passwords and codes, learning whom the company employs, being led elsewhere, being
remembered for ever, and taking more than one's roles give.
"""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask_login.utils import encode_cookie

from regportal.accounts import sessions
from regportal.accounts.actions import first_link
from regportal.accounts.sessions import Browser
from regportal.identity.limits import LIMITS
from regportal.store.tokens import fresh_token
from tests.studio.staff import PASSWORD, Company, Desk, set_up_phone

ANN = "ann@acme.example"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "////evil.example/studio/",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5cevil.example",
    "/studio//evil.example",
    "/studio/..//evil.example",
    "/.evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "evil.example",
    "/\tevil.example",
    "/\n/evil.example",
    " //evil.example",
    "/studio/@evil.example",
    "/studio/#@evil.example",
    "https://localhost:8000@evil.example/",
    "https://localhost:8000.evil.example/",
    "\u2044\u2044evil.example",
    "/studio/audit\r\nSet-Cookie: a=b",
]


@pytest.fixture
def company(portal):
    return Company(portal)


@pytest.fixture
def strict(limited, monkeypatch):
    """A company where limits hold, on fewer passwords than outside: each takes its time."""
    for name, most in {"sign-in": 12, "sign-in-as": 10}.items():
        monkeypatch.setitem(LIMITS, name, replace(LIMITS[name], most=most))
    return Company(limited)


def shape(answer):
    """What of an answer must not tell anything."""
    kept = {name: value for name, value in answer.headers.items() if name not in VARIES}
    return answer.status, kept, answer.errors, len(answer.text)


VARIES = {"Content-Length", "Content-Security-Policy", "Set-Cookie", "Date"}


def test_whom_the_company_employs_is_not_told(company):
    company.hire(ANN, "owner")
    company.hire("bo@acme.example", "owner")
    company.disable("bo@acme.example")
    shapes = []
    for email in (ANN, "bo@acme.example", "no@acme.example"):
        desk = Desk(company.portal)
        desk.get("/login")
        answer = desk.post("/login", {"email": email, "password": "not the password"})
        answer.text = answer.text.replace(email, "…").replace(desk.token, "…")
        shapes.append(shape(answer))

    assert shapes[0] == shapes[1] == shapes[2]
    assert shapes[0][2] == {"email": "Address and password do not belong together."}


def test_each_try_costs_one_hash_whether_or_not_somebody_is_known(company, monkeypatch):
    company.hire(ANN, "owner")
    context = company.studio.extensions["security"].pwd_context
    counted = []
    for name in ("hash", "verify"):
        real = getattr(context, name)
        monkeypatch.setattr(
            context, name, lambda *a, real=real, **k: counted.append(1) or real(*a, **k)
        )
    costs = []
    for email in (ANN, "no@acme.example"):
        counted.clear()
        Desk(company.portal).sign_in(email, "not the password")
        costs.append(len(counted))

    assert costs == [1, 1]


def test_the_passwords_of_one_account_are_not_tried_through(strict):
    strict.hire(ANN, "owner")
    most = LIMITS["sign-in-as"].most
    found = []
    for number in range(most + 5):
        desk = Desk(strict.portal, REMOTE_ADDR=f"203.0.113.{number}")
        found.append(desk.sign_in(ANN, f"wrong {number}").status)
    right = Desk(strict.portal, REMOTE_ADDR="198.51.100.7").sign_in(ANN)

    assert found == [422] * most + [429] * 5
    assert right.status == 429
    assert int(right.headers["Retry-After"]) > 0


def test_an_address_nobody_has_is_limited_alike(strict):
    strict.hire(ANN, "owner")
    most = LIMITS["sign-in-as"].most
    found = [
        Desk(strict.portal, REMOTE_ADDR=f"203.0.113.{number}").sign_in("no@acme.example").status
        for number in range(most + 2)
    ]

    assert found == [422] * most + [429] * 2


def test_one_place_does_not_try_many_accounts(strict):
    strict.hire(ANN, "owner")
    most = LIMITS["sign-in"].most
    desk = Desk(strict.portal, REMOTE_ADDR="2001:db8::1")
    desk.get("/login")
    fields = [{"email": f"{number}@acme.example", "password": "x"} for number in range(most + 3)]
    found = [desk.post("/login", one).status for one in fields]
    neighbour = Desk(strict.portal, REMOTE_ADDR="2001:db8::2").sign_in(ANN)

    assert found == [422] * most + [429] * 3
    assert neighbour.status == 429  # the same /64
    assert Desk(strict.portal, REMOTE_ADDR="2001:db8:1::1").sign_in(ANN).status == 302


def test_six_digits_are_not_tried_through(strict):
    set_up_phone(strict.at_desk(ANN, "owner"))
    most = LIMITS["second-factor"].most
    found = []
    for number in range(most + 3):
        desk = Desk(strict.portal, REMOTE_ADDR=f"203.0.113.{number}")
        if number % 7 == 0:  # a new sign-in does not begin the count anew
            desk.sign_in(ANN)
            desk.get("/tf-validate")
            trying = desk
        path = "/tf-validate" if number % 2 else "/mf-recovery"
        found.append(trying.post(path, {"code": f"{number:06}"}).status)

    assert found == [422] * most + [429] * 3


@pytest.mark.parametrize("place", ELSEWHERE)
def test_nobody_is_led_elsewhere(company, place):
    company.hire(ANN, "owner")
    desk = Desk(company.portal)
    desk.get("/login")
    sent = desk.post("/login", {"email": ANN, "password": PASSWORD, "next": place})
    asked = desk.client.get(
        "/studio/login", query_string={"next": place}, base_url="http://localhost:8000"
    )

    assert sent.status == 400
    assert sent.leads_to is None
    assert asked.status_code == 400
    assert desk.get("/").status == 303


@pytest.mark.parametrize("path", ["/login", "/wan-signin"])
def test_nobody_is_remembered_whatever_he_sends(company, path):
    company.hire(ANN, "owner")
    desk = Desk(company.portal)
    desk.get("/login")
    fields = {"email": ANN, "password": PASSWORD, "remember": "y", "remember_me": "y"}
    answer = desk.post(path, fields)

    assert "remember_token" not in str(answer.headers.getlist("Set-Cookie"))


def test_a_cookie_to_be_remembered_by_opens_nothing_not_even_a_true_one(company):
    company.hire(ANN, "owner")
    with company.studio.test_request_context():
        forged = encode_cookie(company.user(ANN).uniquifier)
    desk = Desk(company.portal)
    for name in ("remember_token", ";", ""):
        header = {"Cookie": f"{name}={forged}"}
        assert desk.get("/", **header).status == 303
    assert company.sessions() == []


@pytest.mark.parametrize("header", ["Authentication-Token", "Authorization"])
def test_there_are_no_tokens_for_programs(company, header):
    company.hire(ANN, "owner")
    with company.studio.test_request_context():
        account = company.studio.extensions["security"].datastore.find_user(email=ANN)
        token = account.get_auth_token()
    desk = Desk(company.portal)

    assert desk.get("/", **{header: token}).status == 303
    assert desk.get(f"/?auth_token={token}").status == 303


def test_nobody_is_told_as_json_what_pages_do_not_tell(company):
    company.hire(ANN, "owner")
    desk = Desk(company.portal)
    answer = desk.get("/login", Accept="application/json", **{"Content-Type": "application/json"})

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_session_made_with_the_key_of_another_installation_opens_nothing(company):
    company.hire(ANN, "owner")
    user, token, now = company.user(ANN), fresh_token(), datetime.now(UTC)
    company.store.write(
        lambda session: sessions.begin(
            session, token, "0011.AAAA.AAAA", user.uniquifier, Browser("x", None), now=now
        )
    )
    desk = Desk(company.portal)
    desk.client.set_cookie("rp_admin", token, domain="localhost")

    assert desk.get("/").status == 303


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 5000, "\u2028", "a;b", "%00"])
def test_a_made_up_cookie_breaks_nothing(company, cookie):
    company.hire(ANN, "owner")
    desk = Desk(company.portal)
    answer = desk.get("/", Cookie=f"rp_admin={cookie}; rp_pre={cookie}")

    assert answer.status == 303


def test_the_public_pages_know_nothing_of_who_is_signed_in(company):
    desk = company.at_desk(ANN, "owner")
    gate = desk.client.get("/g/guide", base_url="http://localhost:8000")

    assert ANN not in gate.get_data(as_text=True)
    assert "rp_admin" not in str(gate.headers.getlist("Set-Cookie"))


def test_a_role_that_is_sent_along_changes_nothing(company):
    desk = company.at_desk("bo@acme.example", "marketer")
    desk.get("/account")
    fields = {"name": "Bo", "locale": "", "theme": "", "roles": "owner", "active": "y"}
    desk.post("/account", fields | {"email": "x@acme.example", "password": "x"})
    user = company.user("bo@acme.example")

    assert user.roles == ["marketer"]
    assert user.email == "bo@acme.example"
    assert desk.get("/people").status == 403


def test_markup_in_a_name_stays_a_name(company):
    owner = company.at_desk(ANN, "owner", name="<script>alert(1)</script>{{7*7}}")
    for path in ("/", "/people", "/account", "/audit"):
        text = owner.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text or path == "/audit"


def test_a_link_is_used_once_however_quickly_it_is_pressed(company):
    token = company.store.write(lambda session: first_link(session, now=datetime.now(UTC)))
    desks = [Desk(company.portal) for _ in range(6)]
    for desk in desks:
        desk.get(f"/welcome/{token}")
    found = []

    def press(desk, number):
        fields = {"email": f"{number}@acme.example", "name": "X"}
        both = {"password": PASSWORD, "again": PASSWORD}
        found.append(desk.post(f"/welcome/{token}", fields | both).status)

    threads = [
        threading.Thread(target=press, args=(desk, number)) for number, desk in enumerate(desks)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert sorted(found) == [303] + [409] * 5
