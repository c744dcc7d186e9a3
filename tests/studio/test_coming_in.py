"""The first owner, invitations, passwords, and sessions that begin and end."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.accounts import actions
from regportal.accounts.audit import COMMAND
from regportal.accounts.models import StudioSession, StudioUser
from regportal.accounts.roles import Role
from regportal.store.tokens import hash_of
from tests.studio.staff import PASSWORD, Desk

ANOTHER = "quite another long password"


def first_link(company):
    return company.store.write(partial(actions.first_link, now=datetime.now(UTC)))


def fields_of(password=PASSWORD, **others):
    return {"password": password, "again": password, **others}


def sessions_of(company):
    with company.store.read() as session:
        return session.scalars(sa.select(StudioSession)).all()


def change_sessions(company, **values):
    company.store.write(lambda session: session.execute(sa.update(StudioSession).values(**values)))


def test_the_first_link_makes_an_owner_who_is_in_at_once(company):
    desk, token = Desk(company.portal), first_link(company)
    desk.get(f"/welcome/{token}")
    answer = desk.post(f"/welcome/{token}", fields_of(email="Bo@Acme.Example", name="Bo"))

    assert (answer.status, answer.leads_to) == (303, "/studio/")
    assert desk.get("/").status == 200
    assert company.user("bo@acme.example").roles == ["owner"]
    assert company.deeds() == ["accept"]


def test_the_first_link_opens_once_and_there_is_no_other_afterwards(company):
    desk, token = Desk(company.portal), first_link(company)
    desk.get(f"/welcome/{token}")
    desk.post(f"/welcome/{token}", fields_of(email="bo@acme.example", name="Bo"))
    other = Desk(company.portal)

    assert other.get(f"/welcome/{token}").status == 409
    assert first_link(company) is None


def test_each_start_has_a_first_link_of_its_own_and_the_one_before_opens_nothing(company):
    before, token = first_link(company), first_link(company)

    assert Desk(company.portal).get(f"/welcome/{before}").status == 409
    assert Desk(company.portal).get(f"/welcome/{token}").status == 200


def test_a_first_link_of_yesterday_opens_nothing(company):
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    token = company.store.write(partial(actions.first_link, now=yesterday))

    assert Desk(company.portal).get(f"/welcome/{token}").status == 409


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (fields_of("short", email="bo@acme.example", name="Bo"), "password"),
        (fields_of(email="bo", name="Bo"), "email"),
        (fields_of(email="bo@acme.example", name=" "), "name"),
        (fields_of(email="bo@acme.example", name="B\no"), "name"),
        (fields_of(email="bo@acme.example", name="B" * 121), "name"),
        (fields_of(email="bo@acme.example", name="Bo") | {"again": "other"}, "again"),
        (fields_of("x" * 2000, email="bo@acme.example", name="Bo"), "password"),
    ],
)
def test_a_welcome_that_is_filled_in_badly_says_so_beside_the_field(company, fields, field):
    desk, token = Desk(company.portal), first_link(company)
    desk.get(f"/welcome/{token}")
    answer = desk.post(f"/welcome/{token}", fields)

    assert answer.status == 422
    assert field in answer.errors
    with company.store.read() as session:
        assert session.scalars(sa.select(StudioUser)).all() == []


def test_somebody_who_was_invited_comes_in_by_the_link(company):
    now = datetime.now(UTC)

    def invited(session):
        roles = [Role.MARKETER]
        cy = actions.invite(session, "cy@acme.example", "Cy", roles, doer=COMMAND, now=now)
        return actions.make_link(session, cy.id, now=now)

    token = company.store.write(invited)
    desk = Desk(company.portal)
    assert desk.sign_in("cy@acme.example", "").status == 422
    desk.get(f"/welcome/{token}")
    desk.post(f"/welcome/{token}", fields_of(email="eve@evil.example", name="Eve"))

    assert desk.get("/").status == 200
    assert company.user("cy@acme.example").name == "Cy"


def test_a_password_is_kept_as_argon2id_with_the_costs_we_say(company):
    company.hire("ann@acme.example", "owner")

    assert company.user("ann@acme.example").password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_signing_in_leads_to_the_page_that_was_asked_for(company):
    company.hire("ann@acme.example", "owner")
    desk = Desk(company.portal)
    asked = desk.get("/audit")
    answer = desk.sign_in("ann@acme.example", next="/studio/audit")

    assert asked.leads_to == "/studio/login?next=/studio/audit"
    assert answer.leads_to == "/studio/audit"


@pytest.mark.parametrize("email", ["ann@acme.example", "ANN@acme.example"])
def test_an_address_is_known_however_it_is_spelled(company, email):
    company.hire("ann@acme.example", "owner")

    assert Desk(company.portal).sign_in(email).status == 302


def test_signing_in_changes_the_token_and_what_came_before_opens_nothing(company):
    company.hire("ann@acme.example", "owner")
    desk = Desk(company.portal)
    desk.get("/login")
    before = desk.cookie("rp_pre")
    desk.sign_in("ann@acme.example")
    other = Desk(company.portal)
    other.client.set_cookie("rp_admin", before, domain="localhost")
    other.client.set_cookie("rp_pre", before, domain="localhost")

    assert desk.cookie("rp_pre") is None
    assert other.get("/").status == 303


def test_a_token_that_somebody_else_chose_is_not_taken_over(company):
    company.hire("ann@acme.example", "owner")
    desk, chosen = Desk(company.portal), "A" * 43
    desk.client.set_cookie("rp_admin", chosen, domain="localhost")
    desk.sign_in("ann@acme.example")

    assert desk.cookie() != chosen
    assert [one.hash for one in sessions_of(company)] == [hash_of(desk.cookie())]


def test_opening_the_sign_in_page_keeps_nothing_in_the_database(company):
    for _ in range(3):
        Desk(company.portal).get("/login")

    assert sessions_of(company) == []


def test_the_cookie_of_a_session_cannot_be_read_by_scripts_or_sent_from_elsewhere(company):
    company.hire("ann@acme.example", "owner")
    desk = Desk(company.portal)
    desk.get("/login")
    answer = desk.post("/login", {"email": "ann@acme.example", "password": PASSWORD})
    [cookie] = [one for one in answer.headers.getlist("Set-Cookie") if "rp_admin" in one]

    assert "; HttpOnly; Path=/; SameSite=Strict" in cookie
    assert "Max-Age" not in cookie


def test_what_a_session_remembers_cannot_be_read_in_the_database(company):
    desk = company.at_desk("ann@acme.example", "owner")
    [kept] = sessions_of(company)

    assert company.user("ann@acme.example").uniquifier not in kept.sealed
    assert desk.token not in kept.sealed


def test_a_session_whose_row_was_exchanged_for_anothers_opens_nothing(company):
    ann = company.at_desk("ann@acme.example", "owner")
    bo = company.at_desk("bo@acme.example", "marketer")
    rows = {one.hash: one.sealed for one in sessions_of(company)}
    stolen = rows[hash_of(ann.cookie())]
    change_sessions(company, sealed=stolen)

    assert bo.get("/").status == 303


def test_signing_out_ends_the_session_for_good(company):
    desk = company.at_desk("ann@acme.example", "owner")
    token = desk.cookie()
    answer = desk.post("/logout")
    desk.client.set_cookie("rp_admin", token, domain="localhost")

    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert sessions_of(company) == []
    assert desk.get("/").status == 303


@pytest.mark.parametrize(
    "ago",
    [
        {"seen_at": timedelta(minutes=31)},
        {"made_at": timedelta(hours=12, minutes=1)},
    ],
)
def test_a_session_ends_by_itself(company, ago):
    desk = company.at_desk("ann@acme.example", "owner")
    change_sessions(company, **{name: datetime.now(UTC) - span for name, span in ago.items()})

    assert desk.get("/").leads_to == "/studio/login"


def test_a_session_that_is_used_goes_on(company):
    desk = company.at_desk("ann@acme.example", "owner")
    change_sessions(company, seen_at=datetime.now(UTC) - timedelta(minutes=20))
    desk.get("/")
    company.store.catch_up()
    [kept] = sessions_of(company)

    assert datetime.now(UTC) - kept.seen_at < timedelta(minutes=1)


def test_another_password_signs_out_everywhere_else(company):
    desk = company.at_desk("ann@acme.example", "owner")
    other = Desk(company.portal)
    other.sign_in("ann@acme.example")
    desk.get("/change")
    fields = {"password": PASSWORD, "new_password": ANOTHER, "new_password_confirm": ANOTHER}
    answer = desk.post("/change", fields)

    assert answer.status == 302
    assert desk.get("/").status == 200
    assert other.get("/").status == 303
    assert Desk(company.portal).sign_in("ann@acme.example").status == 422
    assert Desk(company.portal).sign_in("ann@acme.example", ANOTHER).status == 302
    assert len(sessions_of(company)) == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"password": "wrong", "new_password": ANOTHER}, "password"),
        ({"password": PASSWORD, "new_password": "short"}, "new_password"),
        ({"password": PASSWORD, "new_password": PASSWORD}, "password"),
    ],
)
def test_a_password_that_cannot_be_changed_says_why(company, fields, field):
    desk = company.at_desk("ann@acme.example", "owner")
    desk.get("/change")
    answer = desk.post("/change", fields | {"new_password_confirm": fields["new_password"]})

    assert answer.status == 422
    assert field in answer.errors
    assert company.deeds() == ["invite"]


def test_whoever_is_disabled_is_out_at_once_and_does_not_come_in_again(company):
    company.hire("bo@acme.example", "owner")
    desk = company.at_desk("ann@acme.example", "owner")
    user = company.user("ann@acme.example")
    now = datetime.now(UTC)
    company.store.write(
        lambda session: actions.set_active(session, user.id, active=False, doer=COMMAND, now=now)
    )

    assert desk.get("/").status == 303
    assert desk.sign_in("ann@acme.example").errors == {
        "email": "Address and password do not belong together."
    }


def test_other_roles_end_every_session(company):
    desk = company.at_desk("ann@acme.example", "marketer")
    company.hire("bo@acme.example", "owner")
    user, now = company.user("ann@acme.example"), datetime.now(UTC)
    company.store.write(
        lambda session: actions.set_roles(session, user.id, [Role.SELLER], doer=COMMAND, now=now)
    )

    assert desk.get("/").status == 303
    assert sessions_of(company) == []


def test_somebody_sees_where_he_is_signed_in_and_ends_it(company):
    desk = company.at_desk("ann@acme.example", "owner")
    phone = Desk(company.portal, agent="Mozilla/5.0 (iPhone) Safari/605.1")
    phone.sign_in("ann@acme.example")
    page = desk.get("/account")
    other = next(one for one in sessions_of(company) if one.hash != hash_of(desk.cookie()))
    ended = desk.post(f"/account/sessions/{other.id}/end")

    assert page.text.count('data-rp="session"') == 2
    assert "Safari on an iPhone" in page.text
    assert ended.status == 303
    assert phone.get("/").status == 303
    assert desk.get("/").status == 200


def test_nobody_ends_the_session_of_somebody_else(company):
    ann = company.at_desk("ann@acme.example", "owner")
    bo = company.at_desk("bo@acme.example", "marketer")
    other = next(one for one in sessions_of(company) if one.hash == hash_of(ann.cookie()))

    assert bo.post(f"/account/sessions/{other.id}/end").status == 404
    assert ann.get("/").status == 200


def test_signing_out_everywhere_but_here(company):
    desk = company.at_desk("ann@acme.example", "owner")
    others = [Desk(company.portal) for _ in range(2)]
    for one in others:
        one.sign_in("ann@acme.example")
    desk.post("/account/sessions/end")

    assert [one.get("/").status for one in others] == [303, 303]
    assert desk.get("/").status == 200


def test_a_request_that_was_on_its_way_does_not_bring_an_ended_session_back(company):
    desk = company.at_desk("ann@acme.example", "owner")
    [kept] = sessions_of(company)
    company.store.write(lambda session: actions.end_sessions(session, kept.user_id))
    desk.get("/account")

    assert sessions_of(company) == []


def test_whoever_proved_himself_a_while_ago_does_so_again_before_he_changes_who_comes_in(
    company, monkeypatch
):
    desk = company.at_desk("ann@acme.example", "owner")
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=16)
    monkeypatch.setattr("flask_security.utils.naive_utcnow", lambda: later)
    asked = desk.get("/people/invite")

    assert asked.leads_to == "/studio/verify?next=/studio/people/invite"
    assert desk.get("/people").status == 200


def test_what_somebody_likes_is_kept(company):
    desk = company.at_desk("ann@acme.example", "owner")
    desk.get("/account")
    desk.post("/account", {"name": "Ann B.", "locale": "de", "theme": "dark"})
    page = desk.get("/account")

    assert page.headers["Content-Language"] == "de"
    assert 'data-bs-theme="dark"' in page.text
    assert "Ann B." in page.text


@pytest.mark.parametrize("field", [{"locale": "tlh"}, {"theme": "pink"}, {"name": ""}])
def test_what_nobody_can_like_is_refused(company, field):
    desk = company.at_desk("ann@acme.example", "owner")
    desk.get("/account")
    answer = desk.post("/account", {"name": "Ann", "locale": "de", "theme": "dark"} | field)

    assert answer.status == 422
    assert list(field) == list(answer.errors)
