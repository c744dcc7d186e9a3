"""Whom gates show their forms to: people, and machines, by the one rule; a verdict never blocks."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.forms.models import Outcome, Shown, ShownTo
from regportal.forms.rejudging import rejudge_shown
from regportal.privacy.clocks import tidy
from regportal.tracking import judging
from regportal.tracking.judging import RULES
from regportal.tracking.models import Interaction
from regportal.tracking.rejudging import Report, Span
from tests.forms.test_headless import Page
from tests.portal import FIREFOX, SITE
from tests.tracking.test_rejudging import newer_rules  # noqa: F401 - a fixture
from tests.tracking.test_the_collector import CRAWLER

PERSON = ("person", None)
GOOGLE = ("machine", "a crawler: Googlebot/")
AHEAD = ("machine", "fetched ahead of anybody: prefetch")
STAFF = SITE.replace("origins:", "ignore: {networks: [127.0.0.0/8]}\n  origins:")


def kept(portal, model=Shown):
    """Return what is kept, the oldest first."""
    portal.store.catch_up()
    with portal.store.read() as session:
        return session.scalars(sa.select(model).order_by(model.id)).all()


def verdicts(portal):
    """Return to whom each form was shown, and what became of it."""
    return [((one.judged.value, one.judged_because), one.outcome) for one in kept(portal)]


def again(portal, *, dry=False):
    """Judge all of it anew; return what became of it."""
    portal.store.catch_up()
    report = Report()
    rejudge_shown(portal.store, Span(), report, lambda _: None, dry=dry)
    return report


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({"User-Agent": FIREFOX}, PERSON),
        ({"User-Agent": CRAWLER}, GOOGLE),
        ({"User-Agent": "python-requests/2.33"}, ("machine", "a crawler: python-requests")),
        (
            {"User-Agent": "OurOwnFetcher (httpclient)"},
            ("machine", "calls itself a program: Fetcher"),
        ),
        ({"User-Agent": ""}, ("machine", "gives itself no name")),
        ({"Sec-Purpose": "prefetch;prerender"}, AHEAD),
        ({"X-Moz": "prefetch"}, AHEAD),
    ],
)
def test_each_form_that_is_shown_is_judged_by_how_it_was_asked_for(portal, headers, verdict):
    page = portal.browser(**headers).gate("guide")

    assert page.asks_email
    assert verdicts(portal) == [(verdict, None)]
    assert kept(portal)[0].judged_by == RULES


def test_a_head_shows_nothing(portal):
    portal.app.test_client().head("/g/guide")

    assert kept(portal) == kept(portal, ShownTo) == []


def test_whoever_is_judged_wrongly_gets_his_file_all_the_same(portal):
    """His browser has an odd name: what he was shown is not counted, what he sends is."""
    odd = portal.browser(**{"User-Agent": CRAWLER})
    page = odd.claim("ann@widgetworks.example")
    portal.work()
    proven = odd.prove(portal)
    portal.work()

    assert page.status == proven.status == 303
    assert odd.get(odd.get("/g/guide/done").download).status == 200
    assert verdicts(portal)[0] == (GOOGLE, Outcome.ANSWERED)
    assert [one.judged.value for one in kept(portal, Interaction)] == ["person"]


def test_who_sends_a_form_that_was_fetched_ahead_has_seen_it(portal):
    ann = portal.browser()
    page = ann.gate("guide", **{"Sec-Purpose": "prefetch"})
    before = verdicts(portal)
    ann.send("guide", page, email="ann@widgetworks.example")

    assert before == [(AHEAD, None)]
    assert verdicts(portal) == [(PERSON, Outcome.ANSWERED)]
    assert again(portal).changed == {}


def test_a_form_that_betrays_who_sent_it_was_shown_to_a_machine(portal):
    portal.browser().claim("bot@initech.example", website="https://spam.example")
    before = verdicts(portal)
    again(portal)

    assert before == verdicts(portal) == [(("machine", "honeypot"), Outcome.ANSWERED)]
    assert kept(portal, ShownTo) == []


def test_own_staff_are_shown_forms_uncounted(portal):
    portal.publish(STAFF)
    portal.browser().gate("guide")
    again(portal)

    assert verdicts(portal) == [(("machine", "own staff"), None)]


@pytest.mark.parametrize(
    ("agent", "verdict", "name"),
    [
        (FIREFOX, PERSON, FIREFOX),
        (CRAWLER, GOOGLE, CRAWLER),  # handed on by a server, or by a page it runs
        ("python-requests/2.33", PERSON, None),
        ("AcmeShop/4.1 (+https://www.acme.example)", PERSON, None),
        ("", PERSON, None),
    ],
)
def test_a_server_that_asks_for_its_visitor_is_not_judged_by_its_own_name(
    portal, agent, verdict, name
):
    asked = Page(portal, **{"User-Agent": agent}).ask()

    assert asked.status_code == 200
    assert verdicts(portal) == [(verdict, None)]
    assert [one.agent for one in kept(portal, ShownTo)] == [name]
    assert again(portal).changed == {}


def test_newer_rules_judge_what_was_shown_before(portal, newer_rules):  # noqa: F811 - the fixture
    portal.browser(**{"User-Agent": f"{FIREFOX} Gadget/1.0"}).gate("guide")
    portal.browser(**{"User-Agent": CRAWLER}).gate("guide")
    newer_rules("Gadget")
    dry, nothing_yet = again(portal, dry=True), verdicts(portal)[0][0]
    report = again(portal)

    assert nothing_yet == PERSON
    assert (
        dry.changed
        == report.changed
        == {(judging.Judged.MACHINE, "calls itself a program: Gadget"): 1}
    )
    assert report.judged == 2
    assert [one for one, _ in verdicts(portal)] == [
        ("machine", "calls itself a program: Gadget"),
        GOOGLE,
    ]
    assert again(portal).changed == {}


def test_the_names_of_browsers_go_with_the_networks(portal):
    portal.browser().gate("guide")
    left = []
    for days in (29, 31):
        now = datetime.now(UTC) + timedelta(days=days)
        tidy(portal.store, portal.shelf, pepper=portal.settings.pepper_text, now=now)
        left.append((len(kept(portal)), len(kept(portal, ShownTo))))

    assert left == [(1, 1), (1, 0)]
