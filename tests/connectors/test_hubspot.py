"""What is HubSpot's own: its batches, its addresses, its subscriptions and its calls."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from regportal.connectors.base import InboundRequest, Vocabulary
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Egress
from regportal.connectors.hubspot.asking import LEFT
from regportal.connectors.hubspot.hooks import signature
from regportal.connectors.hubspot.judging import midnight_after
from regportal.connectors.rules import Outcome
from regportal.sandbox.hubspot import CLIENT_SECRET, PORTAL, refusing
from tests.connectors.changes import MINUTE, Outbox, of_type
from tests.connectors.worlds.hubspot import NEWSLETTER, SECRETS, VOCABULARY, connected, hubspot

ANN, BOB = "ann@acme.example", "bob@acme.example"
DONE, NOOP, LATER, RETRY = Outcome.DONE, Outcome.NOOP, Outcome.LATER, Outcome.RETRY
HOOK = "https://regportal.acme.example/hooks/crm"


@pytest.fixture
def account():
    with hubspot() as world:
        yield world


@pytest.fixture
def outbox(account):
    return Outbox(account.connector(), now=datetime.now(UTC))


def outcomes(results):
    return [one.outcome for one in results]


# --- batches ---


def test_a_hundred_contacts_are_three_calls(account, outbox):
    people = [(str(uuid.uuid4()), f"visitor-{number}@acme.example") for number in range(100)]
    outbox.deliver(outbox.knows(*people[0]))  # fields are known from now on
    before = account.calls()
    changes = [outbox.knows(key, email, country="DE") for key, email in people[1:]]
    assert set(outcomes(outbox.deliver(*changes))) == {DONE}
    assert account.calls() - before == 3
    assert len(account.fake.portal.all("contacts")) == 100


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
def test_who_is_refused_is_so_alone_whatever_the_status_says(account, version):
    outbox = Outbox(account.connector(version=version))
    values = ["DE", "refused", "FR", "refused"]
    changes = [
        outbox.knows(str(uuid.uuid4()), f"v{number}@acme.example", country=value)
        for number, value in enumerate(values)
    ]
    results = outbox.deliver(*changes)
    assert outcomes(results) == [DONE, Outcome.REJECTED, DONE, Outcome.REJECTED]
    assert results[1].says == "HubSpot refuses what country was to hold (PROPERTY_VALIDATION_RULE)"


def test_an_answer_without_results_and_errors_is_no_success(account, outbox, key):
    account.fake.account.silent = 1
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert result.outcome is Outcome.REJECTED
    assert "nothing" in result.says
    assert account.people(ANN) == []


# --- whose address it is ---


def test_a_second_address_of_somebody_leads_to_him(account, outbox, key):
    there = account.person(BOB)
    account.fake.portal.stamp(
        account.fake.portal.find("contacts", there), {"hs_additional_emails": ANN}
    )
    change = outbox.knows(key, ANN, country="DE")
    assert outcomes(outbox.deliver(change)) == [LATER]
    assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]
    assert outbox.links[f"contact:{key}"].ref == there
    assert account.field(there, "country") == "DE"
    assert len(account.fake.portal.all("contacts")) == 1


def test_two_that_were_merged_there_are_told_of_and_both_written_into_the_one(account, outbox):
    ann, bob = str(uuid.uuid4()), str(uuid.uuid4())
    outbox.deliver(outbox.knows(ann, ANN), outbox.knows(bob, BOB))
    _, cursor = account.connector().changes(None, 50)
    (kept,), (joined,) = account.people(ANN), account.people(BOB)
    account.fake.merge(kept, joined)
    news, _ = account.connector().changes(cursor, 50)
    assert of_type(news, "contact.merged") == [{"email": BOB, "into": ann}]
    change = outbox.knows(bob, BOB, "contact.updated", country="FR")
    if outcomes(outbox.deliver(change)) != [DONE]:
        assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]
    assert account.field(kept, "country") == "FR"
    assert len(account.fake.portal.all("contacts")) == 1


# --- being let in ---


def test_a_gateways_refusal_is_not_hubspots(account, outbox, key):
    account.sandbox.luck.befall(["401"])
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert result.outcome is RETRY
    account.fake.end_token()
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert (result.outcome, result.says) == (Outcome.AUTH, "HubSpot does not know our key")


@pytest.mark.parametrize(
    ("limit", "value", "wait"),
    [("burst", 0, timedelta(seconds=10)), ("daily", 0, timedelta(days=1))],
)
def test_too_many_calls_are_waited_for_as_long_as_the_limit_lasts(
    account, outbox, key, limit, value, wait
):
    setattr(account.fake.account.limits, limit, value)
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert result.outcome is Outcome.THROTTLED
    assert timedelta(0) < result.retry_at - datetime.now(UTC) <= wait


def test_the_limit_of_a_day_ends_at_midnight_over_there():
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert midnight_after(noon, ZoneInfo("America/New_York")).isoformat() == (
        "2026-03-05T05:00:00+00:00"
    )


def test_what_hubspot_says_of_a_days_calls_is_kept(account, key):
    egress = Egress([ip_network("127.0.0.0/8")])
    connector = connected(account.sandbox.url, egress=egress)
    connector.check(VOCABULARY)
    reading = egress.meter.read()
    connector.close()
    used = 650_000 - int(account.fake.account.limits.headers()[LEFT])
    assert (reading.said.used, reading.said.most) == (used, 650_000)
    assert 0 < reading.calls <= used


def test_what_hubspot_says_of_a_days_calls_is_kept_where_it_refuses(account, key):
    account.fake.account.limits.burst = 0
    egress = Egress([ip_network("127.0.0.0/8")])
    outbox = Outbox(connected(account.sandbox.url, egress=egress))
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    outbox.connector.close()
    assert result.outcome is Outcome.THROTTLED
    assert egress.meter.read().said.most == 650_000


def test_the_check_names_the_scope_that_is_missing_and_the_version_nobody_tried(account):
    account.fake.account.missing.add("crm.objects.deals.read")
    says = {one.says for one in account.connector().check(VOCABULARY) if not one.fine}
    assert says == {"our key for HubSpot lacks crm.objects.deals.read"}
    (finding,) = account.connector(version="2031-03").check(VOCABULARY)
    assert "never tried" in finding.says


@pytest.mark.parametrize(
    ("secrets", "path", "says"),
    [
        ({"env:KEY": "another", "env:APP": CLIENT_SECRET}, "", "HubSpot does not know our key"),
        (SECRETS, "/v7", "HubSpot has nothing here: are the version and `url` right?"),
        (SECRETS, "/sandbox", "something before the CRM answered 404: is the path of `url` right?"),
    ],
)
def test_what_stops_every_call_is_said_once(account, secrets, path, says):
    connector = connected(f"{account.sandbox.url}{path}", secrets)
    (finding,) = connector.check(VOCABULARY)
    connector.close()
    assert (finding.subject, finding.fine) == ("HubSpot", False)
    assert finding.says.startswith(says)


def test_a_version_that_is_no_more_stops_the_connector(account):
    outbox = Outbox(account.connector(version="2031-03"))
    (result,) = outbox.deliver(outbox.knows(str(uuid.uuid4()), ANN))
    assert result.outcome is Outcome.AUTH
    _, cursor = account.connector().changes(None, 50)
    with pytest.raises(NotTakenError) as raised:
        outbox.connector.changes(cursor, 50)
    assert raised.value.outcome is Outcome.AUTH  # gone: its cursor would be forgotten


def test_without_our_property_nothing_goes_on(account, outbox, key):
    del account.fake.portal.properties["contacts"]["regportal_id"]
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert result.outcome is Outcome.GONE
    assert "by regportal_id: is it there, and unique?" in result.says


def test_an_address_that_hubspot_does_not_look_for_harms_no_other(account, outbox, monkeypatch):
    find = account.fake.portal.find

    def choosy(kind, id, by=None):
        if by == "email" and id.startswith("bob"):
            raise refusing.invalid("not an address")
        return find(kind, id, by)

    monkeypatch.setattr(account.fake.portal, "find", choosy)
    there = account.person(ANN)
    changes = [outbox.knows(str(uuid.uuid4()), one, country="DE") for one in (ANN, BOB)]
    assert outcomes(outbox.deliver(*changes)) == [DONE, DONE]
    assert account.people(ANN) == [there]


def test_the_day_of_a_deal_is_that_of_people_over_there(account):
    connector = account.connector(timezone="Europe/Berlin")
    _, cursor = connector.changes(None, 50)
    deal = account.opportunity(account.person(ANN))
    account.fake.set(deal, "closedate", "2026-12-30T23:30:00Z")
    news, _ = connector.changes(cursor, 50)
    days = {one["close_date"] for one in of_type(news, "opportunity.upserted")}
    assert days == {"2026-12-31"}


def test_properties_are_made_once_and_options_of_people_stay(account):
    there = account.fake.portal.properties["deals"]["buying_phase"]
    there.options["ours"] = "Our own"
    more = Vocabulary({**VOCABULARY.phases, "flying": "Flying"}, VOCABULARY.scores)
    assert all(one.fine for one in account.connector().provision(more, dry_run=False))
    assert {"ours", "flying", "comparison"} <= there.options.keys()
    assert account.fake.portal.properties["notes"]["regportal_event_id"].is_unique


# --- notes ---


def test_a_note_stands_beside_the_contact_and_his_deals(account, outbox, key):
    there = account.person(ANN)
    deal = account.opportunity(there)
    outbox.deliver(outbox.did(key, ANN, deal, "424242"))
    (note,) = account.fake.portal.linked("deals", deal, "notes")
    assert account.fake.portal.linked("contacts", there, "notes") == [note]


def test_whoever_is_forgotten_keeps_what_others_wrote(account, outbox, key):
    outbox.deliver(outbox.did(key, ANN))
    (there,) = account.people(ANN)
    portal = account.fake.portal
    theirs = portal.add("notes", {"hs_note_body": "Called. Friendly."}, "CRM_UI")
    portal.link(theirs, portal.find("contacts", there))
    assert outcomes(outbox.deliver(outbox.forgets(key))) == [DONE]
    assert account.notes(there) == ["Called. Friendly."]
    assert account.field(there, "regportal_id") is None


# --- subscriptions ---


def test_a_subscription_has_its_legal_basis_with_it(account, outbox, key):
    outbox.deliver(outbox.allows(key, ANN, NEWSLETTER, "confirmed"))
    (status,) = account.fake.subscriptions.statuses.values()
    assert (status.state, status.basis) == ("SUBSCRIBED", "CONSENT_WITH_NOTICE")
    assert status.because.startswith("regportal: Prices, once a month (2026-")


def test_a_newsletter_without_a_subscription_type_is_refused(account, outbox, key):
    (result,) = outbox.deliver(outbox.allows(key, ANN, "unheard-of", "confirmed"))
    assert result.outcome is Outcome.REJECTED
    assert "no subscription type 'unheard-of'" in result.says


def test_a_type_may_be_named_by_its_number(account, key):
    number = next(id for id, name in account.fake.subscriptions.types.items() if name == NEWSLETTER)
    outbox = Outbox(account.connector(newsletters={"prices": str(number)}))
    assert outcomes(outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))) == [DONE]
    assert account.wants(None, ANN, NEWSLETTER) is True


def test_who_wants_no_mail_at_all_is_subscribed_to_nothing(account, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    account.fake.opt_out(ANN)
    (result,) = outbox.deliver(outbox.allows(key, ANN, NEWSLETTER, "confirmed"))
    assert result.outcome is Outcome.CONFLICT
    news, _ = account.connector().changes(None, 50)
    assert of_type(news, "consent.withdrawn") == [{"contact": key}]


def test_an_opt_out_is_told_once_and_not_again_when_its_owner_came_back(account, outbox, key):
    outbox.deliver(outbox.allows(key, ANN, NEWSLETTER, "confirmed"))
    account.fake.opt_out(ANN, NEWSLETTER)
    first, _ = account.connector().changes(None, 50)
    assert of_type(first, "consent.withdrawn") == [{"contact": key, "newsletter": NEWSLETTER}]
    account.fake.set(account.people(ANN)[0], "country", "DE")
    again, _ = account.connector().changes(None, 50)
    ids = [[one.id for one in news if "consent" in one.id] for news in (first, again)]
    assert ids[0] == ids[1]
    later = outbox.allows(key, ANN, NEWSLETTER, "confirmed", at=datetime.now(UTC) + 11 * MINUTE)
    assert outcomes(outbox.deliver(later)) == [DONE]
    news, _ = account.connector().changes(None, 50)
    assert of_type(news, "consent.withdrawn") == []


def test_an_opt_out_that_keeps_the_reason_of_our_yes_is_told(account, outbox, key):
    outbox.deliver(outbox.allows(key, ANN, NEWSLETTER, "confirmed"))
    statuses = account.fake.subscriptions.statuses
    ((whose, before),) = statuses.items()
    account.fake.opt_out(ANN, NEWSLETTER)
    statuses[whose] = replace(statuses[whose], because=before.because)
    news, _ = account.connector().changes(None, 50)
    assert of_type(news, "consent.withdrawn") == [{"contact": key, "newsletter": NEWSLETTER}]


def test_of_subscription_types_that_are_none_of_ours_nothing_is_told(account, key):
    number = account.fake.define("Widgets, weekly")
    outbox = Outbox(account.connector(newsletters={"weekly": str(number)}))
    outbox.deliver(outbox.knows(key, ANN))
    account.fake.opt_out(ANN, "Marketing information")
    account.fake.opt_out(ANN, "Widgets, weekly")
    news, _ = outbox.connector.changes(None, 50)
    assert of_type(news, "consent.withdrawn") == [{"contact": key, "newsletter": "weekly"}]


def test_an_answer_that_names_records_by_id_alone_is_understood(account, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = account.people(ANN)
    account.fake.account.traces = False
    many = [outbox.knows(key, ANN, "contact.updated", country="DE")]
    assert outcomes(outbox.deliver(*many)) == [DONE]
    refused = outbox.knows(key, ANN, "contact.updated", country="refused")
    assert outcomes(outbox.deliver(refused)) == [Outcome.REJECTED]
    assert account.field(there, "country") == "DE"
    others = [outbox.knows(str(uuid.uuid4()), f"v{number}@acme.example") for number in range(2)]
    assert outcomes(outbox.deliver(*others)) == [DONE, DONE]


def test_what_we_ended_ourselves_is_no_news(account, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.allows(key, ANN, NEWSLETTER, "withdrawn"))
    assert account.wants(None, ANN, NEWSLETTER) is False
    news, _ = account.connector().changes(None, 50)
    assert of_type(news, "consent.withdrawn") == []


# --- what happened ---


def test_a_deal_is_told_with_its_stage_its_owner_its_company_and_its_people(account, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = account.people(ANN)
    stranger = account.person(BOB)
    deal = account.fake.deal("500 widgets", f"{there},{stranger}", amount="12000.50")
    portal = account.fake.portal
    firm = portal.add("companies", {"name": "Initech", "domain": "initech.example"}, "CRM_UI")
    portal.link(firm, portal.find("deals", deal))
    account.win(deal)
    news, _ = account.connector().changes(None, 50)
    (facts,) = of_type(news, "opportunity.upserted")
    assert facts == {
        "external_id": deal,
        "name": "500 widgets",
        "stage": "Closed won",
        "probability": 100.0,
        "amount": "12000.50",
        "currency": "EUR",
        "close_date": datetime.now(UTC).date().isoformat(),
        "is_closed": True,
        "is_won": True,
        "owner": {"name": "Bo Lind", "email": "bo@sales.example"},
        "account": {"external_id": firm.id, "name": "Initech", "domain": "initech.example"},
    }
    parts = of_type(news, "contact_role.added")
    assert sorted(parts, key=str) == sorted(
        [{"opportunity": deal, "contact": key}, {"opportunity": deal, "email": BOB}], key=str
    )


def test_many_changes_of_one_moment_are_all_told(account):
    account.fake.portal.clock = lambda: datetime(2026, 3, 4, 12, tzinfo=UTC)
    deals = {account.opportunity(name=f"deal {number}") for number in range(25)}
    heard, cursor, before = set(), None, None
    connector = account.connector()
    while cursor is None or cursor != before:
        before = cursor
        news, cursor = connector.changes(cursor, 10)
        heard |= {one["external_id"] for one in of_type(news, "opportunity.upserted")}
    assert heard == deals


def test_what_a_search_finds_only_later_is_told_then(account):
    account.fake.account.lag = timedelta(seconds=1.5)
    connector = account.connector()
    deal = account.opportunity()
    news, cursor = connector.changes(None, 50)
    assert of_type(news, "opportunity.upserted") == []
    account.fake.account.lag = timedelta(0)
    news, _ = connector.changes(cursor, 50)
    assert [one["external_id"] for one in of_type(news, "opportunity.upserted")] == [deal]


# --- its calls ---


def called(account, url=HOOK, **changed):
    """Return a call as HubSpot signs it."""
    account.person(BOB)
    headers, body = account.fake.signed(url, account.fake.events())
    given = {"url": url, "headers": headers, "body": body} | changed
    return InboundRequest(given["headers"], given["body"], given["url"])


def accepted(account, request, now=None, **document):
    return account.connector(**document).accept(request, now=now or datetime.now(UTC))


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("1693657560000", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        ("15000000", "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw="),
    ],
)
def test_the_signature_is_the_vendors(stamp, expected):
    """HubSpot's own vectors (hubspot-api-python, tests/spec/utils/test_signature.py)."""
    body = b"{'example_field':'example_value'}"
    secret = b"yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
    assert signature(secret, "https://www.example.com/webhook_uri", body, stamp) == expected


def test_a_genuine_call_is_a_hint(account):
    request = called(account)
    reply = accepted(account, request)
    assert (reply.status, reply.is_hint) == (202, True)
    assert accepted(account, request).message_id == reply.message_id


def said(account, *events):
    """What a call with these events says that cannot be asked for later."""
    told = [{"portalId": PORTAL, **one} for one in events]
    return answered(account, json.dumps(told).encode()).news


def answered(account, body):
    """What a call with this body is answered, where the account is named."""
    stamp = str(int(datetime.now(UTC).timestamp() * 1000))
    headers = {
        "X-HubSpot-Request-Timestamp": stamp,
        "X-HubSpot-Signature-v3": signature(CLIENT_SECRET.encode(), HOOK, body, stamp),
    }
    connector = account.connector(account=str(PORTAL))
    return connector.accept(InboundRequest(headers, body, HOOK), now=datetime.now(UTC))


def test_only_calls_tell_what_is_gone_and_the_same_has_one_id(account):
    ann, bob = account.person(ANN), account.person(BOB)
    deal = account.opportunity(ann, bob)
    account.fake.apart(deal, bob)
    account.fake.merge(ann, bob)
    account.delete(deal)
    account.fake.forget(ann)
    events = account.fake.events()
    news = said(account, *events)
    again = said(account, *(one | {"attemptNumber": 3, "eventId": 9} for one in events))

    assert {one.id for one in news} == {one.id for one in again}
    assert {one.body["type"]: one.body["data"] for one in news} == {
        "contact_role.removed": {"opportunity": deal, "record": bob},
        "contact.merged": {"record": bob, "into": ann},
        "opportunity.deleted": {"external_id": deal},
        "contact.erased": {"record": ann},
    }
    assert len({one.id for one in news}) == 4 < len(news)  # a part is told from both ends
    assert all(datetime.fromisoformat(one.body["timestamp"]).tzinfo for one in news)


def test_kinds_may_be_told_by_their_numbers(account):
    news = said(
        account,
        {"subscriptionType": "object.deletion", "objectTypeId": "0-1", "objectId": 151},
        {"subscriptionType": "object.deletion", "objectTypeId": "0-3", "objectId": "152"},
        {"subscriptionType": "object.deletion", "objectTypeId": "0-2", "objectId": 153},
    )

    assert [one.body["type"] for one in news] == ["contact.deleted", "opportunity.deleted"]


ODD = (None, False, [], {}, -1, 1.5, "", "151 ", "٣", 10**30, "x" * 300)


PART = {
    "subscriptionType": "deal.associationChange",
    "associationType": "DEAL_TO_CONTACT",
    "associationRemoved": True,
    "fromObjectId": 1,
    "toObjectId": 2,
}
EVENTS = (
    {"subscriptionType": "contact.privacyDeletion", "objectId": 1, "portalId": PORTAL},
    {"subscriptionType": "deal.deletion", "objectId": 1},
    {"subscriptionType": "contact.merge", "primaryObjectId": 1, "mergedObjectIds": [2]},
    PART,
    PART | {"associationType": "CONTACT_TO_DEAL"},
)


def test_what_is_no_event_says_nothing(account):
    assert len(said(account, *EVENTS)) == len(EVENTS)
    for odd in ODD:
        broken = [event | {name: odd} for event in EVENTS for name in event]
        broken += [EVENTS[2] | {"mergedObjectIds": [odd]}, odd]
        bad = [one for one in broken if isinstance(one, dict)]
        assert said(account, *bad) == ()
        assert answered(account, json.dumps(broken[-1:]).encode()).news == ()


def test_a_call_without_events_is_a_hint_and_no_more(account):
    for body in (b"[]", b"{}", b"null", b"[[1]]", b"\xff", b"", b"[" * 99_999):
        reply = answered(account, body)
        assert (reply.status, reply.is_hint, reply.news) == (202, True, ())


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_call_of_another_time_is_refused(account, minutes):
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    assert accepted(account, called(account), now).status == 401
    nearly = datetime.now(UTC) + timedelta(minutes=minutes) * 0.75
    assert accepted(account, called_again(account), nearly).status == 202


def called_again(account):
    headers, body = account.fake.signed(HOOK, [{"eventId": 1}])
    return InboundRequest(headers, body, HOOK)


def test_what_is_not_signed_as_it_should_be_is_refused(account):
    genuine = called(account)
    name = "X-HubSpot-Signature-v3"
    stamp = "X-HubSpot-Request-Timestamp"
    changed = [
        InboundRequest(genuine.headers, genuine.body + b" ", HOOK),
        InboundRequest(genuine.headers, genuine.body, HOOK + "?more"),
        InboundRequest(genuine.headers, genuine.body, "https://evil.example/hooks/crm"),
        InboundRequest({}, genuine.body, HOOK),
        InboundRequest({**genuine.headers, name: ""}, genuine.body, HOOK),
        InboundRequest({**genuine.headers, name: "ü" * 44}, genuine.body, HOOK),
        InboundRequest({**genuine.headers, stamp: "now"}, genuine.body, HOOK),
        InboundRequest({**genuine.headers, stamp: "٣" * 13}, genuine.body, HOOK),
        InboundRequest({**genuine.headers, stamp: "9" * 15}, genuine.body, HOOK),
        # versions 1 and 2 have no time, so that anybody may send them again
        InboundRequest({"X-HubSpot-Signature": "9569219f8ba981ff"}, genuine.body, HOOK),
    ]
    assert {accepted(account, one).status for one in changed} == {401}
    assert accepted(account, genuine).status == 202


def test_a_secret_may_be_changed_while_calls_come(account):
    secrets = {"env:KEY": "x", "env:APP": f"new-one, {CLIENT_SECRET}"}
    connector = connected(account.sandbox.url, secrets=secrets)
    assert connector.accept(called(account), now=datetime.now(UTC)).status == 202
    connector.close()
    secrets = {"env:KEY": "x", "env:APP": "new-one"}
    connector = connected(account.sandbox.url, secrets=secrets)
    assert connector.accept(called_again(account), now=datetime.now(UTC)).status == 401
    connector.close()


@pytest.mark.parametrize(
    ("query", "signed_as"),
    [
        (f"to={quote('a@b.example?/:', safe='')}", "to=a@b.example?/:"),
        ("to=a%20b%25", "to=a%20b%25"),
        ("x=%3a%2f", "x=:/"),
    ],
)
def test_the_query_is_signed_half_decoded(account, query, signed_as):
    plain = account.fake.signed(f"{HOOK}?{query}", [])[0]
    assert plain["X-HubSpot-Signature-v3"] == signature(
        CLIENT_SECRET.encode(),
        f"{HOOK}?{signed_as}",
        b"[]",
        plain["X-HubSpot-Request-Timestamp"],
    )
    assert accepted(account, InboundRequest(plain, b"[]", f"{HOOK}?{query}")).status == 202


def test_a_long_body_and_one_that_is_no_text(account):
    assert accepted(account, InboundRequest({}, b"x" * 10_000_000, HOOK)).status == 413
    headers = account.fake.signed(HOOK, [])[0]
    assert accepted(account, InboundRequest(headers, b"\xff\xfe", HOOK)).status == 401


def test_the_events_of_a_hundred_changes_are_a_call_that_is_taken(account):
    for number in range(40):
        account.person(f"v{number}@acme.example", firstname="V" * 40)
    events = account.fake.events()
    headers, body = account.fake.signed(HOOK, events)
    assert len(json.loads(body)) == 100
    assert accepted(account, InboundRequest(headers, body, HOOK)).status == 202
