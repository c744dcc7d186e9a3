"""What only Tryton does: its merges, its two databases, its way of refusing."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from regportal.connectors.base import Vocabulary
from regportal.connectors.egress import Answer
from regportal.connectors.places import Place, given
from regportal.connectors.rules import Outcome
from regportal.connectors.tryton.api import judged, like
from tests.connectors.changes import MINUTE, Outbox
from tests.connectors.worlds.given import TRYTON

ANN, BOB = "ann@acme.example", "bob@acme.example"
DONE, NOOP = Outcome.DONE, Outcome.NOOP


@pytest.fixture(
    params=[
        pytest.param("tryton_on_sqlite", marks=TRYTON),
        pytest.param("tryton_on_postgresql", marks=[TRYTON, pytest.mark.soak]),
    ]
)
def tryton(request):
    """Acme's Tryton with nobody in it yet."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def outbox(tryton):
    return Outbox(tryton.connector())


def news_of(connector, cursor):
    """Return what is told after a cursor, by its type, and the next cursor."""
    news, after = connector.changes(cursor, 50)
    return [(one.body["type"], one.body["data"]) for one in news], after


# --- refusals, as a Tryton 8.2 wrote them ---

PAGE = "<!doctype html>\n<html lang=en>\n<title>{0} {1}</title>\n<h1>{1}</h1>\n<p>{2}</p>\n"
UNREADABLE = (
    "The server could not verify that you are authorized to access the URL requested. You either "
    "supplied the wrong credentials (e.g. a bad password), or your browser doesn&#39;t understand "
    "how to supply the credentials required."
)
LOCKED = "could not serialize access due to concurrent update"
CHOICE = (
    'The value \\"nonsense\\" for field \\"Buying Phase\\" in record \\"1\\" of '
    '\\"Sale Opportunity\\" is not one of the allowed options.'
)
READ_ONLY = (
    'You are not allowed to modify the field \\"Email\\" in record \\"ann@acme.example\\" of '
    '\\"Marketing Email\\".'
)
NO_ACCESS = 'You are not allowed to access \\"Marketing Email\\".'


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, f'{{"status": 400, "message": "{CHOICE}", "description": ""}}', Outcome.REJECTED),
        (400, f'{{"status": 400, "message": "{READ_ONLY}", "description": ""}}', Outcome.REJECTED),
        (400, f'{{"status": 400, "message": "{NO_ACCESS}", "description": ""}}', Outcome.AUTH),
        (400, PAGE.format(400, "Bad Request", "Unable to read JSON request"), Outcome.REJECTED),
        (401, PAGE.format(401, "Unauthorized", UNREADABLE), Outcome.AUTH),
        (403, PAGE.format(403, "Forbidden", "You don&#39;t have the permission"), Outcome.AUTH),
        (404, PAGE.format(404, "Not Found", "The requested URL was not found"), Outcome.AUTH),
        (413, PAGE.format(413, "Request Entity Too Large", "…"), Outcome.REJECTED),
        (429, PAGE.format(429, "Too Many Requests", "…"), Outcome.THROTTLED),
        (500, PAGE.format(500, "Internal Server Error", "&#39;nofield&#39;"), Outcome.REJECTED),
        (500, PAGE.format(500, "Internal Server Error", "&#39;no.model&#39;"), Outcome.REJECTED),
        (500, PAGE.format(500, "Internal Server Error", "disk I/O error"), Outcome.RETRY),
        (502, "<html>Bad Gateway</html>", Outcome.RETRY),
        (503, PAGE.format(503, "Service Unavailable", LOCKED), Outcome.RETRY),
    ],
)
def test_a_refusal_is_read_by_its_body(status, body, outcome):
    error = judged(Answer(status, {}, body.encode()))

    assert error.outcome is outcome
    assert not any(one in str(error) for one in ("nonsense", "ann@", "serialize", "<"))


def test_a_pattern_fits_only_the_text_itself():
    assert like("a_%\\@acme.example") == "a\\_\\%\\\\@acme.example"


# --- people ---


def test_an_address_with_signs_of_patterns_is_only_itself(tryton, outbox, key):
    tryton.person("anneli@acme.example")
    outbox.deliver(outbox.knows(key, "ann_l%@acme.example"))

    assert len(tryton.people("ann\\_l\\%@acme.example")) == 1
    assert len(tryton.people("anneli@acme.example")) == 1


def test_who_was_merged_is_the_one_they_became(tryton, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.scores(key, ANN, "fit", 20))
    (ours,) = tryton.people(ANN)
    winner = tryton.person(BOB)
    tryton.merge(ours, winner)

    assert (
        outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="DE"))[0].outcome is DONE
    )
    assert outbox.links[f"contact:{key}"].ref == winner
    assert tryton.field(winner, "country") == "DE"
    outbox.links.clear()  # also where we forgot which one it is
    assert outbox.deliver(outbox.scores(key, ANN, "fit", 72.5))[0].outcome is DONE
    assert tryton.field(winner, "regportal_fit") == 72.5
    outbox.links.clear()
    stranger = str(uuid.uuid4())  # the address of one that was merged is the other's, if nobody's
    outbox.deliver(outbox.knows(stranger, ANN, country="FR"))
    assert outbox.links[f"contact:{stranger}"].ref == winner


def test_a_merge_is_told(tryton, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    _, cursor = news_of(outbox.connector, None)
    (ours,), winner = tryton.people(ANN), tryton.person(BOB)
    tryton.merge(ours, winner)

    told, _ = news_of(outbox.connector, cursor)
    assert ("contact.merged", {"contact": key, "into": BOB}) in told


def test_nothing_of_ours_is_left_of_somebody_who_was_merged(tryton, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    deal = tryton.opportunity(tryton.people(ANN)[0])
    outbox.deliver(outbox.did(key, ANN, deal))
    (ours,), winner = tryton.people(ANN), tryton.person(BOB)
    assert len(tryton.notes(deal, "sale.opportunity")) == 1
    tryton.merge(ours, winner)
    outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="DE"))

    assert outbox.deliver(outbox.forgets(key))[0].outcome is DONE
    assert [tryton.notes(one) for one in (ours, winner)] == [[], []]
    assert tryton.notes(deal, "sale.opportunity") == []
    assert [tryton.field(one, "regportal_id") for one in (ours, winner)] == [None, None]


def test_a_line_of_contact_is_written_in_its_place(tryton, outbox, key):
    there = tryton.person(ANN, phone="+49 30 1")
    outbox.deliver(outbox.knows(key, ANN, phone="+49 30 2", mobile="+49 170 3"))

    assert tryton.field(there, "phone") == "+49 30 2"
    assert tryton.field(there, "mobile") == "+49 170 3"
    assert tryton.field(there, "email") == ANN


def test_who_told_no_name_is_called_by_the_address_until_then(tryton, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = tryton.people(ANN)
    assert tryton.field(there, "name") == ANN

    outbox.deliver(outbox.knows(key, ANN, "contact.updated", name="Ann Smith"))
    assert tryton.field(there, "name") == "Ann Smith"


def test_a_refused_field_is_named_and_its_value_is_not(tryton, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (result,) = outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="refused"))

    assert (result.outcome, result.says) == (
        Outcome.REJECTED,
        "a rule of Tryton refused it: country",
    )


def test_a_field_that_is_not_there_is_no_trouble_of_the_server(tryton, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (result,) = outbox.deliver(outbox.knows(key, ANN, "contact.updated", shoe_size="42"))

    assert (result.outcome, result.says) == (Outcome.NOOP, "the CRM has no field shoe_size")


def test_a_list_that_is_not_there_is_named(tryton, outbox, key):
    (result,) = outbox.deliver(outbox.allows(key, ANN, "nothing", "confirmed"))

    assert (result.outcome, result.says) == (
        Outcome.REJECTED,
        "the CRM has no mailing list 'nothing': make it there, or name another in `newsletters`",
    )


# --- the buying phase ---


def test_of_two_who_write_at_once_only_one_does(tryton, outbox):
    deal = tryton.opportunity(tryton.person(ANN))
    connectors = [Outbox(tryton.connector()) for _ in range(4)]
    phases = ("interest", "comparison", "decision", "purchase")

    def move(pair):
        one, phase = pair
        return one.deliver(one.moves(deal, phase))[0].outcome

    with ThreadPoolExecutor(4) as hands:
        found = [*hands.map(move, zip(connectors, phases, strict=True))]

    assert found.count(DONE) == 1
    assert tryton.phase(deal) == phases[found.index(DONE)]
    assert {*found} <= {DONE, Outcome.LATER, Outcome.RETRY, Outcome.CONFLICT}


def test_phases_and_scores_are_made_fields_are_not(tryton):
    more = Vocabulary({"interest": "Interest", "flying": "Flying"}, {"intent": "Intent"})
    connector = tryton.connector(fields={"shoe": "shoe_size"})
    assert {one.subject for one in connector.provision(more) if not one.fine} == {
        "contact.regportal_intent",
        "contact.shoe_size",
        "opportunity.buying_phase",
    }

    made = {one.subject: one.fine for one in connector.provision(more, dry_run=False)}
    assert made == {
        "contact.regportal_intent": True,
        "contact.shoe_size": False,
        "opportunity.buying_phase": True,
    }
    outbox, deal = Outbox(connector), tryton.opportunity(tryton.person(ANN))
    assert outbox.deliver(outbox.moves(deal, "flying"))[0].outcome is DONE
    assert outbox.deliver(outbox.scores(str(uuid.uuid4()), ANN, "intent", 9))[0].outcome is DONE


# --- what happens there ---


def test_an_opportunity_is_told_with_who_has_a_part_in_it(tryton, outbox, key):
    connector = outbox.connector
    outbox.deliver(outbox.knows(key, ANN))
    _, cursor = news_of(connector, None)
    company = tryton.person("info@initech.example", name="Initech")
    deal = tryton.opportunity(company)
    tryton.contact(deal, *tryton.people(ANN))
    told, _ = news_of(connector, cursor)

    assert [type for type, _ in told] == ["opportunity.upserted", "contact_role.added"]
    (_, its), (_, role) = told
    assert its["external_id"] == deal
    assert (its["name"], its["stage"], its["probability"]) == ("500 widgets", "lead", 50.0)
    assert (its["amount"], its["currency"], its["is_closed"]) == (None, "EUR", False)
    assert its["account"] == {"external_id": company, "name": "Initech"}
    assert its["owner"] == {"name": "Sam", "email": None}
    assert role == {"opportunity": deal, "contact": key}
    assert its["contacts"] == [{"contact": key}]
    assert {
        one.id for one in connector.open_opportunities(tryton.people(ANN))[tryton.people(ANN)[0]]
    } == {deal}


def test_an_opt_out_by_hand_is_told_and_our_own_is_not(tryton, outbox, key):
    connector = tryton.connector(newsletters={"widget-prices": "prices"})
    outbox.connector = connector
    _, cursor = news_of(connector, None)
    for state in ("confirmed", "withdrawn"):
        outbox.now += MINUTE
        outbox.deliver(outbox.allows(key, ANN, "widget-prices", state))
    tryton.opt_out(tryton.person(BOB), BOB, "prices")
    told, _ = news_of(connector, cursor)

    assert [one for type, one in told if type == "consent.withdrawn"] == [
        {"email": BOB, "newsletter": "widget-prices"}
    ]


def test_however_many_changed_at_once_all_are_told(tryton):
    connector = tryton.connector()
    person = tryton.person(ANN)
    deals = {tryton.opportunity(person) for _ in range(5)}
    seen, cursor = set(), None
    for _ in range(10):
        news, cursor = connector.changes(cursor, 2)
        assert len(news) <= 2
        seen |= {one.body["data"].get("external_id") for one in news}
        if len(news) < 2:
            break

    assert seen - {None} == deals
    begin = Place.read(given("tryton", cursor).split(",")[0]).since
    assert datetime.now(UTC) - begin >= 2 * MINUTE  # from there again: what is written may be late
    assert connector.changes(cursor, 50) == ([], cursor)


def test_a_tryton_without_newsletters_is_asked_for_none(tryton):
    connector = tryton.connector(sends=["contact", "phase"])
    deal = tryton.opportunity(tryton.person(ANN))
    told, cursor = news_of(connector, None)

    assert ("opportunity.upserted", deal) in [(one, its.get("external_id")) for one, its in told]
    assert not any("marketing" in path for path in tryton.paths)
    tryton.opt_out(tryton.person(BOB), BOB, "prices")
    later, _ = news_of(tryton.connector(), cursor)  # and once it has some, from the first
    assert ("consent.withdrawn", {"email": BOB, "newsletter": "prices"}) in later


# --- who we are ---


def test_nothing_personal_and_no_key_stands_in_an_address(tryton, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.connector.changes(None, 50)

    assert tryton.paths
    assert not any("acme.example" in path or key in path or "?" in path for path in tryton.paths)


def test_the_check_says_whom_it_asked(tryton):
    (found, *_) = tryton.connector().check(Vocabulary())
    assert (found.fine, found.says) == (True, "lets us in: 8.2")

    (found,) = tryton.connector(database="nowhere").check(Vocabulary())
    assert (found.fine, found.says) == (False, "there is no such database there, or no REST")
    tryton.trouble("auth", times=10)
    (found,) = tryton.connector().check(Vocabulary())
    assert not found.fine
