"""What only Dynamics has: merges, stakeholders, topics, change tracking, and codes of its own."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from regportal.connectors.base import InboundRequest, Link, Vocabulary
from regportal.connectors.desk import NotTakenError
from regportal.connectors.dynamics import batches
from regportal.connectors.dynamics.desk import DynamicsDesk
from regportal.connectors.dynamics.judging import judged, refusals
from regportal.connectors.egress import Answer
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.errors import ConfigError
from tests.connectors.changes import NOON, Outbox
from tests.connectors.worlds.dynamics import VOCABULARY, dynamics

ANN, BOB = "ann@acme.example", "bob@acme.example"
DONE, NOOP, LATER = Outcome.DONE, Outcome.NOOP, Outcome.LATER


@pytest.fixture
def world():
    with dynamics() as world:
        yield world


@pytest.fixture
def unprepared():
    """A Dynamics that nobody has prepared for us."""
    with dynamics(is_set_up=False) as world:
        yield world


@pytest.fixture
def crm(world):
    return world.crm


@pytest.fixture
def outbox(world):
    return Outbox(world.connector(), names=world.names)


def outcomes(results):
    return [one.outcome for one in results]


def told(connector, cursor=None):
    """Return all news after a cursor by type, and the cursor at the end."""
    news = {}
    for _ in range(50):
        some, after = connector.changes(cursor, 50)
        for one in some:
            news.setdefault(one.body["type"], []).append(one.body["data"])
        if after == cursor:
            return news, cursor
        cursor = after
    raise AssertionError("the cursor never stays")


# --- contacts ---


def test_whoever_was_merged_is_the_one_that_stayed(world, crm, outbox, key):
    outbox.deliver(outbox.knows(key, ANN, country="DE"))
    (loser,) = world.people(ANN)
    winner = world.person("ann.smith@acme.example")
    crm.merge(winner, loser)

    change = outbox.knows(key, ANN, "contact.updated", country="FR")
    assert outcomes(outbox.deliver(change)) == [LATER]  # the one that ended had our key
    assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]
    assert world.field(winner, "country") == "FR"
    assert world.field(winner, "regp_id") == key
    assert world.field(loser, "regp_id") is None
    assert outbox.links[f"contact:{key}"] == Link(winner)


def test_the_address_of_one_that_was_merged_leads_to_the_one_that_stayed(world, crm, outbox, key):
    loser, winner = world.person(ANN), world.person("ann.smith@acme.example")
    last = world.person("a.smith@acme.example")
    crm.merge(winner, loser)
    crm.merge(last, winner)
    assert outcomes(outbox.deliver(outbox.knows(key, ANN, country="FR"))) == [DONE]
    assert world.field(last, "country") == "FR"
    assert len(world.rows("contact")) == 3


def test_who_is_not_active_is_taken_only_where_nobody_else_is(world, outbox, key):
    old, new = world.person(ANN), world.person(ANN)
    world.crm.set_column("contact", old, "statecode", "Inactive")
    (result,) = outbox.deliver(outbox.knows(key, ANN, country="FR"))
    assert (result.outcome, result.link.ref) == (DONE, new)


def test_a_second_address_is_one_of_his(world, outbox, key):
    there = world.person(BOB)
    world.set_field(there, "emailaddress2", ANN)
    outbox.deliver(outbox.knows(key, "Ann@acme.example", country="FR"))
    assert world.field(there, "country") == "FR"


def test_a_company_is_an_account_of_its_name_made_once(world, crm, outbox):
    known = crm._make("account", name="Initech")
    people = [(str(uuid.uuid4()), f"{n}@acme.example", firm) for n, firm in enumerate(FIRMS)]
    changes = [outbox.knows(key, email, company=firm) for key, email, firm in people]
    assert set(outcomes(outbox.deliver(*changes))) == {DONE}
    names = sorted(row["name"] for row in world.rows("account").values())
    (first,) = world.people("0@acme.example")

    assert names == ["Initech", "O'Neil & Söhne 100%"]
    assert world.field(first, "parentcustomerid") == ("account", known)
    key, email, firm = people[0]
    again = outbox.knows(key, email, "contact.updated", company=firm.lower())
    assert outcomes(outbox.deliver(again))[0] in {DONE, NOOP}
    assert len(world.rows("account")) == 2


FIRMS = ["INITECH", "O'Neil & Söhne 100%", "o'neil & söhne 100%"]


def test_values_become_what_columns_hold(world, outbox, key):
    answers = {"donotbulkemail": "yes", "lastname": ["van", "Dyke"], "jobtitle": 7}
    assert outcomes(outbox.deliver(outbox.knows(key, ANN, **answers))) == [DONE]
    (there,) = world.people(ANN)
    row = world.rows("contact")[there]
    assert (row["donotbulkemail"], row["lastname"], row["jobtitle"]) == (True, "van; Dyke", "7")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("lastname", "secret" * 50, "lastname"),
        ("statecode", "secret", "0x80048d19"),
    ],
)
def test_what_dynamics_refuses_is_named_by_its_column(outbox, key, field, value, says):
    (result,) = outbox.deliver(outbox.knows(key, ANN, **{field: value}))
    assert result.outcome is Outcome.REJECTED
    assert says in result.says
    assert "secret" not in result.says


# --- opportunities ---


def test_stakeholders_and_customers_have_opportunities(world, crm):
    ann, bob = world.person(ANN), world.person(BOB)
    hers, his = world.opportunity(ann), world.opportunity(bob)
    crm.add_stakeholder(his, ann, "Decision Maker")
    found = world.connector().open_opportunities([ann, bob])
    assert {who: {one.id for one in deals} for who, deals in found.items()} == {
        ann: {hers, his},
        bob: {his},
    }


def test_an_option_that_a_person_made_by_hand_is_known_by_what_it_says(world, crm, outbox):
    column = crm.records.tables["opportunity"].columns["regp_buying_phase"]
    for option in column.options:
        option.external = None
    deal = world.opportunity(world.person(ANN))
    assert outcomes(outbox.deliver(outbox.moves(deal, "comparison"))) == [DONE]
    assert world.phase(deal) == "comparison"


def test_a_phase_of_an_administrators_own_is_spelled_as_it_is(world, crm):
    connector = world.connector(phase_field="acme_phase")
    amiss = [one for one in connector.provision(VOCABULARY) if not one.fine]
    assert {one.subject for one in amiss} == {
        "opportunity.acme_phase",
        "opportunity.acme_phase_since",
        "opportunity.acme_phase_reason",
    }
    made = connector.provision(VOCABULARY, dry_run=False)
    assert not any(one.fine for one in made)


def test_a_column_that_is_not_there_is_named(unprepared):
    outbox = Outbox(unprepared.connector(), names=unprepared.names)
    deal = unprepared.opportunity()
    (result,) = outbox.deliver(outbox.moves(deal, "comparison"))
    assert result.outcome is Outcome.REJECTED
    assert result.says == "Dynamics has no column regp_buying_phase (0x80060888)"


# --- newsletters ---


def test_who_wants_no_mail_at_all_is_asked_for_no_newsletter(world, outbox, key):
    there = world.person(ANN)
    assert outcomes(outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))) == [DONE]
    world.crm.set_column("contact", there, "donotbulkemail", "Do Not Allow")
    late = datetime.now(UTC) + timedelta(days=1)
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed", at=late))
    assert result.outcome is Outcome.CONFLICT
    assert world.wants(there, ANN, "prices") is False


@pytest.mark.parametrize("column", ["donotbulkemail", "donotemail"])
def test_a_no_to_all_is_told_each_time(world, outbox, key, column):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    ids = []
    for value in ("Do Not Allow", "Allow", "Do Not Allow"):
        world.crm.set_column("contact", there, column, value)
        news, _ = world.connector().changes(None, 50)
        noes = [one for one in news if one.body["type"] == "consent.withdrawn"]
        assert [one.body["data"] for one in noes] == (
            [{"contact": key, "newsletter": None}] if value != "Allow" else []
        )
        ids += [one.id for one in noes]
    assert len({*ids}) == 2


def test_a_no_to_the_purpose_is_a_no_to_its_topics(world, crm, outbox, key):
    world.person(ANN)
    crm.opt_out(ANN)
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed", at=NOON))
    assert result.outcome is Outcome.CONFLICT


def test_a_no_to_the_purpose_hides_no_yes_that_is_to_end(world, crm, outbox, key):
    world.person(ANN)
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    crm.opt_out(ANN)
    results = [
        *outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn")),
        *outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn")),
    ]
    assert outcomes(results) == [DONE, NOOP]


def test_a_permission_asks_once_which_topics_there_are(world, outbox, key):
    world.person(ANN)
    assert outcomes(outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))) == [DONE]
    said = [f"{path} {body.decode()}" for _, path, _, body in world._line.seen]
    assert sum(one.count("msdynmkt_topics?") for one in said) == 1


def test_a_newsletter_without_a_topic_is_refused(world, outbox, key):
    (result,) = outbox.deliver(outbox.allows(key, ANN, "unheard-of", "confirmed"))
    assert result.outcome is Outcome.REJECTED
    assert "unheard-of" in result.says


def test_without_journeys_there_is_no_place_for_a_newsletter(world, crm, key):
    for name in [one for one in crm.records.tables if one.startswith("msdynmkt")]:
        del crm.records.tables[name], crm.records.rows[name]
    outbox = Outbox(world.connector(), names=world.names)
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    (amiss,) = [one for one in world.connector().check(VOCABULARY) if not one.fine]
    sends = ("contact", "interaction", "phase", "score")

    assert result.outcome is Outcome.UNSUPPORTED
    assert "leave consent out of sends" in amiss.says
    assert all(one.fine for one in world.connector(sends=sends).check(VOCABULARY))
    assert told(world.connector())[1]


# --- claims, and being forgotten ---


def test_a_claim_is_a_lead_until_it_is_over(world, crm):
    desk = desk_of(world)
    whose = whose_of(ANN)
    (made,) = desk.lead([(whose, {"company": "Initech", "address1_country": "DE"})])
    (again,) = desk.lead([(whose, {})])
    (lead,) = world.rows("lead").values()
    (ended,) = desk.unlead([made.id])

    assert (made.created, again.outcome, again.id) == (True, NOOP, made.id)
    assert (lead["companyname"], lead["address1_country"]) == ("Initech", None)
    assert (ended.outcome, world.rows("lead")) == (DONE, {})


@pytest.mark.parametrize("what", ["jobtitle", "statecode"])
def test_a_lead_somebody_worked_on_stays(world, crm, what):
    desk = desk_of(world)
    (made,) = desk.lead([(whose_of(ANN), {})])
    crm.set_column("lead", made.id, what, "Qualified" if what == "statecode" else "buyer")
    assert outcomes(desk.unlead([made.id])) == [NOOP]
    assert len(world.rows("lead")) == 1


def test_an_address_that_is_a_lead_already_gets_no_second_one(world, crm):
    crm._make("lead", emailaddress1=ANN.upper(), lastname="Ann")
    assert outcomes(desk_of(world).lead([(whose_of(ANN), {})])) == [NOOP]
    assert len(world.rows("lead")) == 1


def test_whoever_is_forgotten_loses_notes_beside_opportunities_too(world, outbox, key):
    ann, bob = world.person(ANN), world.person(BOB)
    deal = world.opportunity(ann, bob)
    outbox.deliver(outbox.did(key, ANN, deal))
    other = str(uuid.uuid4())
    outbox.deliver(outbox.knows(other, BOB))
    outbox.deliver(outbox.did(other, BOB, deal))
    assert len(world.rows("annotation")) == 4
    assert outcomes(outbox.deliver(outbox.forgets(key))) == [DONE]
    left = [row["objectid"] for row in world.rows("annotation").values()]
    assert sorted(left) == sorted([("contact", bob), ("opportunity", deal)])
    assert world.field(bob, "regp_id") == other


def test_a_note_beside_a_contact_we_may_not_touch_is_refused_alone(world, crm, outbox):
    keys = {email: str(uuid.uuid4()) for email in (ANN, BOB)}
    outbox.deliver(*(outbox.knows(key, email) for email, key in keys.items()))
    (ann,), (bob,) = world.people(ANN), world.people(BOB)
    crm.forbid("contact", ann)
    both = [outbox.did(key, email) for email, key in keys.items()]

    assert outcomes(outbox.deliver(*both)) == [Outcome.REJECTED, DONE]
    assert (len(world.notes(ann)), len(world.notes(bob))) == (0, 1)


def test_a_record_is_refused_alone_also_where_nothing_else_is_told(world, crm, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (ann,) = world.people(ANN)
    crm.forbid("contact", ann)
    (result,) = outbox.deliver(outbox.did(key, ANN))

    assert (result.outcome, "does not allow it" in result.says) == (Outcome.REJECTED, True)


@pytest.mark.parametrize("lacks", ["prvWriteContact", "prvAppendToContact", "prvCreateNote"])
@pytest.mark.parametrize("is_said", [True, False])
def test_what_our_role_may_do_with_no_record_waits_for_a_person(world, crm, outbox, lacks, is_said):
    keys = {email: str(uuid.uuid4()) for email in (ANN, BOB)}
    outbox.deliver(*(outbox.knows(key, email) for email, key in keys.items()))
    for one in (lacks,) if is_said else (lacks, "prvReadUser"):  # which lets us see our rights
        crm.take_away(one)
    changes = [
        outbox.knows(key, email, "contact.updated", country="FR")
        if lacks == "prvWriteContact"
        else outbox.did(key, email)
        for email, key in keys.items()
    ]
    before = len(world.seen)

    assert outcomes(outbox.deliver(*changes)) == [Outcome.AUTH] * 2
    asked = [path for _, path, *_ in world.seen[before:] if "systemusers(" in path]
    assert len(asked) == 1
    crm.records.lacking.clear()
    assert outcomes(outbox.deliver(*map(outbox.again, changes))) == [DONE] * 2


def test_a_refusal_that_names_no_right_is_one_of_our_role():
    body = b'{"error":{"code":"0x80040220","message":"Principal user is missing something"}}'
    (error,) = refusals([Answer(403, {}, body)], bool)

    assert error.outcome is Outcome.AUTH


def test_a_note_we_may_not_delete_keeps_nobody_else_from_being_forgotten(world, crm, outbox):
    keys = {email: str(uuid.uuid4()) for email in (ANN, BOB)}
    outbox.deliver(*(outbox.knows(key, email) for email, key in keys.items()))
    (ann,), (bob,) = world.people(ANN), world.people(BOB)
    outbox.deliver(*(outbox.did(key, email) for email, key in keys.items()))
    (hers,) = [id for id, row in world.rows("annotation").items() if row["objectid"][1] == ann]
    crm.forbid("annotation", hers)
    both = [outbox.forgets(key) for key in keys.values()]

    assert outcomes(outbox.deliver(*both)) == [Outcome.REJECTED, DONE]
    assert (len(world.notes(ann)), len(world.notes(bob))) == (1, 0)
    crm.records.forbidden.clear()
    assert outcomes(outbox.deliver(outbox.again(both[0]))) == [DONE]
    assert world.rows("annotation") == {}


# --- what changed ---


def test_parts_are_told_with_their_roles_and_their_ends(world, crm):
    connector = world.connector()
    ann, bob = world.person(ANN), world.person(BOB)
    deal = world.opportunity(ann)
    part = crm.add_stakeholder(deal, bob, "Decision Maker")
    news, cursor = told(connector)
    crm.set_column("connection", part, "statecode", "Inactive")
    later, _ = told(connector, cursor)

    assert news["contact_role.added"] == [
        {"opportunity": deal, "email": ANN, "is_primary": True},
        {"opportunity": deal, "email": BOB, "role": "Decision Maker"},
        {"opportunity": deal, "email": BOB, "role": "Decision Maker"},
    ]
    assert later["contact_role.removed"][0]["email"] == BOB


def test_an_opportunity_is_told_whole(world, crm):
    account = crm._make("account", name="Initech", websiteurl="https://www.initech.example/en")
    deal = crm.make_opportunity("500 widgets", amount="12000.5")
    crm._set("opportunity", deal, {"parentaccountid": ("account", account)})
    (facts,) = told(world.connector())[0]["opportunity.upserted"]
    url = facts.pop("url")

    assert url.endswith(f"/main.aspx?etn=opportunity&pagetype=entityrecord&id={deal}")
    assert facts == {
        "external_id": deal,
        "name": "500 widgets",
        "stage": "1-Qualify",
        "probability": 20,
        "amount": "12000.50",
        "currency": "EUR",
        "close_date": "2026-12-31",
        "is_closed": False,
        "is_won": False,
        "owner": {"name": "Alex Baker", "email": "alex@acme.example"},
        "account": {"external_id": account, "name": "Initech", "domain": "initech.example"},
    }


def test_one_that_is_deleted_is_closed(world, crm):
    deal = world.opportunity(world.person(ANN))
    _, cursor = told(world.connector())
    crm.delete("opportunity", deal)
    news, _ = told(world.connector(), cursor)
    ended = {"external_id": deal, "is_closed": True, "is_won": False}
    assert news["opportunity.upserted"] == [ended]


def test_a_merge_is_told_by_our_keys(world, crm, outbox):
    keys = {email: str(uuid.uuid4()) for email in (ANN, BOB)}
    outbox.deliver(*(outbox.knows(key, email) for email, key in keys.items()))
    crm.merge(world.people(ANN)[0], world.people(BOB)[0])
    news, _ = told(world.connector())
    assert news["contact.merged"] == [{"contact": keys[BOB], "into": keys[ANN]}]


def test_opt_outs_are_told_and_not_what_we_wrote(world, crm, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))
    news, cursor = told(world.connector())
    assert "consent.withdrawn" not in news
    crm.opt_out(ANN, "prices")
    crm.set_column("contact", world.people(ANN)[0], "donotbulkemail", "Do Not Allow")
    later, _ = told(world.connector(), cursor)
    assert sorted(later["consent.withdrawn"], key=str) == [
        {"contact": key, "newsletter": None},
        {"email": ANN, "newsletter": "prices"},
    ]


def test_newsletters_are_told_by_their_keys(world, crm):
    crm.make_topic("Price alerts")
    crm.make_topic("Birthday greetings")
    for topic in ("Price alerts", "Birthday greetings", "prices"):
        crm.opt_out(ANN, topic)
    news, _ = told(world.connector(newsletters={"alerts": "Price alerts"}))
    assert news["consent.withdrawn"] == [
        {"email": ANN, "newsletter": "alerts"},
        {"email": ANN, "newsletter": "prices"},
    ]


def test_many_are_told_page_by_page_each_once(world):
    deals = {world.opportunity() for _ in range(23)}
    connector, cursor, seen = world.connector(), None, []
    while True:
        news, after = connector.changes(cursor, 5)
        seen += [one.body["data"]["external_id"] for one in news]
        if after == cursor:
            break
        cursor = after
    assert sorted(seen) == sorted(deals)
    assert len(cursor) < 500


def test_whoever_was_away_for_a_week_reads_all_again_under_the_same_ids(world, crm, monkeypatch):
    world.opportunity(world.person(ANN))
    connector = world.connector()
    before, cursor = connector.changes(None, 50)
    late = datetime.now(UTC) + timedelta(days=8)
    monkeypatch.setattr(crm.records, "clock", lambda: late)
    again, after = connector.changes(cursor, 50)
    assert {one.id for one in again} == {one.id for one in before}
    assert after != cursor


def test_a_table_that_is_not_tracked_harms_no_other(world, crm):
    crm.records.tables["connection"].is_tracked = False
    world.opportunity(world.person(ANN))
    news, _ = told(world.connector())
    assert [*news] == ["opportunity.upserted", "contact_role.added"]


def test_a_field_nobody_has_is_looked_for_once(world, outbox):
    people = [(str(uuid.uuid4()), f"{number}@acme.example") for number in range(20)]
    before = world.calls()
    outbox.deliver(*(outbox.knows(key, email, no_such="x") for key, email in people))
    assert world.calls() - before < 15


def test_a_quiet_day_brings_a_new_token(world):
    connector = world.connector()
    _, cursor = told(connector)
    old = re.sub(r":\d{4}-\d\d-\d\d\|", ":2026-01-01|", cursor)
    assert connector.changes(old, 50)[1] != old
    assert connector.changes(cursor, 50) == ([], cursor)


# --- calls ---


def test_a_token_that_ended_is_renewed_and_nobody_hears_of_it(world, crm, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    crm.entrance.end_tokens()
    assert outcomes(outbox.deliver(outbox.scores(key, ANN, "fit", 5))) == [DONE]


def test_dynamics_limits_are_throttling_until_it_says(world, crm, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    crm.entrance.most = 0
    (result,) = outbox.deliver(outbox.scores(key, ANN, "fit", 5))
    assert result.outcome is Outcome.THROTTLED
    assert timedelta(seconds=200) < result.retry_at - datetime.now(UTC) < timedelta(seconds=400)


def test_many_contacts_are_one_call_to_find_and_one_to_write(world, outbox):
    people = [(str(uuid.uuid4()), f"{number}@acme.example") for number in range(40)]
    outbox.deliver(outbox.knows(str(uuid.uuid4()), BOB, country="DE"))
    before = world.calls()
    changes = [outbox.knows(key, email, country="DE") for key, email in people]
    assert set(outcomes(outbox.deliver(*changes))) == {DONE}
    assert world.calls() - before <= 5
    assert outbox.connector.capabilities.batch >= 40


def test_nothing_personal_stands_in_a_url(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN, country="DE"))
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    told(outbox.connector)
    assert not any("acme" in path for _, path, _, _ in world.seen)


def test_the_secret_goes_to_who_gives_tokens_and_nowhere_else(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    with_it = {path for _, path, _, body in world.seen if b"sandbox-secret" in body}
    assert with_it == {"/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token"}


BATCH = b"""--b\r
Content-Type: application/http\r
Content-Transfer-Encoding: binary\r
\r
HTTP/1.1 204 No Content\r
OData-EntityId: x\r
\r
\r
--b--\r
"""
MIXED = {"Content-Type": "multipart/mixed; boundary=b"}


def test_the_answer_to_a_batch_is_read():
    (answer,) = batches.read(Answer(200, MIXED, BATCH), 1)
    assert (answer.status, answer.headers["odata-entityid"], answer.body) == (204, "x", b"")


@pytest.mark.parametrize(
    ("headers", "body", "count"),
    [
        (MIXED, BATCH, 2),
        (MIXED, BATCH[: len(BATCH) // 2], 1),
        (MIXED, BATCH[:-9], 1),
        (MIXED, b'{"value":[]}', 1),
        ({"Content-Type": "image/png"}, BATCH, 1),
        ({}, BATCH, 1),
        (MIXED, BATCH.replace(b"HTTP/1.1 204", b"HTTP/1.1 two"), 1),
        (MIXED, b"", 1),
    ],
)
def test_an_answer_that_is_not_whole_says_nothing_of_any(headers, body, count):
    with pytest.raises(NotTakenError) as raised:
        batches.read(Answer(200, headers, body), count)
    assert raised.value.outcome is Outcome.RETRY


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (500, b'{"error":{"code":"0x80072321","message":"ann"}}', Outcome.THROTTLED),
        (400, b'{"error":{"code":"0x80044151","message":"ann"}}', Outcome.RETRY),
        (400, b'{"error":{"code":"0x80040217","message":"ann"}}', LATER),
        (500, b'{"error":{"code":"0x80044331","message":"ann"}}', Outcome.RETRY),
        (403, b'{"error":{"code":"0x80040220","message":"ann"}}', Outcome.AUTH),
        (403, b'{"error":{"code":"0x80048306","message":"ann"}}', Outcome.REJECTED),
        (400, b'{"error":{"code":"ann","message":"ann"}}', Outcome.REJECTED),
        (400, b'{"error":"ann"}', Outcome.RETRY),
        (400, b"[]", Outcome.RETRY),
        (404, b"<h1>404</h1>", Outcome.RETRY),
        (401, b"", Outcome.RETRY),
        (404, b'{"error":{"code":"","message":"ann"}}', LATER),
        (412, b'{"error":{"code":"","message":"The version of the existing record"}}', LATER),
    ],
)
def test_a_refusal_is_judged_by_its_code(status, body, outcome):
    error = judged(Answer(status, {}, body))
    assert error.outcome is outcome
    assert "ann" not in str(error)


# --- setting up ---


def test_the_plan_is_made_once_and_says_so_first(unprepared):
    world, connector = unprepared, unprepared.connector()
    plan = connector.provision(VOCABULARY)
    assert not any(one.fine for one in plan)
    assert not any(one.startswith("regp_") for one in world.crm.records.tables["contact"].columns)
    made = connector.provision(VOCABULARY, dry_run=False)
    again = connector.provision(VOCABULARY, dry_run=False)

    assert [one.subject for one in made] == [one.subject for one in plan]
    assert all(one.fine for one in [*made, *again])
    (publisher,) = world.rows("publisher").values()
    (solution,) = world.rows("solution").values()
    assert solution["publisherid"] == ("publisher", publisher["publisherid"])
    options = world.crm.records.tables["opportunity"].columns["regp_buying_phase"].options
    assert [(one.value, one.external) for one in options][:2] == [
        (727000000, "unaware"),
        (727000001, "interest"),
    ]


def test_options_that_a_choice_lacks_come_after_those_it_has(world):
    more = Vocabulary({**VOCABULARY.phases, "flying": "Flying"}, VOCABULARY.scores)
    connector = world.connector()
    assert all(one.fine for one in connector.provision(more, dry_run=False))
    assert all(one.fine for one in connector.check(more))
    last = world.crm.records.tables["opportunity"].columns["regp_buying_phase"].options[-1]
    assert (last.value, last.external, last.label) == (727000006, None, "Flying")
    crm_says = Vocabulary({**more.phases, "u_turn": "Turning round"}, VOCABULARY.scores)
    assert all(one.fine for one in connector.provision(crm_says, dry_run=False))
    assert all(one.fine for one in connector.check(crm_says))


def test_the_check_says_what_is_not_tracked_and_which_index_is_missing(world, crm):
    crm.records.tables["connection"].is_tracked = False
    crm.records.tables["contact"].keys[0].status = "Failed"
    amiss = {one.subject for one in world.connector().check(VOCABULARY) if not one.fine}
    assert amiss == {"table connection", "key of regp_id"}


def test_a_column_without_its_key_is_no_key(world, crm):
    crm.records.tables["contact"].keys.clear()
    amiss = [one.subject for one in world.connector().check(VOCABULARY) if not one.fine]
    assert amiss == ["contact.regp_id"]
    made = world.connector().provision(VOCABULARY, dry_run=False)
    assert [one.fine for one in made] == [True]
    assert all(one.fine for one in world.connector().check(VOCABULARY))


def test_whoever_is_not_let_in_is_told_so(world):
    world.trouble("auth", times=5)
    (only,) = world.connector().check(VOCABULARY)
    assert (only.fine, only.subject) == (False, "Dynamics")


def test_an_application_must_be_named(world):
    with pytest.raises(ConfigError, match="client and token_url"):
        world.connector(client=None)


# --- webhooks ---


@pytest.mark.parametrize(
    ("headers", "size", "status"),
    [
        ({"X-Regportal-Key": "new"}, 2, 202),
        ({"x-regportal-key": "old"}, 2, 202),
        ({"X-Regportal-Key": "wrong"}, 2, 401),
        ({"X-Regportal-Key": "łódź"}, 2, 401),
        ({"X-Regportal-Key": ""}, 2, 401),
        ({}, 2, 401),
        ({"X-Regportal-Key": "new"}, 300_000, 413),
    ],
)
def test_a_call_with_our_key_is_a_hint(world, headers, size, status):
    secrets = {"env:DYNAMICS": "sandbox-secret", "env:IN": "new, old"}
    connector = world.connector(secrets=secrets, inbound_secret="env:IN")
    reply = connector.accept(InboundRequest(headers, b"\xff" * size), now=NOON)
    assert reply.status == status
    assert reply.is_hint is (status == 202)


def test_without_a_key_of_its_own_no_call_is_genuine(world):
    request = InboundRequest({"X-Regportal-Key": "sandbox-secret"}, b"{}")
    assert world.connector().accept(request, now=NOON).status == 401


def desk_of(world):
    """Return the desk of a connector."""
    desk = world.connector()._desk
    assert isinstance(desk, DynamicsDesk)
    return desk


def whose_of(email):
    return Whose(str(uuid.uuid4()), email)
