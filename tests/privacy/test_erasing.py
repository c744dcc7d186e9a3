"""Erasing a person: nothing stays, everybody who was told hears of it, nobody brings them back."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.overriding import Word, override
from regportal.buying.reading import list_moves, opportunity_shown
from regportal.connectors.base import Outcome, Result
from regportal.connectors.schema import Connector
from regportal.consent.ledger import broken_lines
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.forms.joining import join_people
from regportal.forms.news import contact_news
from regportal.forms.settling import settle_claim
from regportal.identity.actions import find_contact
from regportal.identity.models import Claim
from regportal.outbox.actions import owe
from regportal.outbox.drain import drain
from regportal.outbox.models import Message, MessageState
from regportal.privacy.erasing import ADMINISTRATOR, PERSON, erase, is_whole, shown
from regportal.privacy.models import Erasure
from regportal.privacy.whom import find_whom
from regportal.tracking.actions import record
from regportal.tracking.models import Attributed, Interaction, Judged
from tests.patience import PATIENCE, Pausing, until
from tests.privacy.people import Person, found_in

EMAIL = "Canary.Address-c01@canary-domain-c02.example"
LOCAL, DOMAIN = "canary.address-c01", "canary-domain-c02"


def forget(portal, email, **more):
    """Erase somebody as an operator does; return the report as it is printed."""
    pepper = portal.settings.pepper_text

    def work(session):
        published, whom = portal.shelf.published(session), find_whom(session, email)
        now = datetime.now(UTC)
        report = erase(session, published, whom, pepper=pepper, by=ADMINISTRATOR, now=now, **more)
        return shown(report)

    report = portal.store.write(work)
    portal.store.sweep()
    return report


@pytest.fixture
def canaries(portal):
    """A person who left a word of her own in everything a person can fill in."""
    words = [f"canary-{number:02}" for number in range(3, 51)]
    take = iter(words)
    tags = "&".join(f"utm_{name}={next(take)}" for name in ("source", "medium", "campaign", "term"))
    person = Person(portal, EMAIL, Referer=f"https://{next(take)}.example/{next(take)}")
    browser = person.browser
    page = browser.get(f"/g/guide?{tags}&gclid={next(take)}")
    browser.post(f"/g/guide?{tags}", {**page.fields, "email": EMAIL, "n-news": "yes"})
    portal.work()
    browser.prove(portal)
    portal.work()
    browser.send("work", q_company=f"{next(take)} and {next(take)}")
    portal.work()
    about = {"external_id": "o-1", "name": f"Widgets for {EMAIL}"}
    owner = {"name": next(take), "email": EMAIL.upper()}
    portal.hook("opportunity.upserted", about | {"owner": owner, "stage": "open"})
    role = {"opportunity": "o-1", "email": EMAIL, "role": next(take)}
    portal.hook("contact_role.added", role)
    portal.hook("contact_role.added", role | {"opportunity": "o-unheard-of", "role": next(take)})
    portal.hook("something.else", {"text": f"{next(take)} <{EMAIL}>"})
    portal.work()
    portal.store.write(lambda session: _does(session, find_contact(session, EMAIL).id, take))
    portal.work()
    stranger = portal.browser()
    stranger.claim(EMAIL, n_prices="yes")  # somebody else types her address, unproven
    stranger.send("work", q_company=next(take))
    portal.work()
    portal.store.write(lambda session: _owed(session, find_contact(session, EMAIL).id, take))
    assert next(take, None) is None, "every word has found its place"
    return person, words


def _does(session, contact_id, take):
    """Let her do many things, each with a word of her own."""
    now = datetime.now(UTC)
    for _ in range(14):
        record(
            session,
            Interaction(
                id=uuid.uuid4(),
                type="search",
                object=f"https://www.acme.example/{next(take)}",
                category=None,
                properties={"words": next(take)},
                occurred_at=now,
                received_at=now,
                contact_id=contact_id,
                attribution=Attributed.VERIFIED,
                judged=Judged.PERSON,
                judged_because=None,
            ),
            now=now,
        )


def _owed(session, contact_id, take):
    """Leave messages about her in every state."""
    now = datetime.now(UTC)
    for number, state in enumerate([MessageState.DUE, MessageState.SENT, MessageState.PARKED] * 2):
        session.add(
            Message(
                connector="crm",
                topic="contact.updated",
                subject=f"contact:{contact_id}",
                sequence=900 + number,
                creates=False,
                payload={"contact": {"email": EMAIL}, "fields": {"note": next(take)}},
                occurred_at=now,
                state=state,
                due=now + timedelta(days=1),
            )
        )


def test_nothing_of_a_person_is_left_anywhere(portal, database_url, canaries):
    _, words = canaries
    words = [*words, LOCAL, DOMAIN]
    before = found_in(database_url, words)
    forget(portal, EMAIL)
    after = found_in(database_url, words)
    portal.work()

    assert len(before) >= 45
    assert (after, found_in(database_url, words)) == ([], [])


def test_the_ledger_stays_whole_and_ends_each_newsletter(portal, ann):
    key = ann.key
    forget(portal, ann.email)

    with portal.store.read() as session:
        lines = session.scalars(
            sa.select(ConsentEvent)
            .where(ConsentEvent.subject == f"contact:{key}")
            .order_by(ConsentEvent.number)
        ).all()
        assert [line.state for line in lines][-1] == ConsentState.ERASED
        assert list(broken_lines(session)) == []


def test_whoever_was_told_is_told_to_erase(portal, ann):
    key = ann.key
    report = forget(portal, ann.email)
    portal.work()

    assert {"key": key} in [news["contact"] for news in portal.news("contact.erased")]
    assert all(set(news) == {"id", "contact"} for news in portal.news("contact.erased"))
    assert report["told"] == {"crm": 2}


def test_of_somebody_who_only_typed_an_address_the_claim_is_to_be_erased(portal):
    portal.browser().claim("eve@example.com")
    portal.work()
    claim = portal.news("contact.claimed")[0]["claim"]["id"]
    forget(portal, "eve@example.com")
    portal.work()

    assert [news["contact"]["key"] for news in portal.news("contact.erased")] == [claim]


def test_word_of_an_erasure_goes_ahead_of_everything_else(portal, ann):
    forget(portal, ann.email)

    with portal.store.read() as session:
        owed = session.scalars(sa.select(Message).where(Message.topic == "contact.erased")).all()
    assert {message.lane for message in owed} == {0}


def test_an_erasure_while_a_message_is_delivered_is_told_after_it(portal, ann):
    seen = []
    portal.store.write(lambda session: _owe_news(session, portal, ann.email))

    def deliver(changes, *, now):
        if not seen:
            forget(portal, ann.email)  # just now, while the CRM is being told
        seen.extend(change.topic for change in changes)
        return [Result(change.id, Outcome.DONE) for change in changes]

    again = drain(portal.store, "crm", deliver, clock=lambda: datetime.now(UTC))
    later = datetime.now(UTC) + timedelta(minutes=2)
    drain(portal.store, "crm", deliver, clock=lambda: later)

    assert again is not None
    assert seen[0] == "contact.updated"
    assert seen[-1] == "contact.erased"
    assert seen.count("contact.updated") == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nothing_is_taken_in_hand_while_somebody_is_erased(portal, ann):
    """On SQLite there is one writer at a time anyway."""
    portal.store.write(lambda session: _owe_news(session, portal, ann.email))
    seen, taken, go, workers = [], threading.Event(), threading.Event(), []

    def told(changes, *, now):
        seen.extend(change.topic for change in changes)
        return [Result(change.id, Outcome.DONE) for change in changes]

    def told_late(changes, *, now):
        taken.set()
        assert go.wait(PATIENCE)
        return told(changes, now=now)

    def work(deliver):
        drain(portal.store, "crm", deliver, clock=lambda: datetime.now(UTC))

    def at_the_last_moment(connection, cursor, statement, parameters, context, executemany):
        if statement.startswith("DELETE FROM message ") and not workers:
            workers.append(threading.Thread(target=work, args=(told_late,)))
            workers[0].start()
            until(lambda: taken.is_set() or not workers[0].is_alive())

    sa.event.listen(portal.store.engine, "before_cursor_execute", at_the_last_moment)
    forget(portal, ann.email)
    work(told)
    go.set()
    workers[0].join()

    assert set(seen) == {"contact.erased"}


def _owe_news(session, portal, email):
    """Owe the CRM what we know of somebody."""
    published, contact = portal.shelf.published(session), find_contact(session, email)
    now = datetime.now(UTC)
    news = contact_news(session, published, contact, "contact.updated", now=now)
    owe(session, published.all(Connector), news, now=now)


def test_nobody_is_brought_back_by_the_crm(portal, database_url, ann):
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    forget(portal, ann.email)
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": ann.email, "role": "buyer"})
    portal.work()

    assert ann.key is None
    assert found_in(database_url, [ann.email]) == []


def test_the_person_comes_back_by_their_own_proof_and_begins_from_nothing(portal, ann):
    before = ann.key
    forget(portal, ann.email)
    again = Person(portal, ann.email)
    again.browser.claim(ann.email)
    portal.work()
    again.browser.prove(portal)
    portal.work()

    assert again.key not in {None, before}
    assert again.browser.gate("study").question == "country"


def test_past_moves_stay_and_the_opportunity_can_still_be_explained(portal, ann):
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": ann.email})
    ann.browser.send("prices")
    portal.work()
    moved = [news["to"] for news in portal.news("phase.changed")]
    forget(portal, ann.email)
    portal.work()

    with portal.store.read() as session:
        shown_now = opportunity_shown(session, "crm:o-1")
        moves = list_moves(session)
    assert moved == ["comparison"]
    assert shown_now["phase"] == "unaware"  # what led further is gone, and says so
    assert shown_now["reason"].endswith("what led further no longer counts")
    assert shown_now["contacts"] == []
    assert moves
    assert ann.email not in json.dumps(moves)


def test_what_a_colleague_said_of_the_purchase_stays_and_names_nobody(portal, ann):
    now = datetime.now(UTC)
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    portal.work()
    word = Word("decision", "Bo Lind", f"{ann.email} called", now + timedelta(days=9))
    portal.store.write(
        lambda one: override(one, portal.shelf.published(one), "crm:o-1", word, now=now)
    )
    forget(portal, ann.email)
    portal.work()

    with portal.store.read() as session:
        shown_now = opportunity_shown(session, "crm:o-1")
    assert (shown_now["phase"], shown_now["override"]["because"]) == ("decision", "somebody called")
    assert shown_now["reason"].endswith(": somebody called")


def test_somebody_elses_browser_keeps_what_is_not_hers(portal, ann):
    bob = Person(portal, "bob@example.com").arrives()
    forget(portal, ann.email)

    assert bob.key is not None
    assert bob.browser.get("/me").status == 200
    assert "b***@e***.com" in bob.browser.get("/me").text


def test_all_addresses_of_a_person_go_together(portal, ann):
    other = Person(portal, "ann@work.example").arrives()

    def work(session):
        pair = [find_contact(session, one) for one in (ann.email, other.email)]
        published = portal.shelf.published(session)
        because, now = "told us so", datetime.now(UTC)
        join_people(session, published, *pair, because=because, by="administrator", now=now)

    portal.store.write(work)
    forget(portal, other.email)

    assert (ann.key, other.key) == (None, None)


def test_the_report_names_nobody_and_is_sealed(portal, ann):
    forget(portal, ann.email)

    with portal.store.read() as session:
        report = session.scalars(sa.select(Erasure)).one()
        assert is_whole(report)
        assert report.counts["contact"] == 1
        assert ann.email not in json.dumps(shown(report))
        report.counts = {**report.counts, "contact": 2}
        assert not is_whole(report)


def test_a_claim_that_is_settled_meanwhile_goes_too(portal, database_url):
    """The worker makes the contact between the moment the person is found and the locks."""
    eve = Person(portal, "eve.canary@example.com")
    eve.browser.claim(eve.email)
    portal.work()
    eve.browser.prove(portal)
    with portal.store.read() as session:
        published, claim = portal.shelf.published(session), session.scalars(sa.select(Claim)).one()
    pepper, now = portal.settings.pepper_text, datetime.now(UTC)
    settling = Pausing(
        portal.store,
        lambda session: settle_claim(session, published, claim.id, pepper=pepper, now=now),
    )
    settling.ends_soon()
    forget(portal, eve.email)
    settling.thread.join()
    portal.work()
    portal.store.sweep()

    assert eve.key is None
    assert found_in(database_url, [eve.email]) == []


def test_an_address_that_is_joined_meanwhile_goes_too(portal, ann):
    """She proves another address while, in another tab, she has everything erased."""
    own = ann.opens_her_page()
    new = Person(portal, "ann@new.example").arrives()

    def join(session):
        pair = [find_contact(session, one) for one in (new.email, ann.email)]
        published, now = portal.shelf.published(session), datetime.now(UTC)
        join_people(session, published, *pair, because="hers", by="administrator", now=now)

    joining = Pausing(portal.store, join)
    joining.ends_soon()
    answer = ann.browser.post("/me/erase", {**own.fields, "choice": "erase"})
    joining.thread.join()

    assert answer.status == 200
    assert (ann.key, new.key) == (None, None)


def test_pressed_twice_at_once_both_get_the_last_page(portal, ann):
    own = ann.opens_her_page()
    copy = portal.browser()
    for cookie in ("rp_v", "rp_s"):
        if kept := ann.browser.client.get_cookie(cookie):
            copy.client.set_cookie(cookie, kept.value)
    fields = {**own.fields, "choice": "erase"}
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda one: one.post("/me/erase", fields), (ann.browser, copy)))

    assert {page.status for page in pages} <= {200, 303}
    assert 200 in [page.status for page in pages]
    with portal.store.read() as session:
        assert len(session.scalars(sa.select(Erasure)).all()) == 1


def test_a_second_press_that_waited_for_the_first_shows_the_same_report(portal, ann):
    """Both were read before either was done: the locks decide who is first."""
    own = ann.opens_her_page()
    pepper = portal.settings.pepper_text

    def work(session):
        published, whom = portal.shelf.published(session), find_whom(session, ann.email)
        erase(session, published, whom, pepper=pepper, by=PERSON, now=datetime.now(UTC))

    first = Pausing(portal.store, work)
    first.ends_soon()
    answer = ann.browser.post("/me/erase", {**own.fields, "choice": "erase"})
    first.thread.join()

    assert answer.status == 200
    with portal.store.read() as session:
        assert str(session.scalars(sa.select(Erasure)).one().id) in answer.text
