"""Own staff may try a gate to its end; it never counts, and nobody is told (``site.ignore``)."""

import pytest
import sqlalchemy as sa

from regportal.forms.fields import HONEYPOT
from regportal.identity.actions import find_contact
from regportal.identity.models import Claim
from regportal.tracking.models import Interaction
from tests.portal import SITE

BEA = "bea@acme-staff.example"
BY_ADDRESS = "ignore: {addresses: ['*@acme-staff.example']}"
BY_NETWORK = "ignore: {networks: [127.0.0.0/8]}"


def ignoring(whom):
    return SITE.replace("origins:", f"{whom}\n  origins:")


@pytest.fixture(params=[BY_ADDRESS, BY_NETWORK], ids=["by address", "by network"])
def staffed(portal, request):
    portal.publish(ignoring(request.param))
    return portal


def judged(portal):
    with portal.store.read() as session:
        found = session.scalars(sa.select(Interaction)).all()
    return {(one.judged.value, one.judged_because) for one in found}


@pytest.mark.parametrize("gate", ["prices", "guide"])
def test_staff_go_all_the_way_and_nobody_hears_of_it(staffed, gate):
    bea = staffed.browser()
    asked = {"n_prices" if gate == "prices" else "n_news": "yes"}
    bea.claim(BEA, gate, **asked)
    staffed.work()
    assert [mail["To"] for mail in staffed.mails()] == [BEA]
    bea.prove(staffed)
    staffed.work()
    assert bea.get(f"/g/{gate}/done").download
    bea.send("study", q_country="DE")
    staffed.work()

    assert judged(staffed) == {("machine", "own staff")}
    assert staffed.told == []


def test_staff_can_stop_what_they_tried(staffed):
    bea = staffed.browser()
    bea.claim(BEA, n_news="yes")
    staffed.work()
    bea.prove(staffed)
    staffed.work()
    own = bea.get("/me")
    bea.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": "stop"})
    staffed.work()

    assert staffed.told == []


def test_staff_can_say_that_it_was_not_them(staffed):
    bea = staffed.browser()
    bea.claim(BEA, n_news="yes")
    staffed.work()
    answer = bea.post(staffed.link(), {"choice": "deny"})
    staffed.work()

    assert answer.status == 303
    assert staffed.told == []


def test_whoever_tried_at_work_and_comes_from_home_is_told_of_as_new(portal):
    portal.publish(ignoring(BY_NETWORK))
    for _ in range(2):
        bea = portal.browser()
        bea.claim(BEA)
        portal.work()
        bea.prove(portal)
        portal.work()
        portal.publish(SITE)

    assert [one["contact"]["email"] for one in portal.news("contact.identified")] == [BEA]
    assert judged(portal) == {("machine", "own staff"), ("person", None)}


def test_whom_the_crm_knew_before_is_told_of_as_ever(portal):
    portal.publish(ignoring(BY_ADDRESS))
    portal.hook("opportunity.upserted", {"external_id": "006A", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "006A", "email": BEA, "role": "Buyer"})
    portal.work()
    bea = portal.browser()
    bea.claim(BEA, n_news="yes")
    portal.work()
    bea.prove(portal)
    portal.work()

    assert [one["state"] for one in portal.news("consent.changed")] == ["confirmed"]


def test_a_machine_is_no_staff_and_gets_no_mail(staffed):
    robot = staffed.browser()
    robot.claim(BEA, "prices", **{HONEYPOT: "https://spam.example"})
    staffed.work()

    assert staffed.mails() == []
    with staffed.store.read() as session:
        assert session.scalars(sa.select(Claim)).one().own_staff is False
        assert find_contact(session, BEA) is None
