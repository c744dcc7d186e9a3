"""Who may open what: every address of the Studio, asked by every role (security.md T-29, T-08)."""

import uuid
from datetime import UTC, datetime

import pytest
from flask import Blueprint, Flask

from regportal.accounts.actions import set_sells_for
from regportal.accounts.audit import COMMAND
from regportal.accounts.roles import GRANTED, Permission, Role, allowed, may_assign
from regportal.studio import policies
from regportal.studio.policies import LIBRARY
from tests.studio.customers import SAM
from tests.studio.staff import Desk

FINE = {200, 302, 303, 400, 404, 409, 422}
"""What somebody is answered who may: nothing is refused him, nothing breaks."""
SAFE = {"GET", "HEAD", "OPTIONS"}
NOBODY = uuid.UUID("019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b")
BY_BROWSERS = {"reports.csp"}
"""What browsers send by themselves: it changes nothing."""


def routes(company, **objects):
    """Every address of the Studio, with its methods and its policy; ``objects`` by name."""
    app = company.studio
    adapter = app.url_map.bind("localhost")
    found = app.extensions["regportal.policies"]
    for rule in app.url_map.iter_rules():
        values = {name: objects.get(name, value_of(rule, name)) for name in rule.arguments}
        path = adapter.build(rule.endpoint, values, method=next(iter(rule.methods)))
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, path, found[rule.endpoint]


def value_of(rule, name):
    """Something that an address takes: nobody's key, a file, or the first of some words."""
    if "id" in name:
        return NOBODY
    if name == "number":
        return 1
    words = getattr(rule._converters[name], "items", ())
    return min(words, default="studio.css")


def ask(desk, method, path):
    return desk.get(path) if method == "GET" else desk.post(path)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_what_it_is_for_and_nothing_else(company, role):
    desk = company.at_desk("ann@acme.example", role.value)
    wrong = []
    for endpoint, method, path, policy in routes(company):
        if desk.get("/account").status != 200:  # some addresses end the session, as they should
            desk.sign_in("ann@acme.example")
        answer = ask(desk, method, path)
        may = policy.permission is None or policy.permission in GRANTED[role]
        expected = {404} if policy.is_closed else FINE if may else {403}
        if answer.status not in expected:
            wrong.append((endpoint, method, answer.status))

    assert wrong == []


def of_objects(company, **objects):
    """What is about a contact or an opportunity, with what it is about."""
    for endpoint, method, path, policy in routes(company, **objects):
        if any(str(key) in path for key in objects.values()):
            yield endpoint, method, path, policy


@pytest.mark.parametrize("role", list(Role))
def test_a_seller_opens_only_what_is_his_and_others_everybodys(company, customers, role):
    desk = company.at_desk(SAM, role.value)
    objects = {"contact_id": customers.ann, "opportunity_id": customers.mine}
    mine = {**objects, "what": "deed", "what_id": customers.took}
    others = {"contact_id": customers.eve, "opportunity_id": customers.others}
    others |= {"what": "deed", "what_id": customers.secret}
    wrong = []
    for whose, named in (("mine", mine), ("others", others)):
        for endpoint, method, path, policy in of_objects(company, **named):
            found = ask(desk, method, path).status
            expected = 200 if method == "GET" else 422
            if policy.permission not in GRANTED[role]:
                expected = 403
            elif whose == "others" and role is Role.SELLER:
                expected = 404
            if found != expected:
                wrong.append((endpoint, method, whose, found))

    assert wrong == []
    assert len([*of_objects(company, **mine)]) >= 5


def test_what_somebody_else_looks_after_a_seller_opens_where_he_sells_for_him(company, customers):
    desk = company.at_desk(SAM, "seller")
    user, now = company.user(SAM).id, datetime.now(UTC)
    company.store.write(
        lambda session: set_sells_for(session, user, ["Kim@Acme.Example"], doer=COMMAND, now=now)
    )
    others = {"contact_id": customers.eve, "opportunity_id": customers.others}
    found = {
        (endpoint, method): ask(desk, method, path).status
        for endpoint, method, path, policy in of_objects(company, **others)
        if policy.permission in GRANTED[Role.SELLER]
    }

    assert {status for status in found.values() if status != 200} <= {422}
    assert len(found) >= 3


def test_a_contact_and_another_ones_deed_do_not_belong_together(company, customers):
    desk = company.at_desk(SAM, "owner")
    address = f"/contacts/{customers.ann}/not-theirs"

    assert desk.get(f"{address}/deed/{customers.secret}").status == 404
    assert desk.get(f"{address}/address/{customers.eve}").status == 404
    assert desk.get(f"{address}/browser/{customers.took}").status == 404
    assert desk.post(f"{address}/deed/{customers.secret}", {"because": "mine"}).status == 404


def test_nobody_opens_anything_but_the_way_in(company):
    company.hire("ann@acme.example", "owner")
    desk = Desk(company.portal)
    for endpoint, method, path, policy in routes(company):
        desk.get("/login")
        answer = ask(desk, method, path)
        if policy.is_closed:
            assert answer.status == 404, endpoint
        elif not policy.is_open:
            assert answer.status == 303, endpoint
            assert answer.leads_to.startswith("/studio/login"), endpoint


def test_every_form_without_its_token_is_refused(company):
    desk = company.at_desk("ann@acme.example", "owner")
    refused = {}
    for endpoint, method, path, policy in routes(company):
        if method not in SAFE and not policy.is_closed and endpoint not in BY_BROWSERS:
            refused[endpoint] = [
                desk.post(path, token=token).status for token in ("", "x", desk.token + "x")
            ]

    assert {endpoint for endpoint, found in refused.items() if found != [400] * 3} == set()
    assert len(refused) > 15
    assert desk.get("/").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000.evil.example"},
        {"Origin": "http://localhost:80"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_every_form_from_elsewhere_is_refused(company, headers):
    desk = company.at_desk("ann@acme.example", "owner")
    for endpoint, method, path, policy in routes(company):
        if method not in SAFE and not policy.is_closed and endpoint not in BY_BROWSERS:
            assert desk.post(path, **headers).status == 403, endpoint

    assert desk.get("/").status == 200


def test_the_token_of_one_session_is_worth_nothing_in_another(company):
    ann = company.at_desk("ann@acme.example", "owner")
    bo = company.at_desk("bo@acme.example", "marketer")

    assert bo.post("/account/sessions/end", token=ann.token).status == 400


def test_a_page_that_nobody_decided_about_keeps_the_studio_from_starting():
    app, bp = Flask("test"), Blueprint("new", __name__)
    bp.add_url_rule("/new", "page", lambda: "secret")
    app.register_blueprint(bp)

    with pytest.raises(LookupError, match=r"no policy for new\.page"):
        policies.use(app)


def test_no_policy_is_kept_for_a_page_that_is_not_there(company):
    endpoints = {rule.endpoint for rule in company.studio.url_map.iter_rules()}

    assert set(LIBRARY) <= endpoints


def test_every_policy_names_a_permission_or_says_why_not(company):
    found = company.studio.extensions["regportal.policies"].values()

    assert [one for one in found if one.permission is None and len(one.why.split()) < 3] == []


def test_every_permission_is_asked_for_and_somebody_has_it(company):
    found = {one.permission for one in company.studio.extensions["regportal.policies"].values()}

    assert found - {None} == set(Permission) == allowed(Role)


@pytest.mark.parametrize("own", list(Role))
@pytest.mark.parametrize("other", list(Role))
def test_only_an_owner_makes_owners_and_auditors(own, other):
    may = may_assign([own], [], [other])

    if own is Role.OWNER:
        assert may
    elif own is Role.ADMIN:
        assert may is (other not in {Role.OWNER, Role.AUDITOR})
    else:
        assert not may
