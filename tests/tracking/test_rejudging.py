"""Judging again by newer rules: from what is still kept of each call, and never against a hand."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.privacy.clocks import tidy
from regportal.store.documents import Shelf, Site
from regportal.tracking import judging, rejudging
from regportal.tracking.actions import seen
from regportal.tracking.judging import RULES
from regportal.tracking.models import BY_HAND, Interaction, Judged, LogEntry, Verdict
from regportal.tracking.rejudging import Report, Span, judge_by_hand, rejudge
from tests.portal import SITE
from tests.tracking.test_the_collector import (
    CRAWLER,
    ann,  # noqa: F401 - a fixture
    event,
    followed,  # noqa: F401 - a fixture
    kept,
    tell,
)

NEW = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Gadget/1.0 Safari/537.36"
"""Of which newer rules will say that it is a machine's."""


def again(portal, *, dry=False, span=None):
    """Judge everything again; return what became of it."""
    report, now = Report(), datetime.now(UTC)
    rejudge(portal.store, site(portal), span or Span(), report, lambda _: None, dry=dry, now=now)
    return report


def site(portal):
    with portal.store.read() as session:
        return Site.of(Shelf().published(session))


def now_known(portal, id):
    with portal.store.read() as session:
        one = seen(session, id)
    return one.judged, one.judged_because, one.judged_by


@pytest.fixture
def newer_rules(monkeypatch):
    """Rules that know one program more; our own code, as the next release would have it."""

    def knowing(word):
        monkeypatch.setattr(judging, "GENERIC", judging.re.compile(word))
        judging.crawler_of.cache_clear()

    yield knowing
    judging.crawler_of.cache_clear()


def test_newer_rules_judge_what_was_told_before(portal, followed, newer_rules):  # noqa: F811 - the fixture
    tell(followed, event(), headers={"User-Agent": NEW})
    tell(followed, event(), headers={"User-Agent": CRAWLER})
    portal.work()
    done, crawled = kept(portal)
    newer_rules("Gadget")
    dry = again(portal, dry=True)
    nothing_yet = now_known(portal, done.id)
    report = again(portal)
    repeated = again(portal)

    reason = "calls itself a program: Gadget"
    assert (done.judged, nothing_yet[0]) == ("person", "person")
    assert dry.changed == report.changed == {(Judged.MACHINE, reason): 1}
    assert (report.judged, report.by_hand, report.cannot) == (2, 0, 0)
    assert now_known(portal, done.id) == (Judged.MACHINE, reason, RULES)
    assert now_known(portal, crawled.id)[0] is Judged.MACHINE
    assert repeated.changed == {}
    assert len(kept(portal, Verdict)) == 1


def test_what_a_hand_said_stays_whatever_rules_say_before_or_after(
    portal,
    followed,  # noqa: F811 - the fixture
    newer_rules,
):
    tell(followed, event(), headers={"User-Agent": NEW})
    portal.work()
    (done,) = kept(portal)
    by_hand = portal.store.write(
        lambda one: judge_by_hand(one, done.id, Judged.PERSON, "I know her", now=datetime.now(UTC))
    )
    newer_rules("Gadget")
    report = again(portal)

    assert by_hand is Judged.PERSON
    assert (report.judged, report.by_hand, report.changed) == (0, 1, {})
    assert now_known(portal, done.id) == (Judged.PERSON, "I know her", BY_HAND)

    # also against one that was written at the same moment, by another process
    def late(session):
        session.add(
            Verdict(
                interaction_id=done.id,
                judged=Judged.MACHINE,
                judged_because="race",
                judged_by=RULES,
                at=datetime.now(UTC) + timedelta(seconds=1),
            )
        )

    portal.store.write(late)

    assert now_known(portal, done.id) == (Judged.PERSON, "I know her", BY_HAND)


def test_the_first_of_a_burst_are_known_for_a_machines_afterwards(portal, followed):  # noqa: F811 - the fixture
    """Told one by one, the first seven are a person's until the eighth comes."""
    for number in range(9):
        tell(followed, event(about=f"/page-{number}"))
    portal.work()
    at_first = [one.judged.value for one in kept(portal)]
    report = again(portal)

    assert at_first.count("person") == 7
    assert sum(report.changed.values()) == 7
    assert {now_known(portal, one.id)[0] for one in kept(portal)} == {Judged.MACHINE}


def test_what_nothing_is_kept_of_cannot_be_judged_and_is_counted(
    portal,
    ann,  # noqa: F811 - the fixture
):
    tell(ann, event())
    portal.work()
    month = datetime.now(UTC) + timedelta(days=31)
    tidy(portal.store, portal.shelf, pepper=portal.settings.pepper_text, now=month)
    report = again(portal)

    assert (report.judged, report.cannot) == (1, 1)  # her download at the gate, and the page
    assert report.changed == {}


def test_a_form_that_a_machine_filled_in_stays_a_machines(portal):
    portal.browser().claim("bot@initech.example", website="https://spam.example")
    portal.work()
    before = [(one.judged, one.judged_because) for one in kept(portal)]
    again(portal)

    assert before == [(Judged.MACHINE, "honeypot")]
    assert [now_known(portal, one.id)[:2] for one in kept(portal)] == before
    assert kept(portal, Verdict) == []


def test_only_what_was_received_in_between_is_judged(portal, followed, newer_rules):  # noqa: F811 - the fixture
    day = datetime.now(UTC).replace(hour=12) - timedelta(days=2)
    for later in range(3):
        with time_machine.travel(day + timedelta(hours=later), tick=False):
            tell(followed, event(), headers={"User-Agent": NEW})
    portal.work()
    newer_rules("Gadget")
    report = again(portal, span=Span(day + timedelta(hours=1), day + timedelta(hours=2)))

    assert report.judged == 1
    assert [now_known(portal, one.id)[0].value for one in kept(portal)] == [
        "person",
        "machine",
        "person",
    ]


def test_each_verdict_is_a_line_of_the_log(portal, followed):  # noqa: F811 - the fixture
    tell(followed, event())
    portal.work()
    (done,) = kept(portal, Interaction)
    now = datetime.now(UTC)
    portal.store.write(lambda one: judge_by_hand(one, done.id, Judged.MACHINE, "mine", now=now))
    with portal.store.read() as session:
        lines = session.scalars(sa.select(LogEntry).where(LogEntry.kind == "verdict")).all()

    assert [line.ref for line in lines] == [done.id]


def test_broken_off_it_keeps_what_was_found_and_goes_on(
    portal,
    followed,  # noqa: F811 - the fixture
    newer_rules,
    monkeypatch,
):
    monkeypatch.setattr(rejudging, "AT_ONCE", 1)
    for number in range(3):
        tell(followed, event(about=f"/{number}"), headers={"User-Agent": NEW})
    portal.work()
    newer_rules("Gadget")
    report = Report()

    def stop(_):
        raise KeyboardInterrupt

    whose, now = site(portal), datetime.now(UTC)
    with pytest.raises(KeyboardInterrupt):
        rejudge(portal.store, whose, Span(), report, stop, dry=False, now=now)
    found = report.changed.total(), report.cannot, len(kept(portal, Verdict))
    rest = again(portal)

    assert found == (1, None, 1)
    assert (rest.changed.total(), rest.judged) == (2, 3)


# --- own staff, as it is named by now ---


def ignoring(whom):
    return SITE.replace("origins:", f"ignore: {{{whom}}}\n  origins:")


def told_and_taken(portal):
    """Who did each thing, as it is known now."""
    with portal.store.read() as session:
        ids = session.scalars(sa.select(Interaction.id)).all()
        found = [seen(session, one) for one in ids]
    return {(one.type, one.judged.value, one.judged_because) for one in found}


def test_a_network_that_is_named_later_is_own_staffs_and_taken_off_the_list_is_not(
    portal,
    followed,  # noqa: F811 - the fixture
):
    tell(followed, event())
    portal.work()
    portal.publish(ignoring("networks: [127.0.0.0/8]"))
    named = again(portal)
    then = told_and_taken(portal)
    portal.publish()
    again(portal)

    assert named.changed == {(Judged.MACHINE, "own staff"): 1}
    assert then == {("page_view", "machine", "own staff")}
    assert {judged for _, judged, _ in told_and_taken(portal)} == {"person"}


def test_of_a_network_only_a_part_of_which_is_named_what_was_seen_at_the_time_stays(
    portal,
    followed,  # noqa: F811 - the fixture
):
    portal.publish(ignoring("networks: [127.0.0.1/32]"))
    tell(followed, event())
    portal.work()
    portal.publish(ignoring("networks: [127.0.0.2/32]"))
    tell(followed, event(about="/later"))
    portal.work()

    assert again(portal).changed == {}
    assert sorted(one.judged.value for one in kept(portal)) == ["machine", "person"]


def test_an_address_that_is_named_later_is_own_staffs_whatever_was_taken_under_it(portal):
    bea = portal.browser()
    bea.claim("bea@acme-staff.example", "guide")
    portal.work()
    bea.prove(portal)
    portal.work()
    portal.publish(ignoring("addresses: ['*@acme-staff.example']"))
    report = again(portal)

    assert report.changed == {(Judged.MACHINE, "own staff"): 1}
    assert ("download", "machine", "own staff") in told_and_taken(portal)
