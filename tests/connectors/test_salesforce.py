"""What only Salesforce does: accounts, tasks, campaigns, merges, its limits and its refusals."""

import contextlib
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from regportal.connectors.base import Vocabulary
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome
from regportal.connectors.salesforce import judging
from regportal.sandbox.salesforce import CLIENT
from tests.connectors.changes import MINUTE, Outbox
from tests.connectors.worlds.salesforce import SalesforceWorld

ANN, BOB = "ann@acme.example", "bob@acme.example"
DONE, NOOP, LATER = Outcome.DONE, Outcome.NOOP, Outcome.LATER


@pytest.fixture
def salesforce():
    with contextlib.closing(SalesforceWorld()) as world:
        yield world


@pytest.fixture
def outbox(salesforce):
    return Outbox(salesforce.connector())


def outcomes(results):
    return [one.outcome for one in results]


def news_of(connector, cursor):
    """What is told after a cursor, by its type, until the cursor stays; and that cursor."""
    told = []
    for _ in range(20):
        news, after = connector.changes(cursor, 50)
        told += [(one.body["type"], one.body["data"]) for one in news]
        if after == cursor:
            break
        cursor = after
    return told, cursor


# --- contacts ---


def test_a_contact_of_whom_only_the_address_is_known_is_called_by_it_until_he_says(
    salesforce, outbox, key
):
    outbox.deliver(outbox.knows(key, ANN))
    (ann,) = salesforce.people(ANN)
    before = salesforce.field(ann, "LastName")
    outbox.deliver(outbox.knows(key, ANN, "contact.updated", LastName="Smith"))
    outbox.deliver(outbox.knows(key, ANN, "contact.updated", Phone="1"))

    assert (before, salesforce.field(ann, "LastName")) == ("ann", "Smith")


def test_companies_become_accounts_once(salesforce, outbox):
    people = [(str(uuid.uuid4()), f"{name}@acme.example", "Acme's") for name in ("ann", "bob")]
    changes = [outbox.knows(key, email, **{"Account.Name": name}) for key, email, name in people]
    assert outcomes(outbox.deliver(*changes)) == [DONE, DONE]
    again = outbox.knows(*people[0][:2], "contact.updated", **{"Account.Name": "ACME'S"})
    outbox.deliver(again)
    rows = salesforce.rows("Contact")
    (account,) = salesforce.rows("Account")

    assert account["Name"] == "Acme's"
    assert {row["AccountId"] for row in rows} == {account["Id"]}


def test_a_contact_that_was_merged_is_followed_to_the_one_that_is_left(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (loser,) = salesforce.people(ANN)
    winner, last = salesforce.person("smith@acme.example"), salesforce.person(BOB)
    salesforce.fake.merge(winner, loser)
    salesforce.fake.merge(last, winner)
    (result,) = outbox.deliver(outbox.knows(key, ANN, "contact.updated", Phone="1"))

    assert (result.outcome, result.link.ref) == (DONE, last)
    assert salesforce.field(last, "Phone") == "1"
    assert salesforce.people(ANN) == []


def test_ids_of_fifteen_letters_are_ids_too(salesforce, outbox):
    deal = salesforce.opportunity(salesforce.person(ANN))
    assert outcomes(outbox.deliver(outbox.moves(deal[:15], "comparison"))) == [DONE]
    assert salesforce.phase(deal) == "comparison"


def test_a_whole_batch_is_a_handful_of_calls(salesforce, outbox):
    changes = [outbox.knows(str(uuid.uuid4()), f"{n}@acme.example") for n in range(200)]
    before = salesforce.calls()
    assert outcomes(outbox.deliver(*changes)) == [DONE] * 200
    assert salesforce.calls() - before <= 4  # a token, two readings, one writing


def test_no_address_of_anybody_stands_in_a_url(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN), outbox.moves("006000000000001AAA", "comparison"))
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    salesforce.connector().changes(None, 50)

    assert not [path for _, path, _, _ in salesforce._line.seen if "acme" in path or "%40" in path]


@pytest.mark.parametrize(
    "text", ["' OR Id != '", "\\' OR Id != null --", "o'neil\\", "%", "a\nb", "');"]
)
def test_nothing_that_somebody_typed_ends_a_question(salesforce, outbox, key, text):
    salesforce.person(ANN)
    email = f"{text.replace(chr(10), '')}@acme.example".replace(" ", "")
    changes = outbox.knows(key, email, **{"Account.Name": text})
    (result,) = outbox.deliver(changes)
    assert result.outcome in {DONE, Outcome.REJECTED}  # rejected: Salesforce takes no such address
    assert len(salesforce.people(ANN)) == 1
    assert not salesforce.field(salesforce.people(ANN)[0], "AccountId")


def test_a_duplicate_rule_leaves_it_to_a_person(salesforce, outbox, key):
    there = salesforce.fake.contact("ann.smith@acme.example", "ann")
    salesforce.fake.duplicate_rule()
    (result,) = outbox.deliver(outbox.knows(key, ANN))

    assert (result.outcome, result.candidates) == (Outcome.AMBIGUOUS, (there,))
    assert "ann" not in result.says.casefold().replace("contact.", "")


def test_a_record_that_somebody_else_is_writing_is_tried_again_soon(salesforce, outbox):
    keys = [(str(uuid.uuid4()), one) for one in (ANN, BOB)]
    outbox.deliver(*(outbox.knows(*one) for one in keys))
    salesforce.fake.lock(salesforce.people(ANN)[0])
    changes = [outbox.knows(*one, "contact.updated", Phone="1") for one in keys]
    ann, bob = outbox.deliver(*changes)

    assert (ann.outcome, bob.outcome) == (LATER, DONE)
    assert timedelta(0) < ann.retry_at - datetime.now(UTC) <= timedelta(seconds=30)
    assert outcomes(outbox.deliver(outbox.again(changes[0]))) == [DONE]


# --- tasks ---


def test_what_was_done_stands_beside_each_opportunity_once_and_is_forgotten_everywhere(
    salesforce, outbox, key
):
    ann, bob = salesforce.person(ANN), salesforce.person(BOB)
    deals = [salesforce.opportunity(ann, name=name) for name in ("one", "two", "three")]
    gone = salesforce.opportunity(ann, name="four")
    salesforce.delete(gone)
    change = outbox.did(key, ANN, *deals, gone)
    other = outbox.did(str(uuid.uuid4()), BOB, deals[0])
    assert outcomes(outbox.deliver(change, other)) == [DONE, DONE]
    assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]
    beside = [row["WhatId"] for row in salesforce.rows("Task") if row["WhoId"] != bob]
    assert sorted(beside) == sorted(deals)
    assert {row["IsClosed"] for row in salesforce.rows("Task")} == {True}

    assert outcomes(outbox.deliver(outbox.forgets(key))) == [DONE]
    assert [row["WhoId"] for row in salesforce.rows("Task")] == [bob]
    assert salesforce.field(ann, "Regportal_Id__c") is None


def test_a_task_that_is_refused_parks_that_deed_alone(salesforce, outbox):
    salesforce.org.rules["Task"].append(
        lambda row: "no" if "Secret" in str(row["Subject"]) else None
    )
    ann, bob = ((str(uuid.uuid4()), email) for email in (ANN, BOB))
    deal = salesforce.opportunity(salesforce.person(ANN))
    changes = outbox.did(*ann, deal, title="Secret"), outbox.did(*bob)
    assert outcomes(outbox.deliver(*changes)) == [Outcome.REJECTED, DONE]


def test_a_task_of_somebody_else_is_not_deleted(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (ann,) = salesforce.people(ANN)
    salesforce.org.insert("Task", {"WhoId": ann, "Subject": "Call her"})
    outbox.deliver(outbox.forgets(key))

    assert [row["Subject"] for row in salesforce.rows("Task")] == ["Call her"]


# --- newsletters ---


def test_a_newsletter_is_a_campaign_named_or_made(salesforce, key):
    campaign = salesforce.org.insert("Campaign", {"Name": "Widget prices"})
    newsletters = {"prices": "Widget prices", "offers": campaign[:15]}
    outbox = Outbox(salesforce.connector(newsletters=newsletters))
    for newsletter in ("prices", "news"):
        change = outbox.allows(key, ANN, newsletter, "confirmed")
        assert outcomes(outbox.deliver(change)) == [DONE]
        assert outcomes(outbox.deliver(outbox.again(change))) == [NOOP]

    (ann,) = salesforce.people(ANN)
    assert sorted(row["Name"] for row in salesforce.rows("Campaign")) == ["Widget prices", "news"]
    assert salesforce.wants(ann, ANN, "Widget prices") is True
    assert salesforce.wants(ann, ANN, "news") is True
    labels = [row["Label"] for row in salesforce.rows("CampaignMemberStatus")]
    assert labels.count("Subscribed") == labels.count("Unsubscribed") == 2


def test_a_no_is_for_every_campaign_of_the_name_and_a_yes_for_none_of_several(salesforce, key):
    outbox = Outbox(salesforce.connector(), now=datetime.now(UTC))
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    (ann,) = salesforce.people(ANN)
    second = salesforce.org.insert("Campaign", {"Name": "prices"})
    member = {"CampaignId": second, "ContactId": ann, "Status": "Subscribed"}
    salesforce.org.insert("CampaignMember", member)
    no = outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))
    again = outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))
    yes = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    assert outcomes([*no, *again]) == [DONE, NOOP]
    assert outcomes(yes) == [Outcome.REJECTED]
    assert {row["Status"] for row in salesforce.rows("CampaignMember")} == {"Unsubscribed"}


def test_a_campaign_that_is_not_there_is_not_made_by_its_id(salesforce, key):
    outbox = Outbox(salesforce.connector(newsletters={"prices": "701000000000001AAA"}))
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    assert (result.outcome, salesforce.rows("Campaign")) == (Outcome.REJECTED, [])


def test_who_wants_no_mail_at_all_is_subscribed_to_nothing(salesforce, outbox, key):
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    (ann,) = salesforce.people(ANN)
    salesforce.fake.opt_out(ann)
    yes = outbox.allows(key, ANN, "news", "confirmed", at=datetime.now(UTC))
    assert outcomes(outbox.deliver(yes)) == [Outcome.CONFLICT]
    assert outcomes(outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))) == [DONE]
    assert salesforce.wants(ann, ANN, "prices") is False


def test_a_no_to_all_is_told_each_time(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = salesforce.people(ANN)
    ids = []
    for value in (True, False, True):
        salesforce.set_field(there, "HasOptedOutOfEmail", value)
        news, _ = outbox.connector.changes(None, 50)
        noes = [one for one in news if one.body["type"] == "consent.withdrawn"]
        assert [one.body["data"] for one in noes] == ([{"email": ANN}] if value else [])
        ids += [one.id for one in noes]
    assert len({*ids}) == 2


def test_where_it_is_hidden_who_wants_no_mail_campaigns_work(salesforce, outbox, key):
    salesforce.org.objects["Contact"].hidden.add("HasOptedOutOfEmail")
    assert outcomes(outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))) == [DONE]
    assert news_of(outbox.connector, None)[0] == []


# --- leads ---


def claims(outbox, claim, email, **fields):
    told = {
        name: {"value": value, "source": "claimed", "at": "2026-03-04T12:00:00Z"}
        for name, value in fields.items()
    }
    payload = {"claim": {"id": claim, "email": email}, "fields": told, "gate": "prices"}
    return outbox._change("contact.claimed", f"claim:{claim}", payload)


def ends(outbox, claim, ended="rejected"):
    payload = {"claim": {"id": claim, "email": ANN}, "ended": ended}
    return outbox._change("contact.claim_ended", f"claim:{claim}", payload)


def test_an_address_nobody_has_is_a_lead_until_its_claim_is_over(salesforce, outbox, key):
    fields = {"MailingCountry": "DE", "Account.Name": "Acme", "Shoe_Size__c": "9"}
    change = claims(outbox, key, ANN, **fields)
    assert outcomes(outbox.deliver(change)) == [DONE]
    outbox.links.clear()
    assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]
    (lead,) = salesforce.rows("Lead")
    told = lead["Email"], lead["LastName"], lead["Company"], lead["Country"]
    assert told == (ANN, "ann", "Acme", "DE")

    assert outcomes(outbox.deliver(ends(outbox, key))) == [DONE]
    assert salesforce.rows("Lead") == []


def test_a_lead_that_somebody_worked_on_stays(salesforce, outbox, key):
    outbox.deliver(claims(outbox, key, ANN))
    (lead,) = salesforce.rows("Lead")
    salesforce.fake.set(lead["Id"], "Status", "Working - Contacted")
    outbox.deliver(ends(outbox, key))

    assert len(salesforce.rows("Lead")) == 1


def test_whoever_is_there_already_becomes_no_lead(salesforce, outbox):
    salesforce.person(ANN)
    salesforce.org.insert("Lead", {"Email": BOB, "LastName": "Bob", "Company": "Acme"})
    found = [outbox.deliver(claims(outbox, str(uuid.uuid4()), one))[0] for one in (ANN, BOB)]

    assert outcomes(found) == [NOOP, NOOP]
    assert len(salesforce.rows("Lead")) == 1


# --- what is heard ---


def test_opportunities_and_parts_in_them_are_told_as_they_are(salesforce):
    connector = salesforce.connector()
    account = salesforce.fake.account("Initech", "https://www.initech.example/en")
    ann = salesforce.fake.contact(ANN, "Smith", account)
    deal = salesforce.fake.opportunity("500 widgets", ann, account, "12000.5")
    told, cursor = news_of(connector, None)
    upserted = dict(told)["opportunity.upserted"]
    assert upserted["external_id"] == deal
    assert upserted["account"] == {
        "external_id": account,
        "name": "Initech",
        "domain": "initech.example",
    }
    assert (upserted["amount"], upserted["probability"]) == ("12000.5", 10)
    assert upserted["owner"] == {"name": "Lind", "email": "lind@acme.example"}
    part = {"opportunity": deal, "email": ANN, "is_primary": True}
    assert dict(told)["contact_role.added"] == part

    salesforce.win(deal)
    (role,) = salesforce.rows("OpportunityContactRole")
    salesforce.delete(role["Id"])
    told, cursor = news_of(connector, cursor)
    assert dict(told)["opportunity.upserted"]["is_won"] is True
    assert dict(told)["contact_role.removed"] == {"opportunity": deal, "email": ANN}
    salesforce.delete(deal)
    told, cursor = news_of(connector, cursor)
    last = [told for type_, told in told if type_ == "opportunity.upserted"][-1]
    assert (last["is_closed"], last["is_won"]) == (True, False)


def test_merges_deletions_and_opt_outs_of_ours_are_told(salesforce):
    keys = {name: str(uuid.uuid4()) for name in ("ann", "bob", "carl", "dora")}
    outbox = Outbox(salesforce.connector(newsletters={"prices": "Widget prices"}))
    for name, key in keys.items():
        email = f"{name}@acme.example"
        outbox.deliver(outbox.allows(key, email, "prices", "confirmed"))
        outbox.now += MINUTE
    ids = {name: salesforce.people(f"{name}@acme.example")[0] for name in keys}
    stranger = salesforce.person("stranger@acme.example")
    _, cursor = news_of(outbox.connector, None)
    salesforce.fake.merge(ids["bob"], ids["ann"])
    salesforce.delete(ids["carl"])
    salesforce.delete(stranger)
    salesforce.opt_out(ids["dora"], "dora@acme.example", "Widget prices")
    salesforce.fake.opt_out(ids["bob"])
    outbox.deliver(outbox.allows(keys["bob"], BOB, "prices", "withdrawn"))  # ours: no news
    told, cursor = news_of(outbox.connector, cursor)

    unique = {json.dumps(one, sort_keys=True) for one in told}
    assert {
        (type_, json.dumps(data, sort_keys=True)) for type_, data in map(json.loads, unique)
    } == {
        ("contact.merged", json.dumps({"contact": keys["ann"], "into": keys["bob"]})),
        ("contact.deleted", json.dumps({"email": "carl@acme.example"})),
        (
            "consent.withdrawn",
            json.dumps({"email": "dora@acme.example", "newsletter": "prices"}),
        ),
        ("consent.withdrawn", json.dumps({"email": BOB})),
    }


def test_a_long_history_is_told_part_by_part_and_nothing_twice_or_never(salesforce):
    deals = [salesforce.fake.opportunity(f"deal {number}") for number in range(30)]
    clock = salesforce.org.clock
    salesforce.org.clock = lambda: datetime(2026, 1, 1, tzinfo=UTC)  # many in one second
    deals += [salesforce.fake.opportunity(f"deal {number}") for number in range(30, 60)]
    salesforce.org.clock = clock
    connector, cursor, told = salesforce.connector(), None, []
    for _ in range(40):  # a minute may end meanwhile: then what is young is read again
        news, after = connector.changes(cursor, 35)
        assert len(news) <= 7
        told += [one for one in news if one.id not in {other.id for other in told}]
        if after == cursor:
            break
        cursor = after

    assert after == cursor
    assert sorted(one.body["data"]["external_id"] for one in told) == sorted(deals)


def test_a_minute_costs_one_call(salesforce):
    connector = salesforce.connector()
    _, cursor = connector.changes(None, 50)
    before = salesforce.calls()
    connector.changes(cursor, 50)

    assert salesforce.calls() - before == 1


def test_what_is_committed_late_is_told_all_the_same(salesforce):
    connector = salesforce.connector()
    salesforce.fake.opportunity("early")
    _, cursor = news_of(connector, None)
    late = salesforce.fake.opportunity("late")
    began = datetime.now(UTC) - timedelta(seconds=100)
    salesforce.org.existing("Opportunity", late)["SystemModstamp"] = began.replace(microsecond=0)
    assert news_of(connector, cursor)[0] == []  # the sweep is further already
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        told, _ = news_of(connector, cursor)

    assert late in [one["external_id"] for type_, one in told]


# --- limits, tokens, versions ---


def test_a_token_that_ended_is_renewed_once(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    salesforce.fake.end_tokens()
    assert outcomes(outbox.deliver(outbox.knows(key, ANN, "contact.updated", Phone="1"))) == [DONE]
    asked = [path for _, path, _, _ in salesforce._line.seen if "oauth2" in path]
    assert len(asked) == 2


def test_a_wrong_secret_pauses_the_connector(salesforce, key):
    salesforce.fake.door._secret = "another"
    outbox = Outbox(salesforce.connector())
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert (result.outcome, result.says) == (
        Outcome.AUTH,
        "the CRM gives us no access token: invalid_client",
    )


def test_calls_that_are_used_up_wait_for_a_quarter_of_an_hour(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    salesforce.fake.use_up_calls()
    (result,) = outbox.deliver(outbox.knows(key, ANN, "contact.updated", Phone="1"))
    wait = result.retry_at - datetime.now(UTC)

    assert result.outcome is Outcome.THROTTLED
    assert timedelta(minutes=14) < wait <= timedelta(minutes=15)


def test_what_salesforce_says_of_its_calls_is_kept(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    said = outbox.connector._desk._salesforce._egress.meter.read().said

    assert (said.used, said.most) == (salesforce.org.used, 100_000)


def test_what_salesforce_says_of_its_calls_is_kept_where_it_refuses(salesforce, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    meter = outbox.connector._desk._salesforce._egress.meter
    meter.read()
    salesforce.fake.use_up_calls()
    (result,) = outbox.deliver(outbox.knows(key, ANN, "contact.updated", Phone="1"))
    said = meter.read().said

    assert result.outcome is Outcome.THROTTLED
    assert (said.used, said.most) == (salesforce.org.used, salesforce.org.allowed)


@pytest.mark.parametrize("host", ["", "ftp://x.example", "https://x.example/path", "javascript:x"])
def test_a_token_leads_nowhere_but_to_a_host(salesforce, outbox, key, host):
    salesforce.fake.door.instance = host or " "
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert result.outcome is Outcome.RETRY
    assert salesforce.rows("Contact") == []


def test_a_token_does_not_lead_behind_our_own_walls(salesforce, outbox, key):
    salesforce.fake.door.instance = "http://169.254.169.254"
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert result.outcome is Outcome.RETRY
    assert salesforce.rows("Contact") == []


def test_a_version_that_is_not_spoken_there_is_found_out(salesforce):
    found = salesforce.connector(version="99.0").check(Vocabulary())
    assert (found[0].subject, found[0].fine) == ("version", False)


# --- fields ---

VOCABULARY = Vocabulary({"interest": "Interest", "comparison": "Comparison"}, {"fit": "Fit"})


def test_the_fields_of_a_new_org_are_made_and_seen(salesforce):
    for sobject in salesforce.org.objects.values():
        custom = [name for name in sobject.fields if name.endswith("__c")]
        for name in custom:
            del sobject.fields[name]
    connector = salesforce.connector(fields={"size": "Shoe_Size__c"})
    missing = [one.subject for one in connector.provision(VOCABULARY) if not one.fine]
    assert missing == [
        "contact.Regportal_Id__c",
        "lead.Regportal_Id__c",
        "activity.Regportal_Event_Id__c",
        "contact.Regportal_Fit__c",
        "contact.Shoe_Size__c",
        "opportunity.Buying_Phase__c",
        "opportunity.Buying_Phase_Since__c",
        "opportunity.Buying_Phase_Reason__c",
    ]
    made = connector.provision(VOCABULARY, dry_run=False)
    assert [one.says for one in made] == ["made"] * len(missing)
    assert all(one.fine for one in connector.check(VOCABULARY))
    outbox = Outbox(connector)
    deal = salesforce.opportunity(salesforce.person(ANN))
    assert outcomes(outbox.deliver(outbox.moves(deal, "comparison"))) == [DONE]
    assert outcomes(outbox.deliver(outbox.did(str(uuid.uuid4()), ANN, deal))) == [DONE]


def test_a_field_that_nobody_may_see_is_shown(salesforce):
    salesforce.org.objects["Contact"].hidden.add("Regportal_Fit__c")
    connector = salesforce.connector()
    assert [one.says for one in connector.provision(VOCABULARY, dry_run=False)] == ["made"]
    assert all(one.fine for one in connector.check(VOCABULARY))


def test_options_that_a_choice_lacks_are_for_its_administrator(salesforce):
    more = Vocabulary({"flying": "Flying"})
    (found,) = salesforce.connector().provision(more, dry_run=False)
    assert (found.fine, "Object Manager" in found.says) == (False, True)


def test_the_reason_is_as_long_as_its_field(salesforce, outbox):
    deal = salesforce.opportunity(salesforce.person(ANN))
    outbox.deliver(outbox.moves(deal, "comparison", "why " * 100))
    assert len(salesforce.why(deal)) == 255


def test_every_field_that_is_written_may_be_written_there(salesforce, outbox, key):
    """Proof (b) of crm.md 8: by the flags that a real org described."""
    outbox.deliver(outbox.knows(key, ANN, Phone="1", **{"Account.Name": "Acme"}))
    (ann,) = salesforce.people(ANN)
    deal = salesforce.opportunity(ann)
    outbox.deliver(outbox.did(key, ANN, deal))
    outbox.deliver(outbox.moves(deal, "comparison"))
    outbox.deliver(outbox.scores(key, ANN, "fit", 5))
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    outbox.deliver(claims(outbox, str(uuid.uuid4()), BOB))
    outbox.deliver(outbox.forgets(key))
    written = set()
    for method, path, _, body in salesforce._line.seen:
        if method in {"POST", "PATCH"} and path.endswith(("sobjects", "__c")):
            flag = "C" if method == "POST" or path.endswith("__c") else "U"
            written |= {
                (record["attributes"]["type"], name, flag)
                for record in json.loads(body)["records"]
                for name in record
                if name not in {"attributes", "Id"}
            }
        for inner in json.loads(body)["compositeRequest"] if path.endswith("/composite") else ():
            if inner["method"] == "PATCH":
                written |= {("Opportunity", name, "U") for name in inner["body"]}
    may = {
        (sobject.name, field.name, flag)
        for sobject in salesforce.org.objects.values()
        for field in sobject.fields.values()
        for flag in field.flags
    }
    kinds = {kind for kind, _, _ in written}

    assert written - may == set()
    assert kinds == {
        *("Account", "Contact", "Lead", "Opportunity", "Task"),
        *("Campaign", "CampaignMember", "CampaignMemberStatus"),
    }
    assert not {name for _, name, _ in written} & {"StageName", "ForecastCategoryName"}
    assert CLIENT not in str([path for _, path, _, _ in salesforce._line.seen])


# --- refusals ---


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("INVALID_SESSION_ID", Outcome.AUTH),
        ("API_DISABLED_FOR_ORG", Outcome.AUTH),
        ("REQUEST_LIMIT_EXCEEDED", Outcome.THROTTLED),
        ("SERVER_UNAVAILABLE", Outcome.THROTTLED),
        ("UNABLE_TO_LOCK_ROW", LATER),
        ("ENTITY_IS_DELETED", LATER),
        ("ALL_OR_NONE_OPERATION_ROLLED_BACK", Outcome.RETRY),
        ("PROCESSING_HALTED", Outcome.RETRY),
        ("DUPLICATE_EXTERNAL_ID", Outcome.AMBIGUOUS),
        ("REQUIRED_FIELD_MISSING", Outcome.REJECTED),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", Outcome.REJECTED),
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", Outcome.REJECTED),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", Outcome.REJECTED),
        ("A_CODE_NOBODY_KNOWS", Outcome.REJECTED),
        ("ann@acme.example", Outcome.REJECTED),
    ],
)
def test_a_code_says_what_is_to_be_done_and_nobody_is_named(code, outcome):
    told = {"success": False, "errors": [{"statusCode": code, "message": "ann@acme.example"}]}
    found = judging.written(told)

    assert found.outcome is outcome
    assert "ann" not in found.says


def test_a_busy_salesforce_is_left_alone_for_a_minute_and_one_without_calls_for_longer():
    codes, now = ("SERVER_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"), datetime.now(UTC)
    busy, used_up = (judging.meaning({"errorCode": code}).retry_at - now for code in codes)

    assert timedelta(seconds=59) < busy < timedelta(minutes=5) < used_up


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (500, "A_CODE_NOBODY_KNOWS", Outcome.RETRY),
        (503, "REQUEST_RUNNING_TOO_LONG", Outcome.RETRY),
        (500, "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS", Outcome.REJECTED),
        (400, "A_CODE_NOBODY_KNOWS", Outcome.REJECTED),
    ],
)
def test_a_code_nobody_knows_under_5xx_speaks_of_salesforce(status, code, outcome):
    said = json.dumps([{"errorCode": code, "message": "ann@acme.example"}]).encode()
    error = judging.judged(Answer(status, {}, said))
    assert error.outcome is outcome
    assert "ann" not in str(error)


@pytest.mark.parametrize("quoted", ["UNABLE_TO_LOCK_ROW", "Too many SOQL queries: 101"])
def test_a_trigger_that_stumbled_over_others_is_tried_again(quoted):
    error = {"statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": f"x: {quoted}"}
    assert judging.written({"errors": [error]}).outcome is LATER


@pytest.mark.parametrize(
    "told", [None, [], "x", {"errors": None}, {"errors": ["x"]}, {"success": True, "id": 7}]
)
def test_what_says_nothing_is_not_taken(told):
    assert judging.written(told).id is None


ODD = (
    {"compositeResponse": [{"referenceId": {}, "httpStatusCode": 200, "body": {"records": []}}]},
    {"compositeResponse": [{"referenceId": "r0", "httpStatusCode": "200", "body": None}]},
    {"compositeResponse": [{"referenceId": "r0", "httpStatusCode": 200, "body": {"records": [1]}}]},
    {
        "compositeResponse": [
            {
                "referenceId": "r0",
                "httpStatusCode": 200,
                "body": {"records": [{"Email": ANN}], "done": True},
            }
        ]
    },
    {
        "compositeResponse": [
            {
                "referenceId": "r0",
                "httpStatusCode": 200,
                "body": {"records": [], "done": False, "nextRecordsUrl": "//evil.example/x"},
            }
        ]
    },
    {"compositeResponse": None},
    [],
    None,
    "x",
)


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_no_answer_and_the_next_one_is_taken(salesforce, outbox, key, odd):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.links.clear()
    change = outbox.knows(key, ANN, "contact.updated", Phone="1")
    salesforce._line.refusals.append((200, {}, json.dumps(odd).encode()))
    (result,) = outbox.deliver(change)
    assert (result.outcome, "connector failed" in result.says) == (Outcome.RETRY, False)
    assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]
    assert not [path for _, path, _, _ in salesforce._line.seen if "evil" in path]
