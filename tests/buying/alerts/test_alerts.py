"""Who looks after an opportunity hears of it when a customer moves it: once, soon, and with why."""

import re
import threading
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.buying.alerts import actions
from regportal.buying.alerts.models import Alert
from regportal.buying.alerts.rules import MOST
from regportal.consent.suppression import BOUNCE, suppress
from regportal.outbox.models import Message
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from tests.buying.alerts.office import ANN, BO, page, plain, site
from tests.speech import left_of_english, visible

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CRM = "https://crm.acme.example/deals/006"


def forget(office, email):
    """Erase somebody as an operator does."""
    pepper = office.portal.settings.pepper_text

    def work(session):
        published, whom = office.shelf.published(session), find_whom(session, email)
        erase(session, published, whom, pepper=pepper, by=ADMINISTRATOR, now=office.now)

    office.store.write(work)


def test_the_owner_gets_one_letter_that_says_who_what_and_why(office, ann):
    office.deal("006", ann, url=CRM, account={"name": "Initech"})
    office.takes(ann)
    (letter,) = office.letters()
    text = plain(letter)

    assert letter["To"] == "bo@acme.example"
    assert letter["Subject"] == "500 widgets moved to “Comparison”"
    assert letter["X-Regportal-Kind"] == "alert"
    assert "ann@initech.example downloaded Price list 2026." in text
    assert "Company: Initech" in text
    assert "Part: decision maker" in text
    assert "When: 4 March 2026, 12:00 UTC" in text
    assert "Buying phase: Unaware → Comparison" in text
    assert (
        "Why: Comparison since 4 Mar 2026 12:00: ann@initech.example downloaded Price list 2026"
        " (1 needed in 45 days)"
    ) in " ".join(text.split())
    assert "Next: Decision: " in text
    assert CRM in text.splitlines()
    assert f'href="{CRM}"' in page(letter)


def test_both_parts_say_the_same_and_load_nothing(office, ann):
    office.deal("006", ann, url=CRM, account={"name": "Initech"})
    office.takes(ann)
    (letter,) = office.letters()
    shown = re.sub(r"<style.*?</style>|<[^>]+>", " ", page(letter), flags=re.DOTALL)
    shown = " ".join(shown.split())

    for said in (
        "ann@initech.example",
        "Price list 2026",
        "Initech",
        "decision maker",
        "Decision:",
    ):
        assert said in shown
        assert said in plain(letter)
    assert re.findall(r"<(img|link|script|iframe|object|video|form|input)\b", page(letter)) == []
    assert re.findall(r"url\(|@import|@font-face|background=", page(letter)) == []
    links = set(re.findall(r'(?:href|src)="([^"]+)"', page(letter)))
    assert {one.partition("/alerts/")[0] for one in links} == {
        CRM,
        "https://www.acme.example/privacy",
        office.portal.settings.base_url,
    }


def test_a_letter_is_not_sent_twice_however_often_the_worker_looks(office, ann):
    office.deal("006", ann)
    office.takes(ann)
    for _ in range(3):
        office.passes(HOUR)

    assert len(office.letters()) == 1
    assert [one["state"] for one in office.listed()] == ["told"]


def test_a_worker_that_dies_in_between_owes_the_letter_still_and_once(office, ann, monkeypatch):
    office.deal("006", ann)
    office.did(ann, name="list", now=office.now)
    office.weigh(now=office.now)
    put = actions.put

    def dies(*args, **more):
        put(*args, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(actions, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        office.portal.work()
    monkeypatch.undo()
    office.portal.work()

    assert len(office.letters()) == 1
    with office.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Message.topic == "mail.lead")) == 1


def test_two_workers_at_once_owe_one_letter_a_move(office, ann):
    deals = [office.deal(f"00{number}", ann) for number in range(4)]
    office.did(ann, name="list", now=office.now)
    office.weigh(now=office.now)
    told = partial(
        actions.tell, office.store, office.shelf, pepper=office.portal.settings.pepper_text
    )
    workers = [threading.Thread(target=told, kwargs={"now": office.now}) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    office.portal.work()

    assert len(office.letters()) == len(deals)


def test_what_nobody_looks_after_goes_to_the_address_of_the_site(office, ann):
    office.deal("006", ann, owner=None)
    office.deal("007", ann, owner={"name": "Bo Lind", "email": "not an address"})
    office.takes(ann)

    assert {one["To"] for one in office.letters()} == {"marketing@acme.example"}
    assert len(office.letters()) == 2
    for letter in office.letters():
        assert "for what nobody looks after" in " ".join(plain(letter).split())


def test_without_any_address_nobody_is_told_and_operators_see_why(office, ann):
    office.portal.publish(site(send="each"))
    office.deal("006", ann, owner=None)
    office.takes(ann)
    (one,) = office.listed()

    assert office.letters() == []
    assert (one["state"], one["because"]) == ("dropped", actions.NOBODY)


def test_a_site_that_sends_none_notes_none(office, ann):
    office.portal.publish(site(send="off", to="marketing@acme.example"))
    office.deal("006", ann)
    office.takes(ann)

    assert (office.letters(), office.listed()) == ([], [])


# --- what is no news ---


def test_who_gets_a_part_later_alerts_nobody_by_what_he_did_before(office, ann):
    office.takes(ann)
    office.deal("006", ann)
    office.portal.work()

    assert [move.cause for move in office.moves()] == ["crm"]
    assert office.letters() == []


def test_history_that_is_filled_in_later_alerts_nobody(office, ann):
    office.deal("006", ann)
    office.takes(ann, occurred_at=office.now - DAY - MINUTE)

    assert [move.cause for move in office.moves()] == ["event"]
    assert office.letters() == []


def test_what_was_done_today_and_is_known_only_now_is_news(office, ann):
    office.deal("006", ann)
    done = office.did(None, name="list", now=office.now - HOUR, attribution="anonymous")
    office.attribute(ann, done, now=office.now)
    office.portal.work()

    assert len(office.letters()) == 1


def test_neither_silence_nor_other_rules_nor_a_correction_alerts_anybody(office, ann):
    key = office.deal("006", ann)
    done = office.takes(ann)
    office.portal.publish(
        site(send="each") + "buying:\n  phases:\n    - {id: unaware}\n    - id: interest\n"
        "      enter: {any: [{event: download}]}\n      exit: {any: [{quiet: {for: 30d}}]}\n"
    )
    office.passes(MINUTE)
    office.passes(31 * DAY)
    silent = office.phase(key)
    office.takes(ann)
    office.attribute(None, done, now=office.now)
    office.passes(MINUTE)

    causes = [move.cause for move in office.moves()]
    assert silent == "unaware"
    assert causes == ["event", "rules", "timer", "event"]
    assert len(office.letters()) == 2


def test_what_own_staff_does_alerts_nobody(office):
    office.portal.publish(site(to="marketing@acme.example") + "")
    bo = office.contact(BO["email"])
    office.deal("006", bo)
    office.takes(bo)

    assert len(office.moves()) == 1
    assert office.letters() == []
    assert office.listed()[0]["because"] == actions.STAFF


def test_a_purchase_that_is_closed_meanwhile_is_no_news(office, ann):
    office.portal.publish(site(send="digest"))
    key = office.deal("006", ann)
    office.takes(ann)
    office.clock.shift(MINUTE)
    office.opportunity("006", now=office.now, is_closed=True)
    office.passes(DAY)

    assert office.phase(key) == "comparison"
    assert office.letters() == []
    assert office.listed()[0]["because"] == actions.CLOSED


def test_what_turns_out_to_be_somebody_elses_is_no_news(office, ann):
    office.portal.publish(site(send="digest"))
    office.deal("006", ann)
    done = office.takes(ann)
    office.attribute(None, done, now=office.now)
    office.passes(DAY)

    assert office.letters() == []
    assert office.listed()[0]["because"] == actions.TAKEN_BACK


def test_no_letter_goes_where_none_arrives(office, ann):
    pepper = office.portal.settings.pepper_text
    office.store.write(lambda s: suppress(s, BO["email"], pepper, BOUNCE, now=office.now))
    office.deal("006", ann)
    office.takes(ann)

    assert office.letters() == []
    assert office.listed()[0]["because"] == actions.BOUNCED


def test_what_is_taken_back_before_the_letter_leaves_is_not_in_it(office, ann):
    office.deal("006", ann)
    done = office.did(ann, name="list", now=office.now)
    office.weigh(now=office.now)
    pepper = office.portal.settings.pepper_text
    actions.tell(office.store, office.shelf, pepper=pepper, now=office.now)
    office.attribute(None, done, now=office.now)
    office.portal.work()

    assert office.letters() == []
    assert [one.state for one in office.messages("mail.lead")] == ["sent"]


# --- how many, and when ---


def test_more_than_a_few_letters_an_hour_become_one(office, ann):
    for number in range(MOST + 3):
        office.deal(f"D-{number}", ann, name=f"Deal {number}")
    office.takes(ann)
    at_once = len(office.letters())
    office.passes(30 * MINUTE)
    meanwhile = len(office.letters())
    office.passes(30 * MINUTE)
    last = office.letters()[-1]

    assert (at_once, meanwhile, len(office.letters())) == (MOST, MOST, MOST + 1)
    assert last["Subject"] == "3 opportunities moved"
    for number in range(MOST, MOST + 3):
        assert f"* Deal {number}" in plain(last)
        assert f"Deal {number}</bdi>" in page(last)


def test_a_digest_comes_at_its_hour_on_its_days_by_the_clock_of_the_rules(office, ann):
    office.portal.publish(
        site(send="digest", hour=8, days="[mon, thu]")
        + "buying:\n  timezone: Europe/Berlin\n  phases:\n    - {id: unaware}\n"
        "    - {id: interest, enter: {any: [{event: download}]}}\n"
        "    - {id: decision, enter: {any: [{event: download, count: {at_least: 2}}]}}\n"
    )
    office.deal("006", ann)
    office.takes(ann)
    office.clock.shift(HOUR)
    office.takes(ann)
    office.clock.move_to(office.now.replace(day=5, hour=6, minute=59))
    office.portal.work()
    before = len(office.letters())
    office.passes(MINUTE)
    (letter,) = office.letters()

    assert before == 0
    assert letter["Subject"] == "1 opportunity moved"
    assert plain(letter).count("* 500 widgets") == 2
    assert "4 March 2026, 13:00 CET" in plain(letter)
    office.takes(ann)
    assert len(office.letters()) == 1


def test_a_long_digest_is_one_mail_and_says_how_much_it_leaves_out(office, ann, monkeypatch):
    monkeypatch.setattr(actions, "AT_ONCE", 10)
    office.portal.publish(site(send="digest"))
    for number in range(27):
        office.deal(f"D-{number:02}", ann)
    office.takes(ann)
    office.passes(DAY)
    (letter,) = office.letters()

    assert plain(letter).count("* 500 widgets") == 25
    assert "And 2 more moves." in plain(letter)
    assert "And 2 more moves." in page(letter)


# --- forgetting ---


def test_nobody_hears_of_a_customer_who_was_forgotten_meanwhile(office, ann):
    office.portal.publish(site(send="digest"))
    office.deal("006", ann)
    office.takes(ann)
    forget(office, ANN)
    office.passes(DAY)

    assert office.letters() == []
    assert office.listed() == []


def test_a_letter_that_is_owed_already_does_not_name_who_was_forgotten(office, ann):
    office.deal("006", ann)
    office.did(ann, name="list", now=office.now)
    office.weigh(now=office.now)
    pepper = office.portal.settings.pepper_text
    actions.tell(office.store, office.shelf, pepper=pepper, now=office.now)
    forget(office, ANN)
    office.portal.work()

    assert office.letters() == []


def test_an_owner_who_is_forgotten_gets_no_letter_that_waits(office, ann):
    office.contact(BO["email"])
    office.deal("006", ann)
    office.did(ann, name="list", now=office.now)
    office.weigh(now=office.now)
    pepper = office.portal.settings.pepper_text
    actions.tell(office.store, office.shelf, pepper=pepper, now=office.now)
    forget(office, BO["email"])
    office.portal.work()

    assert office.letters() == []
    with office.store.read() as session:
        bodies = session.scalars(sa.select(Message.payload)).all()
    assert BO["email"] not in str(bodies)


def test_the_database_keeps_no_address_of_a_colleague_for_it(office, ann):
    office.deal("006", ann)
    office.takes(ann)
    with office.store.read() as session:
        rows = [*session.execute(sa.text("SELECT * FROM alert_reader"))]
        rows += session.execute(sa.select(*Alert.__table__.columns)).all()

    assert len(rows) == 2
    assert "acme.example" not in str(rows)
    assert "initech" not in str(rows)


# --- words ---


@pytest.mark.parametrize("language", ["de", "ar"])
@pytest.mark.parametrize("several", [False, True])
def test_a_letter_speaks_the_language_of_the_site(office, ann, language, several):
    office.portal.publish(
        site(send="digest" if several else "each").replace(
            "  alerts", f"  locale: {language}\n  alerts"
        )
    )
    for number in range(27 if several else 1):
        office.deal(f"D-{number}", ann, url=CRM, account={"name": "Initech"}, name=f"W-{number}")
    office.takes(ann)
    office.passes(2 * DAY)
    (letter,) = office.letters()

    assert left_of_english(visible(page(letter)), language) == []
    assert left_of_english(plain(letter), language) == []
    assert f'<html lang="{language}"' in page(letter)


EVERYTHING = """
scores:
  - key: fit
    label: W4
    thresholds: {hot: 30}
    profile:
      at_most: 30
      points:
        - {field: {name: address, equals: business}, points: 30}
buying:
  phases:
    - {id: p0, label: W0}
    - id: p1
      label: W1
      enter:
        all:
          - {event: download, where: {category: price-list}, within: 45d}
          - {crm: {stage: S2, within: 9d}}
          - {role: decision_maker}
        none: [{event: call, where: {category: quote}, within: 30d}]
    - id: p2
      label: W2
      enter:
        all:
          - {event: download, where: {category: [order-form, contract]}, within: 1mo}
          - {event: price_lookup, count: {at_least: 3}, within: 14d, by: same_contact}
          - {event: download, count: {at_least: 12}, within: 90d, by: distinct_contacts}
          - any:
              - {quiet: {for: 30d}}
              - {event: 'custom:messe', where: {category: {prefix: W3}}, within: 2d}
          - {answer: {question: country, in: [DE, AT], within: 9d}}
          - {score: {name: fit, at_least: 30}}
          - {field: {name: account.domain, known: true}}
          - {crm: {stage: [S3, S4], within: 30d}}
          - {role: economic_buyer}
        none:
          - {event: download, within: 7d}
          - {role: decision_maker}
          - {crm: {stage: S2}}
      group: {weighted: {user: 1, champion: 3}, at_least: 4}
"""
"""Rules that ask for one of everything there is."""


def asks_everything(office, ann, text):
    """Return the letter of a move that rests on one of everything there is."""
    office.portal.publish(text + EVERYTHING)
    bob = office.contact("bob@initech.example")
    office.deal("006", ann, bob, stage="S2", name="W-1")
    office.takes(ann)
    (letter,) = office.letters()
    return letter


def test_what_a_rule_asks_is_said_in_words(office, ann):
    text = " ".join(plain(asks_everything(office, ann, site(send="each"))).split())

    assert (
        "W1 since 4 Mar 2026 12:00: ann@initech.example downloaded Price list 2026 (1 needed in"
        " 45 days); stage in the CRM; role: ann@initech.example, bob@initech.example;"
        " no call of quote in 30 days"
    ) in text
    assert "Next: W2: a download of an order form or a contract within 1 month (0 of 1)" in text
    assert "account.domain: anything known" in text
    assert "nobody in the part of decision maker" in text


ASKS = """
  - key: timeframe
    label: When do you plan to decide?
    type: choice
    choices: {0-3m: Within three months, later: Later}
"""
BY_ANSWERS = """
scores:
  - key: fit
    label: Right for us
    thresholds: {hot: 30}
    profile: {at_most: 30, points: [{field: {name: address, equals: free}, points: 30}]}
buying:
  phases:
    - id: unaware
    - id: comparison
      enter:
        all:
          - {event: download, where: {category: price-list}}
          - {answer: {question: timeframe, in: [0-3m]}}
    - id: decision
      enter:
        all:
          - {answer: {question: timeframe, in: [later]}}
          - {score: {name: fit, at_least: 30}}
          - {event: meeting}
"""


def test_questions_answers_and_scores_are_called_by_their_labels(office, ann):
    text = site(send="each").replace("questions:\n", f"questions:{ASKS}", 1) + BY_ANSWERS
    office.portal.publish(text)
    office.deal("006", ann)
    office.answers(ann, "timeframe", "0-3m", now=office.now)
    office.takes(ann)
    (letter,) = office.letters()
    told = " ".join(plain(letter).split())

    assert "; answer to “When do you plan to decide?”: ann@initech.example" in told
    assert "an answer to “When do you plan to decide?” (Later)" in told
    assert "a score of at least 30 in “Right for us”" in told
    assert "timeframe" not in told


@pytest.mark.parametrize("language", ["de", "ar"])
def test_what_a_rule_asks_is_said_in_the_language_of_the_site(office, ann, language):
    speaks = site(send="each").replace("  alerts", f"  locale: {language}\n  alerts")
    letter = asks_everything(office, ann, speaks)

    assert "W2: " in plain(letter)
    assert "W2: " in page(letter)
    assert left_of_english(plain(letter), language) == []
    assert left_of_english(visible(re.sub("</?bdi>", "", page(letter))), language) == []
