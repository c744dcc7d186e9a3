"""Inviting colleagues, giving them roles, disabling them; and what the audit log tells of it."""

import csv
import html
import io
import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.accounts import actions, audit
from regportal.accounts.audit import COMMAND
from regportal.accounts.roles import Role
from regportal.errors import BadRequestError
from regportal.insight import deeds
from regportal.insight.deeds import Deeds
from regportal.store.ids import uuid7
from regportal.studio.keeping import add_passkey
from regportal.studio.known import Passkey
from tests.studio.staff import PASSWORD, Desk


def invite(desk, email="bo@acme.example", *roles, name="Bo"):
    desk.get("/people/invite")
    return desk.post("/people/invite", {"email": email, "name": name, "roles": list(roles)})


def leads_to(answer, way):
    """Return where the link to the page before or after leads; empty where there is none."""
    found = re.search(rf'rel="{way}" href="/studio([^"]+)"', answer.text)
    return html.unescape(found[1]) if found else ""


def link_in(answer):
    return re.search(r'value="http://localhost:8000/studio(/welcome/[\w-]+)"', answer.text)[1]


def test_an_owner_invites_somebody_who_comes_in_by_the_link(company):
    owner = company.at_desk("ann@acme.example", "owner")
    link = link_in(invite(owner, "bo@acme.example", "marketer", "seller"))
    bo = Desk(company.portal)
    bo.get(link)
    bo.post(link, {"password": PASSWORD, "again": PASSWORD})

    assert bo.get("/").status == 200
    assert company.user("bo@acme.example").roles == ["marketer", "seller"]
    assert company.deeds() == ["invite", "invite", "accept"]


def older_of(page):
    """Where the next page begins."""
    return html.unescape(re.search(r'href="/studio(/audit\?[^"]+)"[^>]*>Older', page.text)[1])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "bo@acme.example", "name": "Bo"}, "roles"),
        ({"email": "bo@acme.example", "name": "Bo", "roles": ["emperor"]}, "roles"),
        ({"email": "nobody", "name": "Bo", "roles": ["seller"]}, "email"),
        ({"email": "ANN@acme.example", "name": "Bo", "roles": ["seller"]}, "email"),
        ({"email": "bo@acme.example", "name": "", "roles": ["seller"]}, "name"),
    ],
)
def test_an_invitation_that_is_filled_in_badly_says_so(company, fields, field):
    owner = company.at_desk("ann@acme.example", "owner")
    owner.get("/people/invite")
    answer = owner.post("/people/invite", fields)

    assert answer.status == 422
    assert field in answer.errors


def test_an_administrator_makes_no_owner_and_touches_none(company):
    owner = company.hire("ann@acme.example", "owner")
    admin = company.at_desk("bo@acme.example", "admin")

    assert invite(admin, "cy@acme.example", "owner").status == 403
    assert invite(admin, "cy@acme.example", "marketer").status == 200
    for path in (f"/people/{owner}/disable", f"/people/{owner}/link"):
        assert admin.post(path).status == 403
    assert admin.post(f"/people/{owner}", {"roles": ["marketer"]}).status == 403
    me = company.user("bo@acme.example").id
    assert admin.post(f"/people/{me}", {"roles": ["admin", "owner"]}).status == 403
    assert company.user("ann@acme.example").roles == ["owner"]


def test_nobody_but_an_owner_chooses_what_he_may_do_himself(company):
    admin = company.at_desk("bo@acme.example", "admin", "seller")
    me = company.user("bo@acme.example").id
    shown = admin.get(f"/people/{me}")
    assert 'name="roles"' not in shown.text
    assert "an owner decides" in shown.text
    for roles in (["admin", "marketer"], ["marketer"], ["admin"], ["admin", "privacy"]):
        assert admin.post(f"/people/{me}", {"roles": roles}).status == 403
    assert admin.post(f"/people/{me}/sells-for", {"owners": "kim@acme.example"}).status == 403
    assert company.user("bo@acme.example").roles == ["admin", "seller"]
    owner = company.at_desk("ann@acme.example", "owner")
    own = company.user("ann@acme.example").id

    assert owner.post(f"/people/{own}", {"roles": ["owner", "seller"]}).status == 303


def test_a_seller_sees_also_what_the_crm_gives_him_under_another_name(company, customers):
    owner = company.at_desk("ann@acme.example", "owner")
    seller = company.at_desk("kim.lee@acme.example", "seller")
    kim = company.user("kim.lee@acme.example").id
    assert seller.get(f"/opportunities/{customers.others}").status == 404
    assert "kim@acme.example" in owner.get(f"/people/{kim}").text
    sent = {"owners": " Kim@Acme.example \n\nKim Lee\nkim.lee@acme.example"}
    assert owner.post(f"/people/{kim}/sells-for", sent).status == 303

    assert company.user("kim.lee@acme.example").sells_for == ["kim lee", "kim@acme.example"]
    assert seller.get(f"/opportunities/{customers.others}").status == 200
    assert seller.get(f"/contacts/{customers.eve}").status == 200
    assert seller.get(f"/opportunities/{customers.mine}").status == 404
    assert "kim lee\nkim@acme.example" in owner.get(f"/people/{kim}").text
    assert company.deeds().count("sells-for") == 1
    owner.post(f"/people/{kim}/sells-for", {"owners": ""})

    assert seller.get(f"/opportunities/{customers.others}").status == 404
    assert company.user("kim.lee@acme.example").sells_for is None


@pytest.mark.parametrize("owners", ["x" * 321, "kim\x07@acme.example", "y\n" * 3000])
def test_what_no_owner_in_a_crm_can_be_called_is_refused_beside_its_field(company, owners):
    owner = company.at_desk("ann@acme.example", "owner")
    bo = company.hire("bo@acme.example", "seller")
    answer = owner.post(f"/people/{bo}/sells-for", {"owners": owners})

    assert answer.status == 422
    assert "owners" in answer.errors
    assert company.user("bo@acme.example").sells_for is None


def test_an_administrator_says_for_no_owner_and_no_auditor_whom_they_see(company):
    boss = company.hire("ann@acme.example", "owner", "seller")
    admin = company.at_desk("bo@acme.example", "admin")

    assert admin.post(f"/people/{boss}/sells-for", {"owners": "kim"}).status == 403


def test_the_last_owner_stays_one(company):
    owner = company.at_desk("ann@acme.example", "owner")
    me = company.user("ann@acme.example").id
    owner.get(f"/people/{me}")
    changed = owner.post(f"/people/{me}", {"roles": ["admin"]})

    assert changed.status == 422
    assert "owner" in changed.errors["roles"]
    assert owner.post(f"/people/{me}/disable").status == 400
    assert company.user("ann@acme.example").roles == ["owner"]
    assert company.user("ann@acme.example").active


def test_an_owner_who_never_came_in_does_not_count_as_one(company):
    company.hire("ann@acme.example", "owner")
    user, now = company.user("ann@acme.example"), datetime.now(UTC)

    def another(session):
        actions.invite(session, "bo@acme.example", "Bo", [Role.OWNER], doer=COMMAND, now=now)
        actions.set_active(session, user.id, active=False, doer=COMMAND, now=now)

    with pytest.raises(BadRequestError, match="There must be an owner"):
        company.store.write(another)


def test_roles_are_changed_and_the_colleague_signs_in_again(company):
    owner = company.at_desk("ann@acme.example", "owner")
    bo = company.at_desk("bo@acme.example", "marketer")
    key = company.user("bo@acme.example").id
    owner.get(f"/people/{key}")
    owner.post(f"/people/{key}", {"roles": ["auditor"]})

    assert bo.get("/").status == 303
    assert bo.sign_in("bo@acme.example").status == 302
    assert "Roles: Auditor (before: Marketer)" in bo.get("/audit").text
    with company.store.read() as session:
        told = deeds.page(session, Deeds(action="roles")).rows
    assert [(one.by, one.key, one.change) for one in told] == [
        ("ann@acme.example", str(key), {"roles": [["marketer"], ["auditor"]]})
    ]


def test_a_new_link_opens_the_account_to_whoever_lost_password_and_phone(company):
    owner = company.at_desk("ann@acme.example", "owner")
    bo = company.at_desk("bo@acme.example", "marketer")
    key = company.user("bo@acme.example").id
    first = link_in(owner.post(f"/people/{key}/link"))
    second = link_in(owner.post(f"/people/{key}/link"))
    assert bo.get("/").status == 200
    assert Desk(company.portal).get(first).status == 409
    again = Desk(company.portal)
    again.get(second)
    again.post(second, {"password": "a new long password", "again": "a new long password"})

    assert again.get("/").status == 200
    assert bo.get("/").status == 303


def test_what_a_lost_phone_opened_it_opens_no_more_when_its_owner_took_a_new_link(company):
    owner = company.at_desk("ann@acme.example", "owner")
    key = company.hire("bo@acme.example", "marketer")
    lost = Passkey(
        id=uuid7(),
        user_id=key,
        credential_id=b"lost",
        public_key=b"key",
        name="My phone",
        sign_count=0,
        usage="secondary",
        device_type="single_device",
        backup_state=False,
        transports=None,
        extensions=None,
        made_at=datetime.now(UTC),
        lastuse_datetime=datetime.now(UTC),
    )
    company.store.write(
        lambda session: add_passkey(session, lost, COMMAND, None, now=datetime.now(UTC))
    )
    link = link_in(owner.post(f"/people/{key}/link"))
    before, again = Desk(company.portal).sign_in("bo@acme.example"), Desk(company.portal)
    again.get(link)
    again.post(link, {"password": "a new long password", "again": "a new long password"})
    after = Desk(company.portal).sign_in("bo@acme.example", "a new long password")

    assert "/wan-signin" in before.leads_to
    assert after.leads_to == "/studio/"


def test_whoever_is_disabled_gets_no_link_and_an_old_one_opens_nothing(company):
    owner = company.at_desk("ann@acme.example", "owner")
    link = link_in(invite(owner, "bo@acme.example", "marketer"))
    key = company.user("bo@acme.example").id
    owner.post(f"/people/{key}/disable")

    assert Desk(company.portal).get(link).status == 409
    assert owner.post(f"/people/{key}/link").status == 400
    owner.post(f"/people/{key}/enable")
    assert Desk(company.portal).get(link).status == 409


def test_the_log_is_read_in_pages_and_by_what_is_asked(company):
    owner = company.at_desk("ann@acme.example", "owner")
    me, now = company.user("ann@acme.example").id, datetime.now(UTC)

    def many(session):
        for _ in range(120):
            audit.write(session, audit.Doer(me), "link", "person", str(me), now=now)

    company.store.write(many)
    first = owner.get("/audit?action=link")
    second = owner.get(leads_to(first, "next"))
    third = owner.get(leads_to(second, "next"))
    again = owner.get(leads_to(third, "prev"))
    newest = owner.get(leads_to(again, "prev"))

    rows = [page.text.count('data-rp="row"') for page in (first, second, third)]
    assert rows == [50, 50, 20]
    assert (leads_to(first, "prev"), leads_to(third, "next"), leads_to(newest, "prev")) == ("",) * 3
    assert leads_to(again, "next") == leads_to(second, "next")
    assert leads_to(newest, "next") == leads_to(first, "next")
    assert owner.get("/audit?by=nobody").status == 400
    assert owner.get("/audit?at=x").status == 400


def test_the_log_as_a_table_has_no_formulas(company):
    owner = company.at_desk("ann@acme.example", "owner")
    now = datetime.now(UTC)
    company.store.write(
        lambda session: audit.write(session, COMMAND, "=cmd()", "@x", "+y", now=now)
    )
    answer = owner.get("/audit.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert rows[0]["action"] == "'=cmd()"
    assert [rows[0]["kind"], rows[0]["key"]] == ["'@x", "'+y"]
    assert len(rows) == 2


@pytest.mark.parametrize("statement", ["UPDATE audit SET action = 'x'", "DELETE FROM audit"])
def test_nobody_changes_the_log_not_even_in_the_database(company, statement):
    company.hire("ann@acme.example", "owner")

    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        company.store.write(lambda session: session.execute(sa.text(statement)))
    assert company.deeds() == ["invite"]
