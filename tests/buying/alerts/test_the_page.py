"""The reader of these mails says himself how often he gets them; his link is all it takes."""

import pytest

from regportal.buying.alerts import actions
from regportal.buying.alerts.links import link_token, reader_called
from regportal.buying.alerts.models import AlertReader
from regportal.errors import NotHereError
from regportal.store.ids import uuid7
from tests.buying.alerts.office import ORIGIN, site

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def told(office, ann):
    """Somebody was told once; return his browser and the path of his link."""
    office.deal("006", ann)
    office.deal("007", ann)
    office.portal.publish(site(send="each"))
    office.takes(ann)
    return office.portal.browser(), office.link()


def choice(office):
    with office.store.read() as session:
        (reader,) = session.query(AlertReader).all()
        return reader.choice


def moves_again(office, name):
    """Let another opportunity of the same owner move."""
    bob = office.contact(f"{name}@initech.example")
    office.deal(name, bob)
    office.takes(bob)


def test_opening_the_link_changes_nothing(office, told):
    browser, path = told
    page = browser.get(path)

    assert page.status == 200
    assert 'data-choice="each"' in page.text
    assert choice(office) is None
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("pressed", ["each", "digest", "off"])
def test_a_button_says_how_often_from_now_on(office, told, pressed):
    browser, path = told
    answer = browser.post(path, {"choice": pressed})
    page = browser.get(answer.headers["Location"])

    assert answer.status == 303
    assert choice(office) == pressed
    assert f'data-choice="{pressed}"' in page.text
    assert f'value="{pressed}"' not in page.text
    assert "Done." in page.text


def test_whoever_stops_gets_none_and_nobody_gets_it_in_his_place(office, told):
    browser, path = told
    office.portal.publish(site(send="each", to="marketing@acme.example"))
    before = len(office.letters())
    browser.post(path, {"choice": "off"})
    moves_again(office, "008")

    assert len(office.letters()) == before
    assert office.listed()[-1]["because"] == actions.STOPPED


def test_whoever_wants_one_a_day_gets_what_waits_when_he_changes_his_mind(office, told):
    browser, path = told
    browser.post(path, {"choice": "digest"})
    before = len(office.letters())
    moves_again(office, "008")
    waits = [one for one in office.listed() if one["state"] == "waits"]
    held = len(office.letters())
    browser.post(path, {"choice": "each"})
    office.portal.work()

    assert (len(waits), held) == (1, before)
    assert waits[0]["due"] == "2026-03-05T08:00:00Z"
    assert len(office.letters()) == before + 1


def test_a_mail_program_stops_them_with_one_press(office, told):
    _, path = told
    letter = office.letters()[0]
    client = office.portal.app.test_client()
    answer = client.post(path, data=ONE_CLICK, base_url=ORIGIN)

    assert letter["List-Unsubscribe"].endswith(f"{path}>")
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert choice(office) == "off"


def test_a_form_of_another_site_changes_nothing(office, told):
    browser, path = told
    answer = browser.post(path, {"choice": "off"}, Origin="https://evil.example")

    assert answer.status == 403
    assert choice(office) is None


@pytest.mark.parametrize("pressed", [{"choice": "hourly"}, {}, {"choice": ["off", "each"]}])
def test_what_is_no_button_of_ours_is_refused(office, told, pressed):
    browser, path = told

    assert browser.post(path, pressed).status == 400
    assert choice(office) is None


@pytest.mark.parametrize(
    "change", [lambda path: path[:-1] + "!", lambda path: path[:-4], str.upper]
)
def test_a_link_that_is_not_ours_leads_nowhere(office, told, change):
    browser, path = told
    forged = "/alerts/" + change(path.removeprefix("/alerts/"))

    assert browser.get(forged).status == 404
    assert browser.post(forged, {"choice": "off"}).status == 404
    assert choice(office) is None


def test_a_link_outlives_the_key_it_was_signed_with_as_long_as_that_is_known(office, told):
    _, path = told
    keys, new = office.portal.settings.keys, b"n" * 32
    token = path.removeprefix("/alerts/")
    with office.store.read() as session:
        reader = reader_called(session, token, [new, *keys])

        assert link_token(reader.id, keys) == token
        assert link_token(reader.id, [new, *keys]) != token
        with pytest.raises(NotHereError):
            reader_called(session, token, [new])
        with pytest.raises(NotHereError):
            reader_called(session, link_token(uuid7(), keys), keys)
