"""
Writing to a company's sales people in the company's own name.

Where a product tells sales by mail what a visitor did, whoever visits writes part of that mail:
the address of a page he opened, the words he searched for, the company he typed. A line break in a
name begins another header, markup becomes a button, and a plain address becomes a link, because
mail programs make links of what looks like one. The reader believes it: the mail is from his own
house.

Here the mail says what published documents and the CRM call things. Of what a browser told it
repeats the path of a page of the site, and nothing else.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from regportal.buying.alerts.words import object_said
from regportal.store.documents import Published
from tests.buying.scene import Scene
from tests.portal import SITE

SECOND = timedelta(seconds=1)
BO = {"name": "Bo", "email": "bo@acme.example"}
MODEL = """
buying:
  phases:
    - {id: unaware}
    - {id: interest, label: Interest, enter: {any: [{event: page_view}, {event: search}]}}
"""
BAIT = [
    "https://evil.example/login",
    "http://evil.example:8080/",
    "//evil.example/login",
    "www.evil.example",
    "evil.example/login",
    "/look/at/evil.example/now",
    "https://www.acme.example/www.evil.example",
    "eve@evil.example",
    "mailto:eve@evil.example",
    "javascript:alert('evil.example')",
    "Your password ends today: evil.example",
    "<a href='https://evil.example'>Open it in the CRM</a>",
    "https://www.acme.example@evil.example/",
    "https://www.acme.example.evil.example/",
]


def told(portal, name="500 widgets", about="list", kind="page_view", **columns):
    """Let somebody do something that moves an opportunity; return the mail to its owner."""
    portal.publish(SITE + MODEL)
    scene, now = Scene(portal.store, portal.shelf), datetime.now(UTC)
    ann = scene.contact("ann@initech.example")
    deal = scene.opportunity("006", name=name, owner=BO, now=now - SECOND, **columns)
    scene.role(deal, ann, now=now - SECOND)
    portal.work()
    scene.did(ann, None, type=kind, name=about, now=datetime.now(UTC))
    portal.work()
    (mail,) = portal.mails()
    return mail


def parts(mail):
    """Both parts of a mail, and its subject."""
    plain, page = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    return mail["Subject"], plain, page


@pytest.mark.parametrize("bait", BAIT)
def test_nothing_a_browser_can_call_a_page_is_repeated(bait):
    said = object_said(Published(1, []), bait, ["https://www.acme.example"], "en")

    assert said == "something else on the site"


@pytest.mark.parametrize(("kind", "bait"), [("page_view", BAIT[0]), ("search", BAIT[9])])
def test_neither_part_of_a_mail_repeats_it(portal, kind, bait):
    for part in parts(told(portal, about=bait, kind=kind)):
        assert "evil.example" not in part
        assert "password" not in part


def test_a_page_of_the_site_is_named_by_its_path(portal):
    _, plain, page = parts(told(portal, about="https://www.acme.example/prices"))

    assert "ann@initech.example viewed /prices." in plain
    assert "/prices</bdi>" in page


@pytest.mark.parametrize(
    "name",
    [
        "500 widgets\r\nBcc: eve@evil.example\r\n\r\nHello",
        "500 widgets\nBcc: eve@evil.example",
        "500 widgets\u2028Bcc: eve@evil.example",
        "\u202e500 widgets\x1b[2J",
        "=?utf-8?q?500=0D=0ABcc:_eve=40evil.example?=",
        "w" * 500,
    ],
)
def test_the_name_of_an_opportunity_stays_on_its_line(portal, name):
    mail = told(portal, name=name, account={"name": name}, stage=name[:100])
    subject, plain, _ = parts(mail)

    assert mail["Bcc"] is None
    assert [str(one) for one in mail.get_all("To")] == ["bo@acme.example"]
    assert len(mail.get_all("Subject")) == 1
    assert subject.isprintable()
    assert plain.splitlines()[1] == "" or len(subject) > 70
    assert not re.search(r"[\u202e\u2028\x1b]", plain)


def test_markup_in_what_a_crm_calls_things_is_text(portal):
    markup = "<b onclick='x()'>evil</b></td></table><style>*{display:none}</style>"
    mail = told(portal, name=markup, account={"name": markup})
    _, plain, page = parts(mail)

    assert "<b onclick" not in page
    assert page.count("<style") == 1
    assert "&lt;b onclick" in page
    assert "<b onclick" in plain
