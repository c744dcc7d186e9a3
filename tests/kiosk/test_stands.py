"""What a stand's tablet sends, and what becomes of it."""

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.consent.models import ConsentEvent, ConsentEvidence
from regportal.forms.models import Answer, Submission
from regportal.identity.models import Claim, Contact, Visitor
from regportal.kiosk.models import Stand, StandForm, StandPage
from regportal.kiosk.sheets import read_sheet, write_sheet
from regportal.privacy.clocks import tidy
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from regportal.store.documents import Wording
from regportal.store.ids import moment_of
from regportal.tracking.models import Interaction, Touch
from tests.kiosk.tablet import HANNOVER, SPOKEN, Tablet, path_of
from tests.portal import SITE

ANN, BOB = "ann@widgetworks.example", "bob@gearbox.example"
KEY = str(uuid.UUID(int=7))
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
AT_THE_FAIR = """
buying:
  model: ours
  phases:
    - {id: unaware}
    - {id: met, enter: {any: [{event: form, where: {category: kiosk}, within: 30d}]}}
"""


@pytest.fixture
def tablet(portal):
    """A tablet at a stand before an ordinary gate."""
    portal.publish()
    return Tablet(portal)


def rows(portal, kind):
    """Return every row of a kind."""
    with portal.store.read() as session:
        return session.scalars(sa.select(kind)).all()


def one(portal, kind):
    """Return the only row of a kind."""
    [found] = rows(portal, kind)
    return found


def erase_of(portal, email):
    """Forget somebody, as whoever looks after the portal does."""

    def work(session):
        published, whom = portal.shelf.published(session), find_whom(session, email)
        pepper, now = portal.settings.pepper_text, datetime.now(UTC)
        erase(session, published, whom, pepper=pepper, by=ADMINISTRATOR, now=now)

    portal.store.write(work)
    portal.store.sweep()


def test_a_stand_asks_the_address_one_question_and_one_newsletter(tablet):
    page = tablet.page()

    assert page.status == 200
    assert page.text.count('name="email"') == 1
    assert page.question == "country"
    assert page.newsletter == "news"
    assert page.text.count('name="q-') == 1


def test_nothing_is_kept_in_the_device(tablet):
    answers = [tablet.page(), tablet.ask(ANN), tablet.page()]

    assert all("Set-Cookie" not in answer.headers for answer in answers)
    assert answers[0].headers["Cache-Control"] == "no-store"
    for tag in re.findall(r"<(?:input|select)[^>]*>", answers[0].text):
        assert 'type="checkbox"' in tag or 'autocomplete="off"' in tag


def test_a_cookie_of_the_device_is_not_read(portal, tablet):
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    tablet.browser.client = ann.client

    assert "a***@" not in tablet.page().text
    tablet.ask(BOB)
    assert {claim.email for claim in rows(portal, Claim)} == {ANN, BOB}
    assert len({claim.visitor_id for claim in rows(portal, Claim)}) == 2


def test_what_is_asked_for_is_mailed_and_the_mail_speaks_of_it(portal, tablet):
    tablet.ask(ANN)
    portal.work()
    [mail] = portal.mails()
    text = mail.get_body(("plain",)).get_content()

    assert mail["To"] == ANN
    assert "the file is yours" in text
    assert not re.search(r"^\d{6}\r?$", text, re.MULTILINE)


@pytest.mark.both
def test_the_owner_confirms_on_a_device_of_his_own_and_sales_sees_where_he_was(portal, tablet):
    tablet.ask(ANN, q_country="DE", n_news="yes")
    portal.work()
    phone = portal.browser()
    page = phone.get(portal.link())
    phone.prove(portal)
    portal.work()

    assert HANNOVER in page.text
    assert one(portal, Contact).email == ANN
    told = [each["interaction"] for each in portal.news("interaction.recorded")]
    assert (told[0]["type"], told[0]["object"], told[0]["category"]) == ("form", HANNOVER, "kiosk")
    assert [each["object"] for each in told] == [HANNOVER, "guide"]
    touches = [touch.parameters for touch in rows(portal, Touch)]
    assert {"utm_source": "kiosk", "utm_campaign": HANNOVER} in touches


@pytest.mark.both
def test_rules_may_ask_who_was_at_a_stand(portal, tablet):
    portal.publish(SITE + AT_THE_FAIR)
    portal.hook("opportunity.upserted", {"external_id": "006A", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "006A", "email": ANN, "role": "Buyer"})
    tablet.ask(ANN)
    portal.work()
    before = portal.news("phase.changed")
    phone = portal.browser()
    phone.get(portal.link())
    phone.prove(portal)
    portal.work()

    assert before == []
    [moved] = portal.news("phase.changed")
    assert (moved["from"], moved["to"]) == ("unaware", "met")
    [there] = [
        one for one in portal.news("interaction.recorded") if one["interaction"]["type"] == "form"
    ]
    assert moved["evidence"] == [there["id"]]


@pytest.mark.both
@pytest.mark.parametrize("ends", ["not answered", "erased"])
def test_what_a_stand_keeps_of_a_form_goes_with_its_claim(portal, ends):
    with time_machine.travel(NOON, tick=False) as clock:
        portal.publish(SITE.replace("origins:", "keep: {claims: 7d}\n  origins:"))
        tablet = Tablet(portal)
        tablet.ask(ANN, q_country="DE")
        tablet.ask(BOB)
        portal.work()
        kept = len(rows(portal, StandForm))
        if ends == "not answered":
            clock.shift(timedelta(days=8))
            portal.work()
            tidy(
                portal.store,
                portal.shelf,
                pepper=portal.settings.pepper_text,
                now=datetime.now(UTC),
            )
            left = set()
        else:
            erase_of(portal, ANN)
            left = {BOB}

    assert kept == 2
    assert {claim.email for claim in rows(portal, Claim)} == left
    assert len(rows(portal, StandForm)) == len(left)
    assert one(portal, Stand).taken == 2  # that is nobody's


def test_the_answer_and_the_consent_are_kept_in_the_words_that_were_shown(portal, tablet):
    form = tablet.form(ANN, q_country="DE", n_news="yes")
    portal.publish(SITE.replace("Send me the news.", "Send me every piece of news."))
    tablet.send(form)

    assert one(portal, Answer).value == "DE"
    line = one(portal, ConsentEvent)
    with portal.store.read() as session:
        assert session.get_one(Wording, line.wording).text == "Send me the news."
    assert one(portal, ConsentEvidence).signals["stand"] == HANNOVER


def test_a_question_left_empty_is_not_declined(portal, tablet):
    tablet.ask(ANN)

    assert rows(portal, Answer) == []


def test_a_newsletter_is_not_asked_for_by_itself(portal, tablet):
    tablet.ask(ANN)

    assert rows(portal, ConsentEvent) == []


@pytest.mark.both
def test_a_form_sent_twice_counts_once_and_is_answered_the_same(portal, tablet):
    form = tablet.form(ANN, q_country="DE")
    first = tablet.send({**form, "waited": "0"})
    second = tablet.send({**form, "waited": "9", "waiting": "3"})

    assert first.told == second.told
    assert first.told["phone"]["url"]
    assert len(rows(portal, Claim)) == len(rows(portal, Submission)) == 1
    assert len(rows(portal, Interaction)) == 1
    assert one(portal, Stand).taken == 1


@pytest.mark.both
def test_one_key_never_says_two_things(portal, tablet):
    form = tablet.form(ANN)
    tablet.send(form)
    refused = tablet.send({**form, "email": BOB})

    assert refused.status == 409
    assert [claim.email for claim in rows(portal, Claim)] == [ANN]


def test_the_key_of_a_form_is_no_key_at_another_stand(portal, tablet):
    other = Tablet(portal, name="Lyon")
    tablet.send({**tablet.form(ANN), "key": KEY})
    other.send({**other.form(BOB), "key": KEY})

    assert {claim.email for claim in rows(portal, Claim)} == {ANN, BOB}


@pytest.mark.both
def test_a_form_that_waited_is_of_the_moment_it_was_given(portal, tablet):
    form = tablet.form(ANN, n_news="yes")
    sheet_is_old(portal, tablet, form, hours=5)
    before = datetime.now(UTC)
    answer = tablet.send({**form, "waited": "7200"})

    two_hours_ago = before - timedelta(hours=2)
    for at in (
        one(portal, Claim).opened_at,
        one(portal, ConsentEvent).at,
        one(portal, Interaction).occurred_at,
    ):
        assert timedelta() <= at - two_hours_ago < timedelta(minutes=1)
    assert one(portal, Interaction).received_at >= before
    assert one(portal, ConsentEvidence).signals["waited"] == "7200 s"
    assert answer.told == {"phone": None}


def test_a_tablet_with_a_wrong_clock_cannot_say_that_it_was_before_its_page_was_made(
    portal, tablet
):
    made = datetime.now(UTC).replace(microsecond=0)
    tablet.send({**tablet.form(ANN, n_news="yes"), "waited": "999999999"})
    tablet.send({**tablet.form(BOB, n_news="yes"), "waited": "-5"})

    assert all(made <= line.at <= datetime.now(UTC) for line in rows(portal, ConsentEvent))


def test_a_page_that_is_older_than_two_weeks_is_not_taken(portal, tablet):
    form = tablet.form(ANN)
    sheet_is_old(portal, tablet, form, hours=24 * 15)

    assert tablet.send(form).status == 409
    assert rows(portal, Claim) == []


def test_a_form_is_deleted_by_our_clock(portal, tablet):
    tablet.ask(ANN)

    key = moment_of(one(portal, Submission).id)
    assert abs(key - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_wrong_is_said_by_its_field_in_the_language_of_the_page(portal, tablet):
    sheet = tablet.sheet(**{"Accept-Language": "de"})
    refused = tablet.send({"sheet": sheet, "key": KEY, "email": "ann at widgetworks"})

    assert refused.status == 422
    assert refused.told["field"] == "email"
    assert rows(portal, Claim) == []


def test_a_stand_offers_the_languages_in_which_its_page_is_written(portal):
    portal.publish(SPOKEN)

    assert Tablet(portal, "tour").spoken() == ["en", "de", "ar"]
    assert Tablet(portal, "guide").spoken() == []


def test_a_form_and_its_letter_are_in_the_language_that_was_chosen(portal):
    portal.publish(SPOKEN)
    tablet = Tablet(portal, "tour")
    tablet.path += "?lang=de"
    page = tablet.page()
    form = tablet.form(ANN)
    tablet.path = tablet.path.partition("?")[0]
    tablet.send(form)
    portal.work()
    [mail] = portal.mails()

    assert '<html lang="de" dir="ltr"' in page.text
    assert "Durch das Werk" in page.text
    assert "Set-Cookie" not in page.headers
    assert one(portal, Claim).locale == "de"
    assert "Durch das Werk" in mail.get_body(("plain",)).get_content()


@pytest.mark.both
def test_two_people_at_one_stand_are_never_connected(portal, tablet):
    for address in (ANN, BOB):
        tablet.ask(address)
    portal.work()
    for number in (0, 1):
        portal.browser().prove(portal, number)
    portal.work()

    assert len({claim.visitor_id for claim in rows(portal, Claim)}) == 2
    assert all(visitor.ended_at for visitor in rows(portal, Visitor) if not visitor.verified_at)
    assert len({contact.person_id for contact in rows(portal, Contact)}) == 2


def test_own_staff_may_try_it_and_is_not_counted(portal):
    portal.publish(
        SITE.replace("controller:", "ignore: {addresses: ['*@acme.example']}\n  controller:")
    )
    tablet = Tablet(portal)
    tablet.ask("ann@acme.example")

    assert one(portal, Interaction).judged == "machine"


def test_a_network_of_the_company_makes_nobody_own_staff(portal):
    portal.publish(SITE.replace("controller:", "ignore: {networks: [127.0.0.0/8]}\n  controller:"))
    tablet = Tablet(portal)
    tablet.ask(ANN)

    assert one(portal, Interaction).judged == "person"


def test_the_tablet_says_how_many_wait(portal, tablet):
    assert tablet.send({"waiting": "12"}).status == 200
    portal.store.catch_up()

    heard = one(portal, Stand)
    assert heard.waiting == 12
    assert datetime.now(UTC) - heard.heard_at < timedelta(minutes=1)


@pytest.mark.both
def test_how_far_visitors_came_is_counted_once_and_is_nobodys(portal, tablet):
    key = uuid.uuid4()
    for _ in range(2):
        assert tablet.leave((key, 90, "begun"), (uuid.uuid4(), 5, "shown")).status == 200
    form = tablet.form(ANN)
    for _ in range(2):
        tablet.send(form)
    portal.work()
    erase_of(portal, ANN)

    reached = sorted(page.reached for page in rows(portal, StandPage))
    assert reached == ["begun", "given", "shown", "shown"]
    assert rows(portal, StandForm) == []


def test_a_page_was_not_touched_before_its_stand_was_opened_nor_in_the_time_to_come(portal, tablet):
    tablet.leave((uuid.uuid4(), 99999999, "shown"))

    assert one(portal, StandPage).at == one(portal, Stand).made_at


@pytest.mark.parametrize(
    "page", [("x", 1, "shown"), (KEY, -1, "shown"), (KEY, 1, "given"), (KEY, 1), (KEY, "1" * 9999)]
)
def test_a_tablet_tells_only_what_ours_tell(portal, tablet, page):
    assert tablet.leave(page).status == 400
    assert rows(portal, StandPage) == []


def test_own_staff_that_tries_a_stand_is_not_among_its_numbers(portal):
    portal.publish(
        SITE.replace("controller:", "ignore: {addresses: ['*@acme.example']}\n  controller:")
    )
    Tablet(portal).ask("ann@acme.example")

    assert rows(portal, StandPage) == []


# --- the file, on a telephone


@pytest.mark.both
def test_a_telephone_takes_the_file_over_without_learning_whose_it_is(portal, tablet):
    path = path_of(tablet.ask(ANN).told["phone"]["url"])
    phone = portal.browser()
    offered = phone.get(path)
    given = phone.post(path, {})
    file = phone.get(given.download)

    assert (offered.status, given.status, file.status) == (200, 200, 200)
    assert file.text == "This is guide.txt.\n"
    for page in (offered, given):
        assert "Set-Cookie" not in page.headers
        assert not re.search(r"ann|widgetworks|\*\*\*", page.text)
    assert [each.object for each in rows(portal, Interaction)] == [HANNOVER, "guide"]


def test_looking_at_a_code_uses_nothing_up(portal, tablet):
    path = path_of(tablet.ask(ANN).told["phone"]["url"])
    for _ in range(3):
        portal.browser().get(path)

    assert one(portal, StandForm).used_at is None
    assert portal.browser().post(path, {}).download


def test_what_waited_gets_no_code(portal, tablet):
    form = tablet.form(ANN)
    sheet_is_old(portal, tablet, form, hours=1)

    assert tablet.send({**form, "waited": "600"}).told == {"phone": None}


@pytest.mark.parametrize("gate", ["prices", "shared"])
def test_what_goes_by_mail_elsewhere_does_so_here(portal, gate):
    portal.publish(
        SITE.replace(
            "gates:\n", "gates:\n  - {key: shared, asset: guide, headline: S, kiosk: true}\n"
        )
    )
    tablet = Tablet(portal, gate)

    assert tablet.ask(ANN).told == {"phone": None}


def sheet_is_old(portal, tablet, form, *, hours):
    """Let the page of a form be that old."""
    keys = portal.settings.keys
    sheet = read_sheet(form["sheet"], keys)
    form["sheet"] = write_sheet(replace(sheet, issued=sheet.issued - hours * 3600), keys)
