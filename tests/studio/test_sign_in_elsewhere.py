"""Signing in at the company's own provider: a real one, walked to and back."""

import contextlib
import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests
import time_machine

from regportal.accounts import actions, elsewhere
from regportal.accounts.audit import COMMAND
from regportal.accounts.roles import Role
from regportal.app import create_app
from regportal.config import load
from regportal.errors import ConfigError
from tests.portal import ORIGIN
from tests.studio.elsewhere import Pretended, Sent, arrive, company_at, onward, real
from tests.studio.staff import PASSWORD, Desk
from tools.ports import free_port

ANN = "ann@acme.example"


@pytest.fixture(scope="module")
def provider():
    with real(free_port()) as issuer:
        yield issuer


@pytest.fixture
def company(database_url, tmp_path, provider):
    with company_at(database_url, tmp_path, provider) as made:
        yield made


def invite(company, email, *roles, name="Ann Example"):
    now, roles = datetime.now(UTC), [Role(one) for one in roles]
    return company.store.write(
        lambda session: actions.invite(session, email, name, roles, doer=COMMAND, now=now).id
    )


def walk(address, email, browser=None):
    """Sign in at the real provider, in a browser of its own; return where it leads back to."""
    browser = browser or requests.Session()
    answer = browser.get(address, allow_redirects=False)
    while not (answer.headers.get("Location") or "").startswith(ORIGIN):
        if "Location" in answer.headers:
            to = requests.compat.urljoin(answer.url, answer.headers["Location"])
            answer = browser.get(to, allow_redirects=False)
            continue
        assert answer.status_code == 200, answer.text
        action = html.unescape(re.search(r'action="([^"]+)"', answer.text)[1])
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)[1]
        fields = {"prompt": prompt, "login": email, "password": "x"}
        answer = browser.post(
            requests.compat.urljoin(answer.url, action), fields, allow_redirects=False
        )
    return answer.headers["Location"]


def come_back(desk, address):
    return arrive(desk, urlsplit(address).query)


def sign_in(company, email, **fields):
    """Sign in at the provider; return the browser and the page on which it ends."""
    sent = Sent(company, **fields)
    return sent.desk, come_back(sent.desk, walk(sent.address, email))


def test_whoever_was_invited_comes_in_by_the_provider_without_a_password(company):
    invite(company, ANN, "marketer")
    desk, answer = sign_in(company, ANN)

    assert answer.status == 200
    assert onward(answer) == "/studio/"
    assert desk.get("/").status == 200
    assert company.user(ANN).password is None
    assert company.deeds() == ["invite", "sso-link"]


def test_the_page_that_was_asked_for_is_opened_after_the_provider(company):
    invite(company, ANN, "owner")
    _, answer = sign_in(company, ANN, next="/studio/people?all=1")

    assert onward(answer) == "/studio/people?all=1"


def test_who_was_not_invited_does_not_come_in(company):
    desk, answer = sign_in(company, "eve@acme.example")

    assert (answer.status, answer.title) == (403, "You are not signed in")
    assert desk.get("/").status == 303
    assert company.deeds() == []


def test_an_address_that_the_provider_has_not_proven_lets_nobody_in(company):
    invite(company, "unproven@acme.example", "owner")
    desk, answer = sign_in(company, "unproven@acme.example")

    assert answer.status == 403
    assert "proven" in answer.text
    assert desk.get("/").status == 303


def test_whoever_is_disabled_stays_out_also_where_the_provider_knows_him(company):
    invite(company, ANN, "marketer")
    sign_in(company, ANN)
    company.disable(ANN)
    desk, answer = sign_in(company, ANN)

    assert answer.status == 403
    assert desk.get("/").status == 303


def test_signing_out_is_ours_alone_and_the_session_is_a_new_one_each_time(company):
    invite(company, ANN, "marketer")
    desk, _ = sign_in(company, ANN)
    first = desk.cookie()
    desk.get("/account")
    desk.post("/logout")
    assert desk.get("/").status == 303
    again, _ = sign_in(company, ANN)

    assert again.cookie() not in {None, first}
    assert desk.get("/").status == 303


def test_a_round_is_walked_once(company):
    invite(company, ANN, "marketer")
    sent = Sent(company)
    kept = sent.desk.cookie("rp_sso")
    address = walk(sent.address, ANN)
    assert come_back(sent.desk, address).status == 200
    thief = Desk(company.portal)
    thief.client.set_cookie("rp_sso", kept, domain="localhost")

    assert sent.desk.cookie("rp_sso") is None
    assert come_back(thief, address).status == 409
    assert thief.get("/").status == 303


def test_after_ten_minutes_a_round_is_over(company):
    invite(company, ANN, "marketer")
    sent = Sent(company)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11), tick=True):
        assert sent.back().status == 409


def test_who_signed_in_there_proves_it_once_more_there(company):
    invite(company, ANN, "owner")
    desk, _ = sign_in(company, ANN)
    asked = desk.get("/people/invite")
    assert asked.leads_to == "/studio/verify?next=/studio/people/invite"
    verify = desk.get("/verify?next=/studio/people/invite")
    assert "Sign in with Acme" in verify.text
    assert 'name="password"' not in verify.text
    before = len(company.sessions())
    sent = Sent(company, desk, next="/studio/people/invite")
    assert sent.asked["max_age"] == "0"
    answer = come_back(desk, walk(sent.address, ANN))

    assert onward(answer) == "/studio/people/invite"
    assert desk.get("/people/invite").status == 200
    assert len(company.sessions()) == before


def test_a_colleague_at_the_provider_proves_nothing_for_who_is_signed_in(company):
    invite(company, ANN, "owner")
    invite(company, "bo@acme.example", "marketer")
    desk, _ = sign_in(company, ANN)
    desk.get("/verify")
    sent = Sent(company, desk)
    answer = come_back(desk, walk(sent.address, "bo@acme.example"))

    assert answer.status == 403
    assert desk.get("/people/invite").status == 303
    assert desk.get("/account").status == 200


def test_nobody_without_a_password_chooses_one_by_an_open_page(company):
    invite(company, ANN, "owner")
    desk, _ = sign_in(company, ANN)
    desk.get("/account")
    sent = {"new_password": PASSWORD, "new_password_confirm": PASSWORD}

    assert desk.post("/change", sent).status == 403
    assert company.user(ANN).password is None


def test_a_name_that_was_forgotten_is_taken_anew_and_ends_his_sessions(company):
    company.hire("bo@acme.example", "owner")
    ann = invite(company, ANN, "marketer")
    desk, _ = sign_in(company, ANN)
    owner = Desk(company.portal)
    owner.sign_in("bo@acme.example")
    assert "Forget it" in owner.get(f"/people/{ann}").text
    assert owner.post(f"/people/{ann}/unlink").status == 303

    assert "Forget it" not in owner.get(f"/people/{ann}").text
    assert desk.get("/").status == 303
    assert company.deeds()[-1] == "sso-unlink"
    assert sign_in(company, ANN)[1].status == 200


def test_whoever_came_in_by_the_provider_is_no_longer_shown_as_invited(company):
    company.hire("bo@acme.example", "owner")
    invite(company, ANN, "marketer")
    owner = Desk(company.portal)
    owner.sign_in("bo@acme.example")
    assert ">invited<" in owner.get("/people").text
    sign_in(company, ANN)

    assert ">invited<" not in owner.get("/people").text
    assert ">Acme<" in owner.get("/people").text


def test_the_last_owner_stays_also_where_only_the_provider_lets_her_in(company):
    ann = invite(company, ANN, "owner")
    sign_in(company, ANN)
    now = datetime.now(UTC)
    with pytest.raises(actions.BadRequestError):
        company.store.write(
            lambda session: actions.set_roles(session, ann, [Role.ADMIN], doer=COMMAND, now=now)
        )

    assert company.user(ANN).roles == ["owner"]


# --- groups ---


@pytest.fixture
def grouped(database_url, tmp_path, provider):
    with company_at(database_url, tmp_path, provider, sso_roles="sales=seller") as made:
        yield made


def test_a_group_lets_somebody_in_who_was_not_invited_with_its_role(grouped):
    desk, answer = sign_in(grouped, "sales@acme.example")

    assert answer.status == 200
    assert grouped.user("sales@acme.example").roles == ["seller"]
    assert desk.get("/opportunities").status == 200
    assert desk.get("/gates").status == 403


def test_whoever_is_in_no_such_group_any_more_has_no_role_and_stays_out(grouped):
    invite(grouped, ANN, "admin")
    desk, answer = sign_in(grouped, ANN)

    assert answer.status == 403
    assert desk.get("/").status == 303
    assert grouped.user(ANN).roles == []
    assert "roles" in grouped.deeds()


def test_no_group_takes_from_an_owner_what_owners_decide(grouped):
    invite(grouped, ANN, "owner")
    _, answer = sign_in(grouped, ANN)

    assert answer.status == 200
    assert grouped.user(ANN).roles == ["owner"]


# --- settings ---


def test_without_settings_there_is_no_button_and_no_such_page(portal):
    desk = Desk(portal)

    assert "/sso" not in desk.get("/login").text
    assert desk.post("/sso").status == 404
    assert desk.get("/sso/back?code=1&state=2").status == 404


@pytest.fixture
def only_there(database_url, tmp_path, provider):
    with company_at(database_url, tmp_path, provider, sso_passwords="off") as made:
        yield made


def test_where_passwords_are_off_only_the_provider_lets_people_in(only_there):
    only_there.hire(ANN, "owner")
    desk = Desk(only_there.portal)
    shown = desk.get("/login")
    assert 'name="password"' not in shown.text
    assert desk.post("/login", {"email": ANN, "password": PASSWORD}).status == 403
    assert desk.post("/wan-signin").status == 403
    now = datetime.now(UTC)
    user = only_there.user(ANN)
    token = only_there.store.write(lambda s: actions.make_link(s, user.id, now=now))
    welcome = desk.get(f"/welcome/{token}")
    assert 'name="password"' not in welcome.text
    sent = {"password": "another password!", "again": "another password!"}

    assert desk.post(f"/welcome/{token}", sent).status == 403
    assert desk.get("/").status == 303
    assert sign_in(only_there, ANN)[1].status == 200


def test_where_passwords_are_off_the_first_owner_still_comes_in_by_the_first_link(only_there):
    now = datetime.now(UTC)
    token = only_there.store.write(lambda session: actions.first_link(session, now=now))
    desk = Desk(only_there.portal)
    desk.get(f"/welcome/{token}")
    fields = {"email": ANN, "name": "Ann", "password": PASSWORD, "again": PASSWORD}

    assert desk.post(f"/welcome/{token}", fields).status == 303
    assert desk.get("/").status == 200


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sso_issuer": "https://id.acme.example"}, "SSO_CLIENT_ID are needed together"),
        ({"sso_client_id": "regportal"}, "SSO_CLIENT_ID are needed together"),
        ({"sso_issuer": "http://id.acme.example", "sso_client_id": "r"}, "SSO_ISSUER must be an"),
        ({"sso_issuer": "https://id.acme.example?x", "sso_client_id": "r"}, "SSO_ISSUER must have"),
        ({"sso_passwords": "off"}, "SSO_PASSWORDS must be on"),
        ({"sso_passwords": "maybe"}, "SSO_PASSWORDS"),
        ({"sso_require": "mfa"}, "SSO_REQUIRE must be name=value"),
        ({"sso_roles": "=seller"}, "SSO_ROLES must be name=value"),
        ({"sso_roles": "all=owner"}, "SSO_ROLES makes no owners"),
        ({"sso_roles": "all=emperor"}, "which there is not"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_in_one_sentence(tmp_path, settings, says):
    with pytest.raises(ConfigError) as refused:
        create_app(load(instance=tmp_path, _env_file=None, **settings))

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_the_extra_one_sentence_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "find_spec", lambda _name: None)
    settings = load(
        instance=tmp_path,
        _env_file=None,
        sso_issuer="https://id.acme.example",
        sso_client_id="regportal",
    )
    with pytest.raises(ConfigError) as refused:
        create_app(settings)

    assert str(refused.value) == (
        "REGPORTAL_SSO_ISSUER names a provider: install regportal[sso] for that"
    )


def test_a_provider_that_does_not_answer_leaves_somebody_at_the_sign_in(database_url, tmp_path):
    with company_at(database_url, tmp_path, f"http://localhost:{free_port()}") as company:
        desk = Desk(company.portal)
        desk.get("/login")
        answer = desk.post("/sso")

        assert (answer.status, answer.leads_to) == (303, "/studio/login")
        assert "does not answer" in desk.get("/login").text


def test_a_provider_behind_our_own_walls_is_asked_only_where_the_operator_allows_it(
    database_url, tmp_path
):
    with contextlib.closing(Pretended()) as inside:
        forbidden = {"allow_private_targets": []}
        with company_at(database_url, tmp_path, inside.issuer, **forbidden) as company:
            desk = Desk(company.portal)
            desk.get("/login")

            assert desk.post("/sso").leads_to == "/studio/login"
        assert inside.asked == []
