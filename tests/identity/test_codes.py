"""The six digits of a mail: they prove the browser that types them, and no other."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.forms.claiming import owe_mail
from regportal.identity.models import Claim, Proof, Visitor

ANN = "ann@widgetworks.example"
WRONG = "This code does not fit"


def code_in(portal, which=-1):
    """Return the code of a mail: six digits on a line by themselves."""
    text = portal.mails()[which].get_body(("plain",)).get_content()
    [code] = re.findall(r"^(\d{6})\r?$", text, re.MULTILINE)
    return code


def another(code):
    """Return six digits that are not these."""
    return f"{(int(code) + 1) % 1_000_000:06}"


def type_code(browser, code, gate="guide"):
    """Type a code into the form on the page after the gate."""
    page = browser.get(f"/g/{gate}/done")
    return browser.post(f"/g/{gate}/code", {**page.fields, "code": code})


def states(portal):
    """Return the state of every visitor, sorted."""
    with portal.store.read() as session:
        return sorted(one.state.value for one in session.scalars(sa.select(Visitor)))


def claimed(portal, gate="guide", **fields):
    """Return a browser that claims Ann's address, with the mail sent."""
    browser = portal.browser()
    browser.claim(ANN, gate, **fields)
    portal.work()
    return browser


@pytest.mark.parametrize("gate", ["guide", "prices"])
def test_the_browser_that_types_the_code_is_proven(portal, gate):
    ann = claimed(portal, gate)
    page = ann.get(f"/g/{gate}/done")
    assert 'data-rp="code"' in page.text
    proven = type_code(ann, code_in(portal), gate)
    portal.work()

    assert proven.status == 303
    assert states(portal) == ["verified"]
    done = ann.get(f"/g/{gate}/done")
    assert done.download
    assert 'data-rp="proven"' in done.text
    assert [one["contact"]["email"] for one in portal.news("contact.identified")] == [ANN]


def test_the_code_field_says_what_it_is_for(portal):
    page = claimed(portal).get("/g/guide/done")
    [field] = re.findall(r'<input[^>]*name="code"[^>]*>', page.text)

    assert 'autocomplete="one-time-code"' in field
    assert 'inputmode="numeric"' in field


def test_a_code_may_be_typed_with_a_space_in_the_middle(portal):
    ann = claimed(portal)
    code = code_in(portal)

    assert type_code(ann, f" {code[:3]} {code[3:]} ").status == 303


def test_a_code_typed_twice_changes_nothing_the_second_time(portal):
    ann = claimed(portal)
    page = ann.get("/g/guide/done")
    sent = {**page.fields, "code": code_in(portal)}
    cookies = ann.client.get_cookie("rp_v").value
    first = ann.post("/g/guide/code", sent)
    ann.client.set_cookie("rp_v", cookies)
    second = ann.post("/g/guide/code", sent)

    assert (first.status, second.status) == (303, 303)
    assert states(portal) == ["verified"]
    with portal.store.read() as session:
        assert len(session.scalars(sa.select(Claim)).all()) == 1


@pytest.mark.parametrize("how", ["wrong", "letters", "empty", "expired", "used up"])
def test_every_code_that_is_no_good_is_answered_alike(portal, how):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann = claimed(portal, "prices")
        code = code_in(portal)
        typed = {"wrong": another(code), "letters": "abcdef", "empty": ""}.get(how, code)
        if how == "expired":
            clock.shift(timedelta(minutes=11))
        if how == "used up":
            for _ in range(5):
                type_code(ann, another(code), "prices")
        refused = type_code(ann, typed, "prices")

        assert refused.status == 422
        assert refused.errors == ["code"]
        assert WRONG in refused.text
        assert states(portal) == ["claimed"]


def test_the_fifth_try_is_the_last(portal):
    ann = claimed(portal)
    code = code_in(portal)
    for _ in range(4):
        assert type_code(ann, another(code)).status == 422

    assert type_code(ann, code).status == 303


def test_a_field_left_empty_costs_no_try(portal):
    ann = claimed(portal)
    for _ in range(9):
        assert type_code(ann, "").status == 422

    assert type_code(ann, code_in(portal)).status == 303


def test_a_code_is_no_good_in_another_browser(portal):
    claimed(portal)
    code = code_in(portal)
    eve = portal.browser()
    eve.claim(ANN)

    assert type_code(eve, code).status == 422
    assert states(portal) == ["claimed", "claimed"]


def test_whoever_claims_another_address_cannot_type_it(portal):
    claimed(portal)
    code = code_in(portal)
    eve = portal.browser()
    eve.claim("eve@evil.example")

    assert type_code(eve, code).status == 422


def test_the_link_of_a_letter_whose_code_was_typed_has_done_its_work(portal):
    ann, phone = claimed(portal), portal.browser()
    type_code(ann, code_in(portal))

    assert phone.prove(portal).status == 410
    assert states(portal) == ["verified"]


def test_a_code_typed_once_is_used_up(portal):
    ann = claimed(portal)
    type_code(ann, code_in(portal))
    page = ann.get("/g/guide/done")
    assert 'data-rp="code"' not in page.text

    assert ann.post("/g/guide/code", {**page.fields, "code": code_in(portal)}).status == 422


def test_yes_pressed_elsewhere_shows_the_code_for_the_browser_that_asked(portal):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann, phone = claimed(portal), portal.browser()
        clock.shift(timedelta(minutes=30))
        phone.prove(portal)
        page = phone.get("/g/guide/done")
        [shown] = re.findall(r'class="code"[^>]*>(\d{6})<', page.text)
        assert shown == code_in(portal)
        assert states(portal) == ["claimed", "verified"]
        assert 'class="code"' not in ann.get("/g/guide/done").text


def test_the_code_that_yes_shows_proves_the_browser_that_asked(portal):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann, phone = claimed(portal, "prices"), portal.browser()
        clock.shift(timedelta(minutes=30))
        phone.prove(portal)
        portal.work()
        code = code_in(portal)
        proven = type_code(ann, code, "prices")

        assert proven.status == 303
        assert states(portal) == ["verified", "verified"]
        assert ann.get("/g/prices/done").download
        assert 'class="code"' not in phone.get("/g/prices/done").text


def test_yes_gives_a_used_up_code_no_new_tries(portal):
    ann, phone = claimed(portal, "prices"), portal.browser()
    code = code_in(portal)
    for _ in range(5):
        type_code(ann, another(code), "prices")
    phone.prove(portal)

    assert 'class="code"' not in phone.get("/g/prices/done").text
    assert type_code(ann, code, "prices").status == 422


def test_yes_pressed_where_it_was_asked_shows_no_code(portal):
    ann = claimed(portal)
    ann.prove(portal)

    assert 'class="code"' not in ann.get("/g/guide/done").text


def test_nothing_is_kept_from_which_a_code_could_be_read(portal):
    claimed(portal)
    code = code_in(portal)
    with portal.store.read() as session:
        kept = session.execute(sa.select(Proof.__table__)).all()

    assert code not in repr(kept)
    assert code.encode() not in repr(kept).encode()


def test_a_second_letter_has_a_code_of_its_own_and_both_are_good(portal):
    ann = claimed(portal, "prices")
    first = code_in(portal)
    page = ann.get("/g/prices/done")
    ann.post("/g/prices/resend", page.fields)
    portal.work()
    second = code_in(portal)

    assert first != second
    assert type_code(ann, first, "prices").status == 303


def test_wrong_codes_count_against_every_letter_of_the_claim(portal):
    ann = claimed(portal, "prices")
    first = code_in(portal)
    page = ann.get("/g/prices/done")
    ann.post("/g/prices/resend", page.fields)
    portal.work()
    for _ in range(5):
        type_code(ann, another(first), "prices")

    assert type_code(ann, first, "prices").status == 422
    assert type_code(ann, code_in(portal), "prices").status == 422


def test_a_newsletter_is_confirmed_by_code_without_leaving_the_page(portal):
    ann = claimed(portal)
    ann.prove(portal)
    portal.work()
    ann.send("study", n_news="yes")
    portal.work()
    assert portal.mails()[-1]["X-Regportal-Kind"] == "consent"
    page = ann.get("/g/study/done")
    assert "News" in page.text
    assert 'data-rp="code"' in page.text
    assert type_code(ann, another(code_in(portal)), "study").status == 422
    assert type_code(ann, code_in(portal), "study").status == 303
    portal.work()

    assert [one["state"] for one in portal.news("consent.changed")][-1] == "confirmed"
    assert 'data-rp="code"' not in ann.get("/g/study/done").text


def test_a_code_for_a_newsletter_is_no_good_in_another_proven_browser(portal):
    ann = claimed(portal)
    phone = portal.browser()
    phone.prove(portal)
    portal.work()
    type_code(ann, code_in(portal))
    portal.work()
    ann.send("study", n_news="yes")
    portal.work()
    phone.send("study")

    assert type_code(phone, code_in(portal), "study").status == 422


def test_without_a_claim_there_is_no_code_to_type(portal):
    eve = portal.browser()
    page = eve.gate("guide")

    assert eve.post("/g/guide/code", {"csrf_token": page.fields["csrf_token"]}).status == 303
    assert eve.post("/g/guide/code", {"code": "123456"}).status == 403


def test_whether_a_letter_was_sent_cannot_be_seen_by_typing_codes(portal):
    ann, bob = portal.browser(), portal.browser()
    ann.claim(ANN)
    bob.claim("bob@widgetworks.example")
    portal.work()
    with portal.store.read() as session:
        hers = session.scalars(sa.select(Claim).where(Claim.email == ANN)).one().id
    portal.store.write(
        lambda session: session.execute(sa.delete(Proof).where(Proof.claim_id == hers))
    )
    pages = [type_code(one, "000000") for one in (ann, bob)]
    texts = [
        re.sub(r'value="[^"]{40,}"|/d/[\w-]{43}|nonce="[^"]*"|[ab]\*\*\*@', "", page.text)
        for page in pages
    ]

    assert [page.status for page in pages] == [422, 422]
    assert texts[0] == texts[1]


def test_a_letter_owed_by_the_release_before_still_has_a_code(portal):
    ann = claimed(portal, "prices")

    def again(session):
        claim = session.scalars(sa.select(Claim)).one()
        from datetime import UTC, datetime

        owe_mail(session, claim, "prices", now=datetime.now(UTC))

    portal.store.write(again)
    portal.work()

    assert type_code(ann, code_in(portal), "prices").status == 303


def test_in_a_frame_the_code_is_typed_without_leaving_it(portal):
    ann = claimed(portal)
    inside = "in=frame&host=https://www.acme.example"
    page = ann.get(f"/g/guide/done?{inside}")
    [action] = re.findall(r'data-rp="code"[^>]*action="([^"]+)"', page.text)
    assert "in=frame" in action
    proven = ann.post(f"/g/guide/code?{inside}", {**page.fields, "code": code_in(portal)})

    assert proven.status == 303
    assert "in=frame" in proven.headers["Location"]
