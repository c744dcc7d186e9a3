"""Invitations and new links by mail, where mail is sent; else they are shown, this once."""

import email
import email.policy
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.accounts.models import StudioInvite
from regportal.app.letters import LETTERS
from regportal.connectors.base import Change
from regportal.mail.post import Post
from regportal.outbox.models import Message
from tests.mails import mail_server
from tests.portal import Portal
from tests.studio.staff import PASSWORD, Company, Desk

BO = "bo@acme.example"


class Office(Company):
    """A company whose letters go to a mail server."""

    def __init__(self, portal, box):
        super().__init__(portal)
        self.box = box

    def letters(self):
        """Let the worker send, and return what the mail server has got so far."""
        self.portal.work()
        kept = (one.content for one in self.box.envelopes)
        return [email.message_from_bytes(one, policy=email.policy.default) for one in kept]

    def send_again(self):
        """Send a letter that was sent, as whoever did not hear that it was taken does."""
        portal = self.portal
        with self.store.read() as session:
            [sent] = session.scalars(sa.select(Message)).all()
        change = Change(sent.id, sent.topic, sent.subject, 1, sent.occurred_at, sent.payload)
        post = Post(portal.settings, self.store, portal.shelf, portal.app.jinja_env, LETTERS)
        assert [one.outcome for one in post.deliver([change], now=datetime.now(UTC))] == ["done"]

    def change_links(self, **values):
        """Change every link that is known."""
        self.store.write(lambda session: session.execute(sa.update(StudioInvite).values(**values)))


@pytest.fixture
def office(database_url, tmp_path):
    """An installation that sends its mails, with a site."""
    with mail_server() as (box, port):
        url = f"smtp://127.0.0.1:{port}?from=portal@acme.example"
        with closing(Portal(database_url, tmp_path, limits="off", mail_url=url)) as portal:
            portal.publish()
            yield Office(portal, box)


def invite(desk, **fields):
    desk.get("/people/invite")
    asked = {"email": BO, "name": "Bo", "roles": ["marketer"], **fields}
    return desk.post("/people/invite", asked)


def link_in(letter):
    """The one line of a letter that is a link into the Studio."""
    text = letter.get_body(("plain",)).get_content()
    [path] = re.findall(r"^http://localhost:8000/studio(/welcome/[\w-]+)\r?$", text, re.MULTILINE)
    assert path in letter.get_body(("html",)).get_content()
    return path


def come_in(office, letter):
    """Follow the link of a letter, and choose a password."""
    desk, link = Desk(office.portal), link_in(letter)
    desk.get(link)
    desk.post(link, {"password": PASSWORD, "again": PASSWORD})
    return desk


def test_an_invitation_goes_by_mail_and_nobody_else_sees_its_link(office):
    answer = invite(office.at_desk("ann@acme.example", "owner"))
    [letter] = office.letters()
    bo = come_in(office, letter)

    assert (answer.status, answer.leads_to) == (303, "/studio/people")
    assert (letter["To"], letter["X-Regportal-Kind"]) == (BO, "invitation")
    assert bo.get("/").status == 200
    assert office.user(BO).roles == ["marketer"]


@pytest.mark.parametrize(
    ("locale", "says"),
    [("en", "Your way into the Studio"), ("de", "Ihr Weg in das Studio"), ("ar", "طريقك إلى")],
)
def test_the_letter_and_the_studio_speak_the_language_of_whoever_is_invited(office, locale, says):
    invite(office.at_desk("ann@acme.example", "owner"), locale=locale)
    [letter] = office.letters()
    bo = come_in(office, letter)

    assert letter["Subject"].startswith(says)
    assert f'<html lang="{locale}"' in letter.get_body(("html",)).get_content()
    assert bo.get("/").headers["Content-Language"] == locale


def test_whoever_is_invited_meets_the_language_of_his_own_browser_until_one_is_chosen(office):
    owner = office.at_desk("ann@acme.example", "owner")
    invite(owner, locale="")

    assert office.user(BO).locale is None


def test_the_log_names_the_roles_of_whoever_is_invited_in_words(office):
    owner = office.at_desk("ann@acme.example", "owner")
    invite(owner)
    page = owner.get("/audit").text

    assert "Roles: Marketer" in page
    assert "[&#34;marketer" not in page


def test_a_new_link_goes_by_mail_too_and_the_one_before_opens_nothing(office):
    owner = office.at_desk("ann@acme.example", "owner")
    invite(owner)
    [first] = office.letters()
    answer = owner.post(f"/people/{office.user(BO).id}/link")
    assert Desk(office.portal).get(link_in(first)).status == 409
    second = office.letters()[-1]

    assert (answer.status, "welcome" in answer.text) == (303, False)
    assert come_in(office, second).get("/").status == 200


def test_a_letter_that_is_sent_twice_does_not_open_twice(office):
    invite(office.at_desk("ann@acme.example", "owner"))
    [letter] = office.letters()
    come_in(office, letter)
    office.send_again()
    again = office.letters()[-1]

    assert len(office.box.envelopes) == 2
    assert link_in(again) == link_in(letter)
    assert Desk(office.portal).get(link_in(again)).status == 409


def test_whoever_is_disabled_before_the_letter_goes_gets_none(office):
    invite(office.at_desk("ann@acme.example", "owner"))
    office.disable(BO)

    assert office.letters() == []


def test_the_link_is_good_for_seven_days_from_when_it_was_sent(office):
    invite(office.at_desk("ann@acme.example", "owner"))
    [letter] = office.letters()
    with office.store.read() as session:
        [kept] = session.scalars(sa.select(StudioInvite)).all()
    office.change_links(expires_at=kept.made_at - timedelta(seconds=1))

    assert kept.expires_at - kept.made_at == timedelta(days=7)
    assert Desk(office.portal).get(link_in(letter)).status == 409


def test_nothing_of_the_link_lies_in_the_outbox(office):
    invite(office.at_desk("ann@acme.example", "owner"))
    [letter] = office.letters()
    with office.store.read() as session:
        kept = session.scalars(sa.select(Message)).all()

    assert link_in(letter).rpartition("/")[2] not in str([vars(one) for one in kept])


def test_before_anything_is_published_the_link_is_shown(database_url, tmp_path):
    with closing(
        Portal(database_url, tmp_path, limits="off", mail_url="smtp://127.0.0.1:9")
    ) as portal:
        owner = Company(portal).at_desk("ann@acme.example", "owner")

        assert "/studio/welcome/" in invite(owner).text
