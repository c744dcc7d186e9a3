"""
Taking customers' deeds away by the link in a colleague's mail.

A mail that says "was it somebody else?" carries the power to rewrite what a customer did. Mail
scanners open it, colleagues forward it, somebody keeps it and presses again after the mistake was
put right, and whoever sees one link tries to bend it to another move or another reader.

Here opening it changes nothing, however it is opened. The link is signed for one move and one
reader, ends after thirty days, works once, and only as long as its reader looks after the
opportunity. It names nobody, and what it leads to goes with whoever is erased.
"""

import base64
from datetime import timedelta
from itertools import product

import pytest
import sqlalchemy as sa

from regportal.buying.alerts.links import DOUBT, doubt_token, link_token
from regportal.buying.alerts.models import Alert, AlertReader
from regportal.store.ids import uuid7
from regportal.store.tokens import signing
from regportal.tracking.models import Attribution
from tests.attacks.test_an_unsubscribe_link_opened_by_a_scanner import SCANNERS
from tests.buying.alerts.conftest import ann, clock, office  # noqa: F401 - fixtures
from tests.buying.alerts.office import ANN, ORIGIN
from tests.buying.alerts.test_alerts import forget

DAY = timedelta(days=1)
UNDO = {"choice": "undo"}


@pytest.fixture
def told(office, ann):  # noqa: F811 - the fixtures
    """The sales office, and the link in the mail to Bo, whose customer took the price list."""
    office.deal("006", ann)
    office.takes(ann)
    (path,) = office.wrong()
    return office, path


def taken_back(sales):
    with sales.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Attribution))


def alert(sales):
    with sales.store.read() as session:
        return session.scalars(sa.select(Alert)).first()


@pytest.mark.parametrize("scanner", SCANNERS, ids=range(len(SCANNERS)))
def test_however_a_machine_opens_the_link_nothing_changes(told, scanner):
    sales, link = told
    client = sales.portal.app.test_client()
    for method, query in product(
        ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"),
        ("", "?choice=undo", "?List-Unsubscribe=One-Click", "?_method=POST"),
    ):
        answer = client.open(link + query, method=method, headers=scanner, base_url=ORIGIN)

        assert answer.status_code < 500
        assert taken_back(sales) == 0, (method, query)


def test_a_mail_programs_one_click_is_no_press(told):
    sales, link = told
    client = sales.portal.app.test_client()
    answer = client.post(link, data={"List-Unsubscribe": "One-Click"}, base_url=ORIGIN)

    assert answer.status_code in {400, 403}
    assert taken_back(sales) == 0


def test_the_page_has_nothing_that_presses_by_itself_and_tells_nobody_its_address(told):
    sales, link = told
    shown = sales.portal.browser().get(link)

    assert "<script" not in shown.text
    assert "http-equiv" not in shown.text
    assert "script-src" not in shown.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Referrer-Policy"] == "same-origin"
    assert shown.headers["X-Robots-Tag"] == "noindex"
    assert shown.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example"]
)
def test_a_form_of_another_site_takes_nothing_back(told, origin):
    sales, link = told
    assert sales.portal.browser().post(link, UNDO, Origin=origin).status == 403
    assert taken_back(sales) == 0


@pytest.mark.parametrize(
    "sent", [{}, {"choice": "off"}, {"choice": ["undo", "undo"]}, {"undo": "1"}]
)
def test_what_is_no_button_of_ours_takes_nothing_back(told, sent):
    sales, link = told
    assert sales.portal.browser().post(link, sent).status == 400
    assert taken_back(sales) == 0


def test_a_link_that_is_bent_anywhere_leads_nowhere(told):
    sales, link = told
    browser, token = sales.portal.browser(), link.rpartition("/")[2]
    other = {"A": "B"}
    bent = [token[:at] + other.get(token[at], "A") + token[at + 1 :] for at in range(len(token))]
    for forged in (*bent, token[:-1], token + "A", token.upper(), "x", "." * 40):
        if signing(sales.portal.settings.keys, DOUBT).loads_unsafe(forged)[0]:
            continue  # the last letter of a signature has bits that mean nothing
        path = f"/alerts/wrong/{forged}"
        assert browser.get(path).status == 404

    assert browser.post("/alerts/wrong/" + token[::-1], UNDO).status == 404
    assert taken_back(sales) == 0


def test_a_link_of_another_purpose_is_none(told):
    sales, link = told
    browser, keys = sales.portal.browser(), sales.portal.settings.keys
    reader = alert(sales).reader_id
    about = signing(keys, "regportal.alerts").dumps(
        signing(keys, DOUBT).loads(link.rpartition("/")[2])
    )

    for forged in (link_token(reader, keys), about):
        assert browser.post(f"/alerts/wrong/{forged}", UNDO).status == 404
    assert browser.get(link.replace("/wrong/", "/")).status == 404
    assert taken_back(sales) == 0


def test_another_readers_link_opens_no_move_of_mine(told):
    sales, _ = told
    bob = sales.contact("bob@initech.example")
    sales.deal("007", bob, owner={"name": "Cy", "email": "cy@acme.example"})
    sales.takes(bob)
    with sales.store.read() as session:
        readers = {*session.scalars(sa.select(AlertReader.id))}
        told = {one.move_id: one.reader_id for one in session.scalars(sa.select(Alert))}
    keys = sales.portal.settings.keys
    browser = sales.portal.browser()
    for move, reader in told.items():
        for other in readers - {reader}:
            crossed = doubt_token(other, move, keys, now=sales.now)
            assert browser.post(f"/alerts/wrong/{crossed}", UNDO).status == 404

    assert len(readers) == 2
    assert taken_back(sales) == 0


def test_what_was_put_right_is_not_taken_back_by_the_same_link_again(told):
    sales, link = told
    browser, interaction = sales.portal.browser(), alert(sales).interaction_id
    browser.post(link, UNDO)
    sales.portal.work()
    sales.clock.shift(DAY)
    sales.attribute(alert(sales).contact_id, interaction, now=sales.now)
    sales.portal.work()
    again = browser.post(link, UNDO)

    assert (again.status, browser.get(link).status) == (303, 410)
    assert taken_back(sales) == 2


def test_an_old_link_takes_nothing_back(told):
    sales, link = told
    browser = sales.portal.browser()
    sales.clock.shift(31 * DAY)
    browser.post(link, UNDO)

    assert browser.get(link).status == 410
    assert taken_back(sales) == 0


def test_whoever_is_erased_is_not_shown_by_a_link_that_is_left(told):
    sales, link = told
    browser = sales.portal.browser()
    forget(sales, ANN)
    shown, pressed = browser.get(link), browser.post(link, UNDO)

    assert (shown.status, pressed.status) == (404, 404)
    assert "ann@" not in shown.text


def test_an_interaction_that_is_gone_is_no_fault_of_ours(told):
    sales, link = told
    browser, gone = sales.portal.browser(), sa.update(Alert).values(interaction_id=uuid7())
    sales.store.write(lambda session: session.execute(gone))

    assert browser.get(link).status == 404
    assert browser.post(link, UNDO).status == 404


def test_the_link_names_nobody(told):
    _, link = told
    token = link.rpartition("/")[2]
    seen = base64.urlsafe_b64decode(token.partition(".")[0] + "===")

    assert b"@" not in seen
    assert b"initech" not in seen
