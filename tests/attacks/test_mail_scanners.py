"""
Mail scanners that open every link before its reader does, and run the scripts behind it.

Safe-link services, virus scanners and previews fetch each address in a mail, follow what is
there, and some press on with a whole browser. Where a link confirms, unsubscribes or downloads on
GET, they subscribe people who never answered and "prove" addresses nobody owns. No user agent
tells them apart. Here a link opens a page, and only its button, sent as a form, changes anything.
"""

import html
import random
import re
import threading
import urllib.parse
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.accounts import actions
from regportal.accounts import letters as accounts_letters
from regportal.accounts.audit import COMMAND
from regportal.accounts.letters import owe_invitation
from regportal.accounts.roles import Role
from regportal.app.server import Server, listen
from regportal.forms import letters as forms_letters
from regportal.identity import letters as identity_letters
from regportal.identity.models import Claim, ClaimState
from regportal.outbox.actions import News, put
from regportal.outbox.models import Message, MessageState
from regportal.privacy import letters as privacy_letters
from tests.browsing import go
from tests.portal import SECRET, SITE, Portal
from tests.studio.staff import PASSWORD, Company, Desk

MEASUREMENTS = {"shown", "shown_to", "served", "tally"}
"""Tables a GET may write: what was shown to what, and served; no rule or webhook reads them."""
AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1 Mobile/15E148",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)",
    "Barracuda Sentinel (EE)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0; Pro)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "WhatsApp/2.23 A",
    "curl/8.5.0",
    "python-requests/2.33",
    "",
]
HEADERS = [
    {},
    {"Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"X-Moz": "prefetch"},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"},
    {"Referer": "https://mail.example/inbox", "Sec-Fetch-Site": "cross-site"},
    {"X-HTTP-Method-Override": "POST"},
    {"Accept": "application/json"},
    {"Range": "bytes=0-1023"},
]
TAILS = [
    "",
    "",
    "?choice=confirm",
    "?choice=deny",
    "?confirm=true&_method=POST",
    "?List-Unsubscribe=One-Click",
    "?utm_source=newsletter&__s=x",
    "/",
    "#",
]
METHODS = ["GET", "GET", "GET", "HEAD", "OPTIONS"]


def write_letters(portal):
    """Let every kind of letter go out, each with links that wait for an answer."""
    owner = portal.browser()
    owner.claim("ann@widgetworks.example")
    portal.work()
    owner.prove(portal)
    portal.work()
    owner.send("study", n_news="yes")
    page = owner.get("/me/address")
    owner.post("/me/address", {**page.fields, "email": "ann.new@widgetworks.example"})
    portal.work()
    moving = portal.browser()
    moving.claim("bob@widgetworks.example")
    portal.work()
    moving.prove(portal)
    portal.work()
    page = moving.get("/me/address")
    moving.post("/me/address", {**page.fields, "email": "bob.new@widgetworks.example"})
    portal.work()
    [link] = [one for one in links_of(portal.mails()[-1], portal) if "/me/" in one]
    moving.post(link, {"press": "yes"})
    raise_the_alarm(portal)
    invite(portal)
    portal.work()
    asking = portal.browser()
    page = asking.get("/me")
    asking.post("/me", {**page.fields, "email": "ann@widgetworks.example"})
    portal.browser().claim("carl@widgetworks.example", "prices", n_prices="yes")
    portal.browser().claim("dora@widgetworks.example", "guide", n_prices="yes")
    portal.work()


def raise_the_alarm(portal):
    """Tell the owner of the first proven claim that an old token of his was used."""
    now = datetime.now(UTC)

    def owe(session):
        proven = sa.select(Claim.id).where(Claim.state == ClaimState.CONFIRMED).limit(1)
        claim = session.scalars(proven).one()
        news = News("mail.alert", f"claim:{claim}", {"claim": str(claim)}, now)
        put(session, "mail", news, now=now)

    portal.store.write(owe)


def invite(portal):
    """Invite a colleague into the Studio; her link opens once."""
    now = datetime.now(UTC)

    def owe(session):
        roles = [Role.MARKETER]
        cy = actions.invite(session, "cy@acme.example", "Cy", roles, doer=COMMAND, now=now)
        owe_invitation(session, cy, "en", now=now)

    portal.store.write(owe)


def links_of(mail, portal):
    """Return the paths of every address of ours in a mail, in its text, HTML and headers."""
    texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    texts += [str(value) for value in mail.values()]
    found = re.findall(rf"{re.escape(portal.settings.base_url)}(/[^\s\"'<>)]*)", "\n".join(texts))
    return sorted({html.unescape(one) for one in found})


def led_to(portal, links):
    """Return these paths and all that their pages lead to: links, forms, pictures, scripts."""
    client, seen, waiting = portal.app.test_client(), [], list(links)
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.append(path)
        response = client.get(path, base_url=portal.settings.base_url, follow_redirects=True)
        found = re.findall(r'(?:href|src|action)="([^"#]+)"', response.get_data(as_text=True))
        response.close()
        for one in found:
            parts = urllib.parse.urlsplit(html.unescape(one))
            if not parts.netloc:
                waiting.append(parts.path + (f"?{parts.query}" if parts.query else ""))
    return seen


def everything(portal):
    """Return every row of every table but measurements."""
    portal.store.catch_up()
    with portal.store.read() as session:
        tables = sa.MetaData()
        tables.reflect(session.get_bind())
        return {
            name: sorted(repr(tuple(row)) for row in session.execute(sa.select(table)))
            for name, table in tables.tables.items()
            if name not in MEASUREMENTS
        }


def differences(before, after):
    """Return the tables that differ."""
    return [name for name in before if before[name] != after[name]]


def test_every_kind_of_letter_is_among_those_that_are_scanned(portal):
    write_letters(portal)
    kinds = forms_letters.LETTERS | identity_letters.LETTERS | privacy_letters.LETTERS
    kinds |= accounts_letters.LETTERS
    with portal.store.read() as session:
        sent = session.scalars(
            sa.select(Message.topic).where(
                Message.connector == "mail", Message.state == MessageState.SENT
            )
        ).all()

    assert set(sent) == set(kinds), "a new kind of letter is written in write_letters"


def scan(portal, visits):
    """Visit everything the letters lead to, so many times, as scanners do; return the statuses."""
    links = sorted({link for mail in portal.mails() for link in links_of(mail, portal)})
    paths = led_to(portal, links)
    chance, statuses = random.Random(33), set()
    keeping = [portal.app.test_client() for _ in range(5)]
    for visit in range(visits):
        path = paths[visit % len(paths)] + chance.choice(TAILS)
        client = chance.choice([*keeping, portal.app.test_client()])
        response = client.open(
            path,
            method=chance.choice(METHODS),
            headers={"User-Agent": chance.choice(AGENTS), **chance.choice(HEADERS)},
            base_url=portal.settings.base_url,
        )
        statuses.add(response.status_code)
        response.close()
    assert len(links) >= 6
    return statuses


def visited(portal, visits):
    """Return what so many visits changed, and the worst of their statuses."""
    write_letters(portal)
    before = everything(portal)
    statuses = scan(portal, visits)
    portal.work()
    return differences(before, everything(portal)), max(statuses)


@pytest.mark.parametrize(
    ("database_url", "visits"),
    [("sqlite", 2_000), ("postgresql", 500)],
    indirect=["database_url"],
)
def test_thousands_of_visits_change_nothing(portal, visits):
    changed, worst = visited(portal, visits)

    assert changed == []
    assert worst < 500


@pytest.mark.soak
def test_ten_thousand_visits_change_nothing(portal):
    changed, worst = visited(portal, 10_000)

    assert changed == []
    assert worst < 500


def test_a_press_does_change_something(portal):
    write_letters(portal)
    before = everything(portal)
    portal.browser().post(portal.link(), {"choice": "confirm"})

    assert "claim" in differences(before, everything(portal))


def test_an_invitation_that_scanners_have_opened_still_lets_its_reader_in_and_once(portal):
    invite(portal)
    portal.work()
    [letter] = portal.mails()
    [link] = [one for one in links_of(letter, portal) if "/welcome/" in one]
    path, company = link.removeprefix("/studio"), Company(portal)
    for agent in AGENTS:
        scanner = Desk(portal, agent)
        for headers in HEADERS:
            assert scanner.get(path, **headers).status == 200
        scanner.client.head(link, base_url=portal.settings.base_url)
        scanner.client.options(link, base_url=portal.settings.base_url)
        assert scanner.get("/").status == 303
    assert company.user("cy@acme.example").password is None
    assert company.deeds() == ["invite"]
    reader, chosen = Desk(portal), {"password": PASSWORD, "again": PASSWORD}
    reader.get(path)
    assert reader.post(path, chosen).status == 303

    assert reader.get("/").status == 200
    assert Desk(portal).get(path).status == 409


# --- with a whole browser ---


@pytest.fixture
def served(tmp_path, monkeypatch, database_url):
    """Our portal, really served, with a letter of every kind on its way."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    with closing(listen("127.0.0.1", 0)) as listening:
        ours = f"http://localhost:{listening.getsockname()[1]}"
        portal = Portal(database_url, tmp_path, limits="off", base_url=ours)
        portal.publish(SITE)
        monkeypatch.setattr("tests.portal.ORIGIN", ours)
        write_letters(portal)
        server = Server(portal.app, listening, portal.settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        yield portal, ours
        server.stop()
        thread.join(10)
        portal.close()


def look_around(page, address):
    """Open a page as a scanner with a browser does: run all, hover, scroll."""
    go(page, address, wait_until="load")
    seen = "a, button, input:not([type=hidden]):not(.visually-hidden), label"
    for control in page.locator(seen).all():
        if control.is_visible():
            control.hover()
            control.focus()
    page.evaluate("window.dispatchEvent(new Event('beforeunload')); scrollTo(0, 1e6)")


def follow(page):
    """Follow every link of a page."""
    here = page.evaluate("location.origin")
    targets = page.locator("a").evaluate_all("links => links.map(link => link.href)")
    for target in targets:
        if target.startswith(here):
            go(page, target, wait_until="load")
            page.wait_for_timeout(100)


def look_around_all(served, new_context, visits, milliseconds):
    """Let so many scanners look at the links of all letters for so long, ten at a time."""
    portal, ours = served
    letters = portal.mails()
    links = sorted({link for mail in letters for link in links_of(mail, portal)})
    before = everything(portal)
    for first in range(0, visits, 10):
        contexts = [new_context(user_agent=AGENTS[first // 10 % 3]) for _ in range(10)]
        pages = [context.new_page() for context in contexts]
        for number, page in enumerate(pages, start=first):
            look_around(page, ours + links[number % len(links)])
        pages[-1].wait_for_timeout(milliseconds)
        for page in pages:
            follow(page)
            page.context.close()
    portal.work()

    assert differences(before, everything(portal)) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_twenty_visits_with_a_browser_that_runs_scripts_change_nothing(served, new_context):
    look_around_all(served, new_context, 20, 100)


@pytest.mark.soak
def test_a_hundred_long_visits_with_a_browser_change_nothing(served, new_context):
    look_around_all(served, new_context, 100, 30_000)
