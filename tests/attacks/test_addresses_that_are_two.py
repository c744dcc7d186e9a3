"""
Typing an address that is another one by the time the mail is sent.

``=?utf-8?q?eve=40evil.example=2C?=@victim.example`` is a valid address by RFC 5321: all its signs
may stand before the @. Mail libraries read it as an encoded word and write to Eve, and whoever
trusts the domain (a gate for business addresses, an account matched by domain) has let her in as
somebody of victim.example. With a line break inside the word the library raises instead, and a
worker that sends mails in batches sends nobody's any more.
"""

from datetime import UTC, datetime

import pytest

from regportal.errors import RefusedError
from regportal.mail.postman import letter

SPLIT = [
    "=?utf-8?q?eve=40evil.example=2C?=@victim.example",
    "=?utf-8?q?eve=40evil.example=3E=20?=@victim.example",
    "=?iso-8859-1?q?eve=40evil.example=00?=@victim.example",
    "=?utf-8?b?ZXZlQGV2aWwuZXhhbXBsZSw=?=@victim.example",
    "=?utf-8?q?a=0d=0aBcc=3a_eve=40evil.example?=@victim.example",
    "=?utf-7?q?+AEA-?=@victim.example",
    "x=?utf-8?q?eve=40evil.example=2C?=@victim.example",
]
INJECTED = [
    "ann@a.example\r\nBcc: eve@evil.example",
    "ann@a.example%0d%0aBcc:eve@evil.example",
    "ann@a.example,eve@evil.example",
    "ann@a.example;eve@evil.example",
    "Ann <eve@evil.example>",
    '"eve@evil.example"@a.example',
    "ann(comment)@a.example",
    "ann@[127.0.0.1]",
    "ann@a.example\u2028Bcc: x",
    "ann\u202e@a.example",
    "@route.example:eve@evil.example",
]
ODD = [
    "o'brien@acme.example",
    "=cmd|'/c'@acme.example",
    "{{7*7}}@acme.example",
    "a!b#c$d%e&f*g/h=i?j^k_l`m{n|o}p~q@acme.example",
    "ann%eve@acme.example",
]


def compose(to, subject="Hello"):
    """Write a letter."""
    return letter(
        sender="no-reply@acme.example",
        to=to,
        subject=subject,
        kind="claim",
        text="Hello",
        html="<p>Hello</p>",
        now=datetime(2026, 3, 4, tzinfo=UTC),
    )


@pytest.mark.parametrize("typed", [*SPLIT, *INJECTED])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_is_no_address(portal, typed):
    eve = portal.browser()
    refused = eve.send("guide", email=typed, remember="yes")

    assert (refused.status, refused.errors) == (422, ["email"])
    portal.work()
    assert portal.mails() == []


def test_whatever_is_typed_everybody_else_gets_his_mail(portal):
    for typed in ("ann@widgetworks.example", *SPLIT, "bob@widgetworks.example"):
        portal.browser().send("guide", email=typed, remember="yes")
    portal.work()

    assert sorted(mail["To"] for mail in portal.mails()) == [
        "ann@widgetworks.example",
        "bob@widgetworks.example",
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("typed", ODD)
def test_an_odd_address_is_written_to_as_it_is(portal, typed):
    portal.browser().claim(typed)
    portal.work()
    [mail] = portal.mails()

    assert [one.addr_spec for one in mail["To"].addresses] == [typed]


@pytest.mark.parametrize("typed", SPLIT[:5])
def test_the_postman_writes_to_no_address_that_would_become_another(typed):
    with pytest.raises(RefusedError):
        compose(typed)


def test_a_domain_in_another_script_is_written_as_dns_knows_it():
    assert compose("ann@bücher.example")["To"] == "ann@xn--bcher-kva.example"


def test_a_headline_of_several_lines_adds_no_header(portal):
    site = (portal.folder / "regportal.yaml").read_text()
    portal.publish(
        site.replace("headline: The guide", 'headline: "The guide\\nBcc: eve@x.example"')
    )
    portal.browser().claim("ann@widgetworks.example")
    portal.work()
    [mail] = portal.mails()

    assert mail["Subject"] == "Was this you? The guide Bcc: eve@x.example"
    assert mail["Bcc"] is None
