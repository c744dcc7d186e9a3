"""Letters as they arrive: whole in both parts, in the reader's language, and quiet."""

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta

import pytest

from regportal.config import load
from regportal.connectors.base import Change, Outcome
from regportal.mail.look import TYPEWRITTEN
from regportal.mail.post import Draft, Post, Recipient
from regportal.store.ids import uuid7
from regportal.store.words import moment_shown
from tests.mails import mail_server
from tests.speech import SITE_IN_THREE, left_of_english, visible

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LINK = "https://go.acme.example/m/" + "x" * 43
PREFERENCES = "https://go.acme.example/p/" + "y" * 43
UNSUBSCRIBE = {
    "List-Unsubscribe": f"<https://go.acme.example/u/{'z' * 300}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "List-ID": "Price alerts <prices.acme.example>",
}


class Writing:
    """A kind of letter that says what a test wants said."""

    name = "claim"

    def __init__(self, locale, subject, template="claim", headers=(), **about):
        self.locale, self.subject, self.template = locale, subject, template
        self.headers, self.about = dict(headers), about

    def recipient(self, session, owed):
        return Recipient("ann@acme.example", "ann@acme.example", self.locale)

    def draft(self, session, owed, recipient, *, now):
        about = {
            "headline": "Alle Preise",
            "newsletter": "Preise",
            "link": LINK,
            "valid_until": moment_shown(now + timedelta(hours=72), self.locale),
            "mail_delivery": False,
            **self.about,
        }
        return Draft(self.subject, self.template, about, self.headers)


@pytest.fixture
def arrive(portal):
    """Send a letter over a real SMTP connection; give what the other side has, and its bytes."""

    def arrive(kind):
        with mail_server() as (box, port):
            settings = load(
                database_url=portal.settings.database_url.get_secret_value(),
                instance=portal.settings.instance,
                mail_url=f"smtp://127.0.0.1:{port}",
                limits="off",
                _env_file=None,
            )
            post = Post(
                settings, portal.store, portal.shelf, portal.app.jinja_env, {"mail.test": kind}
            )
            change = Change(uuid7(), "mail.test", "claim:1", 1, NOON, {})
            [result] = post.deliver([change], now=NOON)
        assert result.outcome == Outcome.DONE, result.says
        [envelope] = box.envelopes
        raw = envelope.content
        return email.message_from_bytes(raw, policy=email.policy.default), raw

    portal.publish(SITE_IN_THREE)
    return arrive


def parts(message):
    """The two parts of a letter, as text."""
    plain, page = (message.get_body((kind,)) for kind in ("plain", "html"))
    return plain.get_content().replace("\r\n", "\n"), page.get_content()


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en", "Was this you? All prices on two pages"),
        ("de", "Waren Sie das? Größen, Maße und Übergänge für Förderbänder: " + "ä" * 120),
        ("de", "300 Widgets für Köln „Größe“ ist jetzt in „Vergleich der Anbieter“ und „hier“"),
        ("ar", "انتقلت 300 Widgets für Köln إلى «Comparing suppliers»"),
        ("ar", "هل كنت أنت؟ كل أسعار المنتجات على صفحتين فقط، مع خصومات الكميات ومواعيد التسليم"),
    ],
)
def test_subject_and_both_parts_survive_a_mail_server(arrive, locale, subject):
    message, raw = arrive(Writing(locale, subject, headers=UNSUBSCRIBE))
    plain, page = parts(message)
    headers = raw.partition(b"\r\n\r\n")[0]

    assert message["Subject"] == subject
    assert raw.isascii(), "so that every server on the way takes it"
    assert max(map(len, raw.splitlines())) <= 998
    assert headers.count(b"\r\nSubject:") == 1
    assert LINK in plain.splitlines()
    assert f'href="{LINK}"' in page
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_charset() for part in message.iter_parts()] == ["utf-8", "utf-8"]


def test_headers_for_stopping_arrive_as_they_were_written(arrive):
    message, raw = arrive(Writing("ar", "أسعار", headers=UNSUBSCRIBE))

    for name, value in UNSUBSCRIBE.items():
        assert f"\r\n{name}: {value}\r\n".encode() in raw
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Regportal-Kind"] == "claim"


@pytest.mark.parametrize("locale", ["en", "de"])
def test_lines_that_are_endless_or_begin_with_a_dot_arrive_whole(arrive, locale):
    headline = ".\r\n..\r\n.hidden " + "word " * 400 + "end" + "x" * 1500
    message, raw = arrive(Writing(locale, "Dots", headline=headline))
    plain, page = parts(message)

    said = " ".join(headline.split())
    assert said in " ".join(plain.split())
    assert said in " ".join(visible(page).split())
    assert max(map(len, raw.splitlines())) <= 998


def test_a_subject_cannot_begin_another_header(arrive):
    message, _ = arrive(Writing("de", "Preise\r\nBcc: eve@evil.example\r\n\r\nHallo"))

    assert message["Bcc"] is None
    assert message["Subject"] == "Preise Bcc: eve@evil.example Hallo"
    assert [str(one) for one in message.get_all("To")] == ["ann@acme.example"]


@pytest.mark.parametrize(
    "word", ["=?utf-8?q?=0D=0ABcc:_eve=40evil.example?=", "=?utf-8?b?DQpCY2M6IGVAZS5leGFtcGxl?="]
)
def test_a_subject_that_looks_encoded_cannot_begin_another_header_either(arrive, word):
    message, raw = arrive(Writing("en", f"Prices {word}"))

    assert message["Bcc"] is None
    assert b"\nBcc" not in raw
    assert message["Subject"] == f"Prices {word}".replace("=?", "= ?")


@pytest.mark.parametrize("locale", ["en", "de", "ar"])
@pytest.mark.parametrize("template", ["claim", "consent"])
def test_both_parts_say_the_same(arrive, locale, template):
    message, _ = arrive(
        Writing(locale, "x", template, code="042117", code_minutes=10, preferences_url=PREFERENCES)
    )
    plain, page = parts(message)
    shown = visible(page)
    shown += shown.translate(TYPEWRITTEN)

    words = [
        line for line in re.split(r"\n\n", plain.partition("\n-- \n")[0]) if "http" not in line
    ]
    for paragraph in words:
        for sentence in paragraph.split("\n"):
            assert " ".join(sentence.split()) in shown
    assert LINK in page
    assert PREFERENCES in plain
    assert PREFERENCES in page


@pytest.mark.parametrize("locale", ["en", "de", "ar"])
def test_a_code_stands_alone_on_its_line_and_is_read_from_the_left(arrive, locale):
    message, _ = arrive(Writing(locale, "x", code="042117", code_minutes=10))
    plain, page = parts(message)

    assert "042117" in plain.splitlines()
    assert re.search(r'<p class="code"[^>]*><span dir="ltr"[^>]*>042117</span></p>', page)
    assert "font: 700 34px" in page


@pytest.mark.parametrize("minutes", [1, 2, 3, 10, 11, 100])
def test_numbers_are_said_as_each_language_says_them(arrive, minutes):
    arabic = {1: "دقيقة واحدة", 2: "دقيقتان", 3: "3 دقائق", 10: "10 دقائق", 11: "11 دقيقة"}
    german = "Er gilt 1 Minute." if minutes == 1 else f"Er gilt {minutes} Minuten."
    about = {"code": "042117", "code_minutes": minutes}

    assert german in parts(arrive(Writing("de", "x", **about))[0])[0]
    said = parts(arrive(Writing("ar", "x", **about))[0])[0]
    assert f"صلاحيته {arabic.get(minutes, '100 دقيقة')}." in said


@pytest.mark.parametrize("template", ["claim", "consent"])
def test_a_letter_loads_nothing_and_tells_nobody_that_it_was_read(arrive, template):
    message, _ = arrive(Writing("en", "x", template, headers=UNSUBSCRIBE))
    _, page = parts(message)

    assert re.findall(r"<(img|link|script|iframe|object|video|form|input)\b", page) == []
    assert re.findall(r"url\(|@import|@font-face|background=", page) == []
    assert set(re.findall(r'(?:href|src)="([^"]+)"', page)) == {
        LINK,
        "https://www.acme.example/privacy",
    }
    assert [part.get_content_maintype() for part in message.walk()] == ["multipart", "text", "text"]
    assert not {"Disposition-Notification-To", "Return-Receipt-To"} & set(message.keys())


def test_style_is_in_each_element_and_follows_the_site(portal, arrive):
    portal.publish(
        SITE_IN_THREE.replace(
            "  origins:", "  theme: {accent: '#ffd54a', radius: 11px}\n  origins:"
        )
    )
    _, page = parts(arrive(Writing("en", "x"))[0])
    button = re.search(r'<a class="press" [^>]*style="([^"]*)"', page)[1]

    assert "background-color: #ffd54a" in button
    assert "color: #000000" in button, "black is what can be read on yellow"
    assert "border-radius: 11px" in button
    assert "var(--" not in page
    assert "prefers-color-scheme: dark" in page
    assert "max-width: 480px" in page


@pytest.mark.parametrize(("locale", "direction"), [("en", "ltr"), ("de", "ltr"), ("ar", "rtl")])
def test_a_letter_is_written_from_where_its_language_is(arrive, locale, direction):
    _, page = parts(arrive(Writing(locale, "x"))[0])

    assert f'<html lang="{locale}" dir="{direction}"' in page
    assert set(re.findall(r'<(?:html|body|table)[^>]* dir="(\w+)"', page)) == {direction}


@pytest.mark.parametrize("language", ["de", "ar"])
@pytest.mark.parametrize("template", ["claim", "consent"])
@pytest.mark.parametrize("mail_delivery", [True, False])
def test_a_letter_is_whole(arrive, language, template, mail_delivery):
    about = {"code": "042117", "code_minutes": 10, "preferences_url": PREFERENCES}
    message, _ = arrive(Writing(language, "x", template, mail_delivery=mail_delivery, **about))
    plain, page = parts(message)

    assert left_of_english(plain, language) == []
    assert left_of_english(visible(page), language) == []


def test_a_letter_says_who_writes_and_why(arrive):
    plain, page = parts(arrive(Writing("en", "x"))[0])
    foot = plain.partition("\n-- \n")[2]

    for text in (" ".join(foot.split()), visible(page)):
        assert "because your address was typed in at Acme Products" in text
    for text in (foot, page):
        assert "Acme Products Ltd, 1 High Street, Leeds" in text
        assert "https://www.acme.example/privacy" in text
    assert "Choose what we send you" not in plain


def test_what_a_marketer_called_a_gate_cannot_dress_as_markup(arrive):
    headline = '<a href="https://evil.example">Click</a></style><script>1</script>'
    plain, page = parts(arrive(Writing("en", "x", headline=headline))[0])

    assert "&lt;a href=" in page
    assert "evil.example" not in re.sub(r"&lt;.*?&lt;/script&gt;", "", page)
    assert " ".join(headline.split()) in " ".join(plain.split())
