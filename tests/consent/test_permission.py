"""Who may be written to is what the person said last; nobody and nothing else widens it."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import get_args

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regportal.consent.actions import (
    change_consent,
    end_pause,
    pauses_over,
    run_out,
    states_of,
    subject_of_contact,
    undo,
)
from regportal.consent.lines import Evidence, Said, append
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.consent.permission import may_mail
from regportal.consent.rules import PROOF
from regportal.consent.schema import Basis, Newsletter
from regportal.identity.actions import contact_from_crm
from regportal.identity.models import Contact
from regportal.identity.people import contacts_of, join, split
from regportal.store.ids import uuid7
from regportal.store.schema import Site
from tests.papers import papers

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SITE = Site(name="Acme", controller="Acme Ltd", privacy_notice="https://www.acme.example/privacy")
SHORT = SITE.model_copy(update={"valid_for": "30d"})
LETTER = Newsletter(key="prices", title="Prices", wording="Send me price alerts.")
LATER = timedelta(hours=1)


class Ledger:
    """One person with two addresses, and everything that may happen to what she allows."""

    def __init__(self, store, number=0):
        self.store, self.now, self.site, self.letter = store, NOON, SITE, LETTER
        self.ids = [
            store.write(lambda session, at=at: self.arrives(session, at, number))
            for at in ("home", "work")
        ]

    def arrives(self, session, at, number):
        contact = contact_from_crm(session, f"ann{number}@{at}.example", now=NOON)
        session.flush()
        return contact.id

    def says(self, which, state, method="preference page", **terms):
        """Write a line; return whether it was taken."""
        self.now += LATER

        def work(session):
            contact = self.contact(session, which)
            terms.setdefault("evidence", Evidence(contact.email))
            return change_consent(
                session,
                self.published,
                contact,
                "prices",
                ConsentState(state),
                method,
                now=self.now,
                **terms,
            )

        return self.store.write(work)

    def writes_down_what_ended(self):
        """Do what the worker does with pauses that are over; return the lines."""

        def work(session):
            over = pauses_over(session, now=self.now, limit=99)
            return [end_pause(session, self.published, line, now=self.now) for line in over]

        return self.store.write(work)

    @property
    def published(self):
        return papers(self.site, self.letter)

    def contact(self, session, which):
        return session.get_one(Contact, self.ids[which])

    def allows(self, which=0, at=None):
        with self.store.read() as session:
            return may_mail(session, self.contact(session, which), "prices", at=at or self.now)

    def join(self):
        def work(session):
            pair = self.contact(session, 0), self.contact(session, 1)
            join(session, *pair, because="same name", by="administrator", now=self.now)

        self.store.write(work)

    def split(self):
        self.store.write(
            lambda session: split(
                session, self.contact(session, 1), because="no", by="administrator", now=self.now
            )
        )

    def joined(self):
        with self.store.read() as session:
            return len(contacts_of(session, self.contact(session, 0).person_id)) > 1

    def line(self, which):
        with self.store.read() as session:
            return states_of(session, subject_of_contact(self.ids[which])).get("prices")


@pytest.fixture
def ledger(store):
    return Ledger(store)


def test_nothing_is_allowed_that_was_not_asked_for(ledger):
    assert (ledger.allows().allowed, ledger.allows().state) == (False, None)


@pytest.mark.parametrize("method", ["crm", "admin", "import", "mailer", "unsubscribe page", "time"])
@pytest.mark.parametrize("before", [None, "pending", "withdrawn"])
def test_nobody_but_the_owner_of_the_mailbox_says_yes(ledger, method, before):
    if before:
        ledger.says(0, before)

    with pytest.raises(ValueError, match="cannot make a consent confirmed"):
        ledger.says(0, "confirmed", method)
    assert not ledger.allows().allowed


def test_a_request_runs_out_by_itself_after_a_week(ledger):
    ledger.says(0, "pending")

    assert ledger.allows(at=ledger.now + timedelta(days=6)).state == "pending"
    assert ledger.allows(at=ledger.now + timedelta(days=7)).state == "expired"


def test_a_pause_ends_by_itself_and_what_held_before_holds_again(ledger):
    ledger.says(0, "confirmed")
    ledger.says(0, "paused", until=NOON + timedelta(days=30))

    assert ledger.allows(at=NOON + timedelta(days=29)).allowed is False
    after = ledger.allows(at=NOON + timedelta(days=30))
    assert (after.allowed, after.state, after.since) == (
        True,
        "confirmed",
        NOON + timedelta(days=30),
    )


def test_the_end_of_a_pause_is_written_down_once_and_is_nobodys_yes(ledger):
    ledger.says(0, "confirmed", rhythm="weekly")
    ledger.says(0, "paused", until=NOON + timedelta(days=30), rhythm="monthly")
    early = ledger.writes_down_what_ended()
    ledger.now = NOON + timedelta(days=30)
    (line,), again = ledger.writes_down_what_ended(), ledger.writes_down_what_ended()

    assert (early, again) == ([], [])
    assert (line.state, line.method, line.entity) == ("confirmed", "time", "time")
    assert (line.event_type, line.rhythm, line.until) == ("resumption", "monthly", None)
    assert ledger.allows().allowed


def test_the_end_of_a_pause_does_not_make_a_yes_hold_longer(ledger):
    ledger.site = SHORT
    ledger.says(0, "confirmed")
    ends = ledger.line(0).valid_until
    ledger.says(0, "paused", until=NOON + timedelta(days=20))
    ledger.now = NOON + timedelta(days=25)
    (line,) = ledger.writes_down_what_ended()

    assert line.valid_until == ends
    assert ledger.allows(at=ends).state == "expired"


def test_the_end_of_a_pause_does_not_outweigh_a_stop_at_another_address(ledger):
    ledger.says(0, "confirmed")
    ledger.says(1, "confirmed")
    ledger.join()
    ledger.says(0, "paused", until=NOON + timedelta(days=30))
    ledger.says(1, "withdrawn", "one-click")
    ledger.now = NOON + timedelta(days=31)
    ledger.writes_down_what_ended()

    assert not ledger.allows(0).allowed


def test_a_permission_that_ended_while_it_slept_does_not_wake_up(ledger):
    ledger.site = SHORT
    ledger.says(0, "confirmed")
    ledger.says(0, "paused", until=NOON + timedelta(days=20))
    ledger.now = NOON + timedelta(days=40)

    assert ledger.writes_down_what_ended() == []
    assert ledger.allows().state == "expired"


def test_a_stop_in_a_pause_is_the_last_word(ledger):
    ledger.says(0, "confirmed")
    ledger.says(0, "paused", until=NOON + timedelta(days=30))
    ledger.says(0, "withdrawn", "one-click")
    ledger.now = NOON + timedelta(days=31)

    assert ledger.writes_down_what_ended() == []
    assert ledger.allows().state == "withdrawn"


def test_a_pause_after_an_import_ends_as_an_import(ledger):
    ledger.says(0, "imported", "import", evidence_file="0" * 64)
    ledger.says(0, "paused", "unsubscribe page", until=NOON + timedelta(days=30))

    assert ledger.allows(at=NOON + timedelta(days=31)).state == "imported"


def test_a_yes_may_have_an_end(ledger):
    ledger.site = SHORT
    ledger.says(0, "confirmed")
    ledger.site = SITE

    assert ledger.allows(at=NOON + timedelta(days=30)).allowed
    assert ledger.allows(at=NOON + timedelta(days=31)).state == "expired"
    with ledger.store.read() as session:
        assert len(run_out(session, now=NOON + timedelta(days=31), limit=10)) == 1


def test_neither_a_pause_nor_a_rhythm_makes_a_yes_hold_longer(ledger):
    ledger.site = SHORT
    ledger.says(0, "confirmed", rhythm="weekly")
    ends = ledger.line(0).valid_until
    ledger.now += timedelta(days=20)
    ledger.says(0, "paused", "unsubscribe page")
    ledger.says(0, "confirmed", "preference page", rhythm="monthly")

    assert ledger.line(0).valid_until == ends


def test_less_often_stays_chosen_over_a_pause(ledger):
    ledger.says(0, "confirmed")
    ledger.says(0, "confirmed", rhythm="monthly")
    ledger.says(0, "paused")
    ledger.says(0, "confirmed")

    assert ledger.line(0).rhythm == "monthly"
    assert ledger.says(0, "confirmed", rhythm="monthly") is None
    assert ledger.says(0, "confirmed", rhythm="usual").rhythm is None


def test_a_stop_at_one_address_is_one_at_the_other(ledger):
    ledger.says(0, "confirmed")
    ledger.says(1, "confirmed")
    ledger.join()
    ledger.says(1, "withdrawn", "one-click")

    assert not ledger.allows(0).allowed
    assert ledger.allows(0).state == "confirmed"
    ledger.says(0, "paused", until=ledger.now + timedelta(days=1))
    ledger.says(0, "confirmed")
    assert ledger.allows(0).allowed


def test_a_complaint_at_one_address_is_one_at_the_other_and_a_bounce_is_not(ledger):
    ledger.says(0, "confirmed")
    ledger.says(1, "confirmed")
    ledger.join()
    ledger.says(1, "suppressed", "bounce")
    after_the_bounce = ledger.allows(0).allowed
    ledger.split()

    other = Ledger(ledger.store, 1)
    other.says(0, "confirmed")
    other.says(1, "confirmed")
    other.join()
    other.says(1, "suppressed", "complaint")

    assert after_the_bounce
    assert not other.allows(0).allowed


def test_an_import_does_not_outweigh_a_stop_at_another_address(ledger):
    ledger.says(1, "confirmed")
    ledger.says(1, "withdrawn", "one-click")
    ledger.join()
    ledger.says(0, "imported", "import", evidence_file="0" * 64)

    assert not ledger.allows(0).allowed


def test_joining_never_widens(ledger):
    ledger.says(0, "confirmed")
    ledger.join()

    assert not ledger.allows(1).allowed


def test_asking_about_the_past_tells_what_held_then(ledger):
    ledger.says(0, "confirmed")
    then = ledger.now
    ledger.says(0, "withdrawn")

    assert ledger.allows(at=then).allowed
    assert not ledger.allows().allowed
    assert not ledger.allows(at=then - LATER * 2).allowed


def test_undo_restores_what_was_and_nothing_more(ledger):
    ledger.site = SHORT
    ledger.says(0, "confirmed", rhythm="monthly")
    was = ledger.line(0)
    line = ledger.says(0, "withdrawn", "unsubscribe page")
    ledger.site = SITE

    def back(session):
        return undo(session, papers(SITE), line, evidence=Evidence("ann"), now=ledger.now)

    kept = ledger.store.write(back)
    again = ledger.store.write(back)

    assert (kept.state, kept.rhythm, kept.valid_until) == ("confirmed", "monthly", was.valid_until)
    assert again is None


def test_a_request_that_was_stopped_is_not_undone_into_a_yes(ledger):
    ledger.says(0, "pending")
    line = ledger.says(0, "withdrawn", "unsubscribe page")
    kept = ledger.store.write(
        lambda session: undo(session, papers(SITE), line, evidence=Evidence("ann"), now=ledger.now)
    )

    assert kept is None


BASES = get_args(Basis)
OWNER = st.tuples(
    st.sampled_from(["confirmed", "withdrawn", "paused", "pending"]),
    st.sampled_from(sorted(PROOF)),
)
OTHERS = st.tuples(
    st.sampled_from([state.value for state in ConsentState if state != ConsentState.ERASED]),
    st.sampled_from(
        ["crm", "admin", "import", "bounce", "complaint", "mailer", "time", "one-click"]
    ),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("owner"), st.integers(0, 1), OWNER),
        st.tuples(st.just("others"), st.integers(0, 1), OTHERS),
        st.tuples(st.just("link"), st.integers(0, 1), st.sampled_from(["stop", "pause", "undo"])),
        st.tuples(st.just("people"), st.just(0), st.sampled_from(["join", "split"])),
        st.tuples(st.just("stranger"), st.integers(0, 1), st.just("asks")),
        st.tuples(st.just("settings"), st.just(0), st.sampled_from(["90d", None])),
        st.tuples(st.just("basis"), st.just(0), st.sampled_from(BASES)),
        st.tuples(st.just("time"), st.just(0), st.integers(1, 40)),
    ),
    min_size=4,
    max_size=25,
)


class Model:
    """What the person said of each address: the last word, and whether it was hers."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.said: list[str | None] = [None, None]
        self.lines: list[object] = [None, None]

    def step(self, who, which, what):
        getattr(self, who)(which, what)
        self.ledger.now += LATER
        for address in (0, 1):
            if self.ledger.allows(address).allowed:
                assert self.said[address] in {"yes", "pause", "imported"}, (who, which, what)

    def owner(self, which, what):
        state, method = what
        if state == "pending" and method not in {"gate", "preference page"}:
            return
        if self.ledger.says(which, state, method, until=self.ledger.now + timedelta(days=9)):
            words = {"confirmed": "yes", "withdrawn": "no", "paused": "pause", "pending": "asked"}
            self.said[which] = words[state]

    def others(self, which, what):
        state, method = what
        before = self.ledger.line(which)
        stated = before.state.value if before else None
        try:
            line = self.ledger.says(which, state, method, evidence_file="0" * 64)
        except ValueError:
            return
        if line is None:
            return
        if state == "imported" and stated is None:
            assert method == "import"
            self.said[which] = "imported"
        elif state in {"withdrawn", "suppressed", "refused", "expired"}:
            self.said[which] = "no"

    def link(self, which, what):
        if what == "undo":
            self.take_back(which)
            return
        before = self.said[which]
        state = "withdrawn" if what == "stop" else "paused"
        line = self.ledger.says(
            which, state, "unsubscribe page", until=self.ledger.now + timedelta(days=9)
        )
        if line is not None:
            self.lines[which] = (line, before)
            self.said[which] = "no" if what == "stop" else "pause"

    def take_back(self, which):
        if self.lines[which] is None:
            return
        line, before = self.lines[which]
        kept = self.ledger.store.write(
            lambda session: undo(
                session,
                self.ledger.published,
                line,
                evidence=Evidence("ann"),
                now=line.at + timedelta(minutes=1),
            )
        )
        if kept is not None:
            self.said[which] = before

    def people(self, which, what):
        joined = self.ledger.joined()
        if what == "join" and not joined:
            self.ledger.join()
        elif what == "split" and joined:
            self.ledger.split()

    def stranger(self, which, what):
        said = Said(
            subject=f"claim:{which}",
            newsletter="prices",
            state=ConsentState.PENDING,
            method="gate",
            wording="Send me price alerts.",
            locale="en",
            evidence=Evidence("ann"),
        )
        self.ledger.store.write(
            lambda session: append(session, self.ledger.published, said, now=self.ledger.now)
        )

    def settings(self, which, what):
        self.ledger.site = SITE.model_copy(update={"valid_for": what})

    def basis(self, which, what):
        before = [self.ledger.allows(address) for address in (0, 1)]
        self.ledger.letter = LETTER.model_copy(update={"basis": what})
        assert [self.ledger.allows(address) for address in (0, 1)] == before

    def time(self, which, what):
        self.ledger.now += timedelta(days=what)
        before = [self.ledger.allows(address).allowed for address in (0, 1)]
        self.ledger.writes_down_what_ended()
        assert [self.ledger.allows(address).allowed for address in (0, 1)] == before


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_nothing_is_allowed_beyond_what_she_said_last(store, steps):
    model = Model(Ledger(store, uuid7().hex))
    for who, which, what in steps:
        model.step(who, which, what)


def bases(store):
    with store.read() as session:
        lines = sa.select(ConsentEvent.lawful_basis).order_by(ConsentEvent.number)
        return session.scalars(lines).all()


def test_a_line_has_the_basis_its_newsletter_had_when_it_was_written(ledger):
    ledger.says(0, "confirmed")
    ledger.letter = LETTER.model_copy(update={"basis": "contract"})
    ledger.says(0, "paused", until=NOON + timedelta(days=30))
    ledger.letter = LETTER
    ledger.says(0, "withdrawn")

    assert bases(ledger.store) == ["consent", "contract", "consent"]


def test_what_ends_by_time_or_is_taken_back_has_the_basis_of_now(ledger):
    ledger.says(0, "confirmed")
    ledger.letter = LETTER.model_copy(update={"basis": "legitimate-interest"})
    stopped = ledger.says(0, "withdrawn", "unsubscribe page")
    take_back = partial(undo, line=stopped, evidence=Evidence("ann"), now=ledger.now)
    ledger.store.write(lambda session: take_back(session, ledger.published))
    ledger.says(0, "paused", until=ledger.now + timedelta(days=1))
    ledger.now += timedelta(days=1)
    ledger.writes_down_what_ended()

    assert bases(ledger.store) == ["consent", *["legitimate-interest"] * 4]
    assert ledger.allows().allowed


def test_an_archived_newsletter_keeps_the_basis_it_had_last(ledger):
    ledger.letter = LETTER.model_copy(update={"basis": "contract"})
    ledger.says(0, "confirmed")
    ledger.letter = LETTER.model_copy(update={"key": "another"})
    ledger.says(0, "withdrawn")

    assert bases(ledger.store) == ["contract", "contract"]


@pytest.mark.parametrize("basis", BASES)
def test_no_basis_is_a_permission(ledger, basis):
    ledger.letter = LETTER.model_copy(update={"basis": basis})

    assert not ledger.allows().allowed
    with pytest.raises(ValueError, match="cannot make a consent confirmed"):
        ledger.says(0, "confirmed", "crm")
    ledger.says(0, "pending")
    assert not ledger.allows().allowed


class Twins:
    """Two people to whom the same happens, and of whom one's newsletter changes its basis."""

    def __init__(self, store):
        self.ledgers = [Ledger(store, uuid7().hex) for _ in range(2)]
        self.models = [Model(ledger) for ledger in self.ledgers]

    def step(self, who, which, what):
        if who == "basis":
            self.models[1].step(who, which, what)
            self.ledgers[0].now = self.ledgers[1].now
            return
        for model in self.models:
            model.step(who, which, what)

    def allows(self, which):
        return [
            (one.allowed, one.state, one.since, one.because, one.rhythm)
            for one in (ledger.allows(which) for ledger in self.ledgers)
        ]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_a_change_of_basis_neither_widens_nor_narrows(store, steps):
    twins = Twins(store)
    for who, which, what in steps:
        twins.step(who, which, what)
        for address in (0, 1):
            plain, changed = twins.allows(address)
            assert plain == changed
