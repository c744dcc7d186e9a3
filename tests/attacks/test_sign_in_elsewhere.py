"""
Coming in by the word of a provider that was never given (security.md T-05, T-08, T-16, T-17, T-30).

A provider, or somebody between it and us, says too little, too much, or of another one; somebody
brings what was meant for another browser. Whatever is not as it must be lets nobody in.
"""

import contextlib
import time
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from regportal.accounts.models import StudioIdentity
from tests.attacks.test_studio_accounts import ELSEWHERE
from tests.studio.elsewhere import (
    CLIENT,
    SECRET,
    Pretended,
    Sent,
    arrive,
    company_at,
    with_shared_key,
)
from tests.studio.staff import Desk, set_up_phone

ANN, BO = "ann@acme.example", "bo@acme.example"
EVE = "https://login.evil.example"


@pytest.fixture
def provider():
    with contextlib.closing(Pretended()) as made:
        yield made


@pytest.fixture
def company(database_url, tmp_path, provider):
    with company_at(database_url, tmp_path, provider.issuer) as made:
        made.hire(ANN, "owner")
        made.hire(BO, "marketer", name="Bo Example")
        yield made


def sent_by(company, provider):
    return provider.expects(Sent(company))


def is_in(desk):
    return desk.get("/account").status == 200


def links(company):
    with company.store.read() as session:
        return [(one.issuer, one.subject) for one in session.query(StudioIdentity)]


def test_what_is_as_it_must_be_lets_somebody_in(company, provider):
    sent = sent_by(company, provider)

    assert sent.back(iss=provider.issuer).status == 200
    assert is_in(sent.desk)
    assert links(company) == [(provider.issuer, "248289761001")]


NOW = int(time.time())
FALSE = {
    "another round's nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another provider": {"iss": EVE},
    "the provider with a slash": {"iss": "SLASH"},
    "another audience": {"aud": "another"},
    "no audience": {"aud": None},
    "two audiences": {"aud": [CLIENT, "another"]},
    "two audiences and another party": {"aud": [CLIENT, "another"], "azp": "another"},
    "another party": {"azp": "another"},
    "of an hour ago": {"iat": NOW - 7200, "exp": NOW - 3600},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "from tomorrow on": {"nbf": NOW + 86400},
    "made tomorrow": {"iat": NOW + 86400, "exp": NOW + 90000},
    "nobody": {"sub": None},
    "nobody's name": {"sub": ""},
    "a name that is none": {"sub": ["ann"]},
    "a name without end": {"sub": "x" * 256},
    "an address that is not proven": {"email_verified": False},
    "an address of which nothing is said": {"email_verified": None},
    "an address that is proven to nobody": {"email_verified": ["true"]},
    "no address": {"email": None},
    "two addresses": {"email": [ANN, BO]},
    "an address that is another": {"email": "ann@acme.example.evil.example"},
    "an address that looks the same": {"email": "\u0430nn@acme.example"},
    "an access token that is another": {"at_hash": "another"},
}


@pytest.mark.parametrize("claims", [pytest.param(one, id=name) for name, one in FALSE.items()])
def test_a_proof_in_which_something_is_not_so_lets_nobody_in(company, provider, claims):
    if claims.get("iss") == "SLASH":
        claims = {"iss": f"{provider.issuer}/"}
    provider.claims = claims
    sent = sent_by(company, provider)

    assert sent.back().status == 403
    assert not is_in(sent.desk)
    assert links(company) == []


def none_at_all(header, claims):
    return jwt.encode(header | {"alg": "none"}, claims, OctKey.generate_key(), algorithms=["none"])


def by_another_key(header, claims):
    return jwt.encode(header, claims, RSAKey.generate_key(2048, parameters={"kid": "1"}))


def by_the_secret(header, claims):
    secret = OctKey.import_key(SECRET)
    return jwt.encode(header | {"alg": "HS256"}, claims, secret, algorithms=["HS256"])


@pytest.mark.parametrize("signs", [none_at_all, by_another_key, by_the_secret, "shared"])
def test_a_proof_that_is_not_signed_by_the_providers_own_key_lets_nobody_in(
    company, provider, signs
):
    provider.signs = with_shared_key(provider.key) if signs == "shared" else signs
    sent = sent_by(company, provider)

    assert sent.back().status == 403
    assert not is_in(sent.desk)


def test_a_signature_that_is_cut_off_or_changed_lets_nobody_in(company, provider):
    right = provider.signs
    for change in (
        lambda token: token.rsplit(".", 1)[0] + ".",
        lambda token: token[:-6] + "AAAAAA",
        lambda token: "." + token.partition(".")[2],
        lambda token: "x",
        lambda token: token + "." + token,
    ):
        provider.signs = lambda header, claims, change=change: change(right(header, claims))
        sent = sent_by(company, provider)

        assert sent.back().status == 403
        assert not is_in(sent.desk)


def test_a_key_that_the_token_brings_along_or_that_both_would_have_is_no_key(company, provider):
    eve = RSAKey.generate_key(2048, parameters={"kid": "eve"})
    public = eve.as_dict(private=False)
    sent = sent_by(company, provider)
    for header in ({"jwk": public}, {"kid": "eve", "jwk": public}, {"jku": f"{EVE}/keys"}):
        provider.signs = lambda _, claims, header=header: jwt.encode(
            {"alg": "RS256", **header}, claims, eve
        )
        sent = sent_by(company, provider)
        assert sent.back().status == 403
    shared = OctKey.import_key("x" * 32, {"kid": "1"})
    provider.keys = {"keys": [shared.as_dict(private=True)]}
    provider.signs = lambda _, claims: jwt.encode({"alg": "HS256", "kid": "1"}, claims, shared)
    sent = sent_by(company, provider)

    assert sent.back().status == 403
    assert not is_in(sent.desk)


def test_a_new_key_of_the_provider_is_asked_for_and_not_again_and_again(company, provider):
    sent = sent_by(company, provider)
    assert sent.back().status == 200
    provider.header = {"kid": "2"}
    asked = [path for path, *_ in provider.asked].count("/keys")
    for _ in range(5):
        assert sent_by(company, provider).back().status == 403

    assert [path for path, *_ in provider.asked].count("/keys") <= asked + 1


def test_another_subject_with_the_address_of_somebody_who_came_in_before_stays_out(
    company, provider
):
    assert sent_by(company, provider).back().status == 200
    provider.claims = {"sub": "eve"}
    sent = sent_by(company, provider)

    assert sent.back().status == 403
    assert not is_in(sent.desk)
    assert links(company) == [(provider.issuer, "248289761001")]


def test_a_subject_with_a_new_address_stays_who_it_was_and_becomes_nobody_else(company, provider):
    provider.claims = {"email": BO, "sub": "bo"}
    assert sent_by(company, provider).back().status == 200
    provider.claims = {"email": ANN, "sub": "bo"}
    sent = sent_by(company, provider)

    assert sent.back().status == 200
    assert sent.desk.get("/people").status == 403
    assert links(company) == [(provider.issuer, "bo")]


def test_what_a_page_says_beside_the_proof_must_be_of_the_same_one(company, provider):
    provider.claims = {"email": None, "email_verified": None}
    for more, status in (
        ({"sub": "eve", "email": ANN, "email_verified": True}, 403),
        ({"email": ANN, "email_verified": True}, 403),
        ({"sub": "248289761001", "email": ANN}, 403),
        ({"sub": "248289761001", "email": ANN, "email_verified": True}, 200),
    ):
        provider.userinfo = more
        sent = sent_by(company, provider)

        assert sent.back().status == status
        assert is_in(sent.desk) is (status == 200)


def test_the_proof_of_one_address_does_not_prove_the_one_beside_it(company, provider):
    provider.claims = {"email": ANN, "email_verified": None, "groups": None}
    provider.userinfo = {"sub": "248289761001", "email": BO, "email_verified": True}
    sent = sent_by(company, provider)

    assert sent.back().status == 403


@pytest.mark.parametrize("state", ["", "another", "é", "x" * 5000])
def test_an_answer_to_another_question_lets_nobody_in(company, provider, state):
    sent = sent_by(company, provider)

    assert sent.back(state=state).status == 409
    assert not is_in(sent.desk)


def test_nobody_is_signed_in_as_somebody_else_by_a_link_to_the_way_back(company, provider):
    eve = sent_by(company, provider)
    victim = Desk(company.portal)
    victim.get("/login")
    query = urlencode({"code": "code", "state": eve.asked["state"]})
    assert arrive(victim, query).status == 409
    provider.expects(Sent(company, victim))

    assert arrive(victim, query).status == 409
    assert not is_in(victim)


def test_a_code_is_worth_nothing_without_the_browser_that_asked(company, provider):
    sent = sent_by(company, provider)
    eve = Sent(company)
    answer = eve.back(code="code of ann")

    assert answer.status == 403
    assert not is_in(eve.desk)
    assert sent.asked["code_challenge"] != eve.asked["code_challenge"]
    assert sent.asked["code_challenge_method"] == "S256"


def test_an_answer_is_taken_once_whatever_the_provider_says(company, provider):
    sent = sent_by(company, provider)
    kept = sent.desk.cookie("rp_sso")
    assert sent.back().status == 200
    thief = Desk(company.portal)
    thief.client.set_cookie("rp_sso", kept, domain="localhost")
    query = urlencode({"code": "code", "state": sent.asked["state"]})

    assert arrive(thief, query).status == 409
    assert not is_in(thief)
    assert [path for path, *_ in provider.asked].count("/token") == 1


def test_an_answer_of_another_provider_is_refused_before_its_code_is_shown_anybody(
    company, provider
):
    for issuer in (EVE, f"{provider.issuer}/", provider.issuer.upper()):
        sent = sent_by(company, provider)

        assert sent.back(iss=issuer).status == 403
    provider_paths = [path for path, *_ in provider.asked]
    assert "/token" not in provider_paths


def test_a_provider_that_names_itself_must_do_so(company, provider):
    provider.describes = {"authorization_response_iss_parameter_supported": True}
    sent = sent_by(company, provider)

    assert sent.back().status == 403
    assert sent_by(company, provider).back(iss=provider.issuer).status == 200


@pytest.mark.parametrize("to", ELSEWHERE)
def test_nobody_is_led_elsewhere_after_the_provider(company, provider, to):
    desk = Desk(company.portal)
    desk.get("/login")

    assert desk.post("/sso", {"next": to}).status == 400


def test_the_round_in_a_browser_cannot_be_read_or_written_there(company, provider):
    sent = sent_by(company, provider)
    kept = sent.desk.cookie("rp_sso")
    assert sent.asked["state"] not in kept
    assert sent.asked["nonce"] not in kept
    changed = kept[:-4] + ("AAAA" if not kept.endswith("AAAA") else "BBBB")
    sent.desk.client.set_cookie("rp_sso", changed, domain="localhost")

    assert sent.back().status == 409
    assert not is_in(sent.desk)


def test_a_session_that_was_put_into_a_browser_is_not_the_one_somebody_comes_in_by(
    company, provider
):
    eve = Desk(company.portal)
    assert eve.sign_in(BO).status == 302
    sent = sent_by(company, provider)
    sent.desk.client.set_cookie("rp_admin", eve.cookie(), domain="localhost")
    assert sent.back().status == 200

    assert sent.desk.cookie() != eve.cookie()
    assert eve.get("/people").status == 403


@pytest.mark.parametrize(
    "describes",
    [
        {"issuer": EVE},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "data:text/html,x"},
        {"authorization_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": 1},
        {"jwks_uri": "ftp://evil.example/"},
    ],
)
def test_a_provider_that_describes_itself_falsely_is_not_gone_to(company, provider, describes):
    provider.describes = describes
    desk = Desk(company.portal)
    desk.get("/login")
    answer = desk.post("/sso")

    assert answer.leads_to == "/studio/login"
    assert desk.cookie("rp_sso") is None
    assert "cannot be believed" in desk.get("/login").text


@pytest.mark.parametrize(
    "told",
    [
        (500, {}),
        (400, {"error": "<script>alert(1)</script>", "error_description": "secret"}),
        (200, {}),
        (200, {"id_token": 1, "access_token": "t"}),
        (200, ["id_token"]),
        (302, {}),
    ],
)
def test_what_the_provider_answers_otherwise_lets_nobody_in_and_is_not_repeated(
    company, provider, told
):
    provider.token_answer = told
    sent = sent_by(company, provider)
    answer = sent.back()

    assert answer.status == 403
    assert "secret" not in answer.text
    assert "alert(1)" not in answer.text
    assert not is_in(sent.desk)


def test_what_the_provider_says_when_it_refuses_is_not_repeated(company, provider):
    sent = sent_by(company, provider)
    answer = sent.back(code="", error="access_denied", error_description="<b>call 555</b>")

    assert answer.status == 403
    assert "555" not in answer.text


@pytest.mark.parametrize("code", ["", "x" * 5000])
def test_a_code_that_is_none_is_not_asked_about(company, provider, code):
    assert sent_by(company, provider).back(code=code).status == 403
    assert "/token" not in [path for path, *_ in provider.asked]


def test_the_provider_is_told_our_secret_as_it_wants_it_and_never_in_an_address(company, provider):
    assert sent_by(company, provider).back().status == 200
    [(path, form, headers)] = [one for one in provider.asked if one[0].startswith("/token")]

    assert headers["Authorization"].startswith("Basic ")
    assert "client_secret" not in form
    assert path == "/token"


def test_what_is_required_of_everybody_is_required_of_owners_too(database_url, tmp_path, provider):
    settings = {"sso_require": "amr=mfa,acr=high"}
    with company_at(database_url, tmp_path, provider.issuer, **settings) as company:
        company.hire(ANN, "owner")
        for claims in ({}, {"amr": ["pwd"]}, {"amr": ["mfa"]}, {"amr": ["pwd"], "acr": "high"}):
            provider.claims = claims
            sent = sent_by(company, provider)
            assert sent.asked["acr_values"] == "high"
            assert sent.back().status == 403
        provider.claims = {"amr": ["pwd", "mfa"], "acr": "high"}

        assert sent_by(company, provider).back().status == 200


def test_a_sign_in_that_the_provider_remembered_for_long_changes_nobodys_account(company, provider):
    now = int(time.time())
    for told in (None, now - 3600, now + 3600, "now", True):
        provider.claims = {"auth_time": told}
        sent = sent_by(company, provider)
        sent.back()

        assert sent.desk.get("/people/invite").status != 200
    provider.claims = {"auth_time": now - 10}
    sent = sent_by(company, provider)
    assert sent.back().status == 200

    assert sent.desk.get("/people/invite").status == 200


def test_who_must_prove_once_more_is_not_believed_by_a_proof_of_yesterday(company, provider):
    sent = sent_by(company, provider)
    assert sent.back().status == 200
    for told in (None, int(time.time()) - 3600):
        sent.desk.get("/verify")
        again = provider.expects(Sent(company, sent.desk))
        provider.claims = {"auth_time": told}

        assert again.back().status == 403
        assert sent.desk.get("/people/invite").status == 303


def test_a_group_gives_nobody_more_than_an_operator_wrote_down(database_url, tmp_path, provider):
    settings = {"sso_roles": "sales=seller"}
    with company_at(database_url, tmp_path, provider.issuer, **settings) as company:
        for groups in (["owner"], "owner", ["Sales"], [["sales"]], {"sales": 1}, None):
            provider.claims = {"email": "eve@acme.example", "groups": groups}
            sent = sent_by(company, provider)

            assert sent.back().status == 403
            assert not is_in(sent.desk)
        assert company.deeds() == []


def test_a_half_signed_in_browser_becomes_nobody_by_the_providers_page(company, provider):
    ann = Desk(company.portal)
    ann.sign_in(ANN)
    set_up_phone(ann)
    half = Desk(company.portal)
    half.sign_in(ANN)
    assert not is_in(half)
    provider.claims = {"sub": "bo", "email": BO}
    half.get("/login")
    sent = provider.expects(Sent(company, half))
    assert sent.back().status == 200

    assert half.get("/people").status == 403
