"""Codes of a phone, recovery codes: set up, asked, each taken once."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.accounts.models import StudioSession, StudioUser
from regportal.studio.signing_in import STEP
from tests.studio.staff import PASSWORD, Desk, set_up_phone


def half_way(company, email="ann@acme.example"):
    """A browser in which the password was good, and the code is awaited."""
    desk = Desk(company.portal)
    desk.get("/login")
    answer = desk.post("/login", {"email": email, "password": PASSWORD})
    assert answer.leads_to.startswith("/studio/tf-validate")
    desk.get(answer.leads_to.removeprefix("/studio"))
    return desk


def in_half_a_minute(phone):
    """The code that a phone shows next: the one of now was taken when it was set up."""
    return phone.generate(int(time.time()) + STEP).token


@pytest.fixture
def ann(company):
    """An owner who is signed in, and her phone."""
    desk = company.at_desk("ann@acme.example", "owner")
    return desk, set_up_phone(desk)


def recovery_codes(desk):
    desk.get("/mf-recovery-codes")
    shown = desk.post("/mf-recovery-codes", {"generate_new_codes": "yes"})
    return re.findall(r"<code>([0-9a-f-]+)</code>", shown.text)


def test_after_the_password_a_code_is_asked(company, ann):
    _, phone = ann
    desk = half_way(company)

    assert desk.get("/").status == 303
    assert desk.post("/tf-validate", {"code": in_half_a_minute(phone)}).leads_to == "/studio/"
    assert desk.get("/").status == 200


def test_who_was_on_the_way_to_a_page_comes_there(company, ann):
    _, phone = ann
    desk = Desk(company.portal)
    desk.get("/login")
    answer = desk.post(
        "/login", {"email": "ann@acme.example", "password": PASSWORD, "next": "/studio/audit"}
    )
    page = desk.get(answer.leads_to.removeprefix("/studio"))
    assert 'name="next" value="/studio/audit"' in page.text
    done = desk.post("/tf-validate", {"code": in_half_a_minute(phone), "next": "/studio/audit"})

    assert done.leads_to == "/studio/audit"


def test_a_code_is_taken_once(company, ann):
    _, phone = ann
    code = in_half_a_minute(phone)
    first, second = half_way(company), half_way(company)

    assert first.post("/tf-validate", {"code": code}).status == 302
    assert second.post("/tf-validate", {"code": code}).status == 422
    assert second.get("/").status == 303


@pytest.mark.parametrize(
    "code", ["000000", "", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "'; --"]
)
def test_a_wrong_code_opens_nothing(company, ann, code):
    desk = half_way(company)
    answer = desk.post("/tf-validate", {"code": code})

    assert answer.status == 422
    assert desk.get("/").status == 303


def test_setting_it_up_signs_out_everywhere_else_and_is_told(company):
    desk = company.at_desk("ann@acme.example", "owner")
    other = Desk(company.portal)
    other.sign_in("ann@acme.example")
    set_up_phone(desk)

    assert desk.get("/").status == 200
    assert other.get("/").status == 303
    assert company.deeds()[-1] == "second-factor"


def test_the_secret_is_sealed_for_its_person_alone(company, ann):
    _, phone = ann
    company.hire("bo@acme.example", "owner")
    sealed = company.user("ann@acme.example").totp_secret
    move = sa.update(StudioUser).values(totp_secret=sealed, tf_method="authenticator")
    company.store.write(lambda session: session.execute(move))

    assert phone.base32_key not in sealed
    assert Desk(company.portal).sign_in("bo@acme.example").status == 422


def test_the_address_a_new_secret_travels_in_does_not_tell_it(company):
    desk = company.at_desk("ann@acme.example", "owner")
    desk.get("/tf-setup")
    shown = desk.post("/tf-setup", {"setup": "authenticator"})
    key = re.search(r'<code dir="ltr">([^<]+)</code>', shown.text)[1].replace("-", "")
    token = re.search(r'action="/studio/tf-setup/([^"]+)"', shown.text)[1]
    with company.studio.app_context():
        told = company.studio.extensions["security"].tf_setup_serializer.loads(token)

    assert len(key) >= 32
    assert key not in told["totp_secret"].upper()
    assert not told["totp_secret"].startswith("{")


def test_the_picture_is_ours_and_shows_the_key(company):
    desk = company.at_desk("ann@acme.example", "owner")
    desk.get("/tf-setup")
    shown = desk.post("/tf-setup", {"setup": "authenticator"})

    assert 'src="data:image/svg+xml;base64,' in shown.text
    assert company.user("ann@acme.example").tf_method is None


def test_who_lost_the_phone_comes_in_by_a_recovery_code_once(company, ann):
    desk, _ = ann
    codes = recovery_codes(desk)
    first = half_way(company)
    done = first.post("/mf-recovery", {"code": codes[0].upper().replace("-", " ")})
    again = half_way(company)

    assert len(codes) == 10
    assert done.status == 302
    assert first.get("/").status == 200
    assert again.post("/mf-recovery", {"code": codes[0]}).status == 422
    assert again.post("/mf-recovery", {"code": codes[1]}).status == 302
    assert len(company.user("ann@acme.example").recovery_codes) == 8


def test_recovery_codes_are_shown_once_and_kept_as_hashes(company, ann):
    desk, _ = ann
    codes = recovery_codes(desk)
    kept = company.user("ann@acme.example").recovery_codes

    assert not any(code in str(kept) for code in codes)
    assert not any(code in desk.get("/mf-recovery-codes?show_codes=yes").text for code in codes)


def test_new_recovery_codes_take_the_place_of_the_old(company, ann):
    desk, _ = ann
    old, new = recovery_codes(desk), recovery_codes(desk)
    other = half_way(company)

    assert other.post("/mf-recovery", {"code": old[0]}).status == 422
    assert other.post("/mf-recovery", {"code": new[0]}).status == 302


def test_it_is_taken_away_again_by_who_has_proved_himself(company, ann):
    desk, _ = ann
    desk.get("/tf-setup")
    desk.post("/tf-setup", {"setup": "disable"})

    assert Desk(company.portal).sign_in("ann@acme.example").leads_to == "/studio/"
    assert company.user("ann@acme.example").totp_secret is None


@pytest.mark.parametrize("path", ["/tf-validate", "/mf-recovery", "/tf-select"])
def test_nobody_begins_with_the_second_factor(company, ann, path):
    desk = Desk(company.portal)
    desk.get("/login")

    assert desk.get(path).leads_to == "/studio/login"
    assert desk.post(path, {"code": "123456"}).leads_to == "/studio/login"


def test_a_password_that_was_changed_meanwhile_ends_the_sign_in_half_way(company, ann):
    desk, phone = ann
    other, code = half_way(company), in_half_a_minute(phone)
    desk.get("/change")
    new = "quite another long password"
    desk.post("/change", {"password": PASSWORD, "new_password": new, "new_password_confirm": new})

    assert other.post("/tf-validate", {"code": code}).leads_to == "/studio/login"
    assert other.get("/").status == 303


def test_a_sign_in_half_way_is_over_after_ten_minutes(company, ann):
    _, phone = ann
    desk = half_way(company)
    ago = datetime.now(UTC) - timedelta(minutes=11)
    later = sa.update(StudioSession).where(StudioSession.user_id.is_(None)).values(seen_at=ago)
    company.store.write(lambda session: session.execute(later))

    assert desk.post("/tf-validate", {"code": in_half_a_minute(phone)}).status == 303
    assert desk.get("/").status == 303
