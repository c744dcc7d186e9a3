"""What every connector to a CRM keeps to (crm.md 10), tried on each of them."""

import functools
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from regportal.connectors.base import MOST_INBOUND, InboundRequest, Link, Vocabulary
from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome
from tests.connectors.changes import MINUTE, NOON, Outbox

ANN, BOB = "ann@acme.example", "bob@acme.example"
STRANGE = "\"><script>alert(1)</script> 'Ann' & \\ {{7*7}} 🙂 łódź"
DONE, NOOP, LATER = Outcome.DONE, Outcome.NOOP, Outcome.LATER


@pytest.fixture
def outbox(world):
    """What we owe that CRM."""
    return Outbox(world.connector(), names=world.names)


def outcomes(results):
    return [one.outcome for one in results]


def has_newsletters(world):
    return world.connector().capabilities.newsletter is not None


def where_there_are_newsletters(test):
    """Let a test say nothing of a CRM that has none."""

    @functools.wraps(test)
    def of_those(world, **given):
        if has_newsletters(world):
            test(world, **given)

    return of_those


# --- contacts ---


def test_a_contact_told_twice_is_there_once(world, outbox, key):
    assert outcomes(outbox.deliver(outbox.knows(key, ANN, country="DE"))) == [DONE]
    again = outbox.knows(key, ANN, "contact.updated", country="FR")
    assert outcomes(outbox.deliver(again)) == [DONE]
    (there,) = world.people(ANN)
    assert world.field(there, "country") == "FR"
    assert outcomes(outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="FR"))) == [
        NOOP
    ]


def test_whom_the_crm_knows_by_the_address_is_that_contact(world, outbox, key):
    there = world.person(ANN.upper(), phone="+49 30 1")
    (result,) = outbox.deliver(outbox.knows(key, ANN, country="DE"))
    assert (result.outcome, result.link.ref) == (DONE, there)
    assert world.people(ANN) == [there]
    assert (world.field(there, "country"), world.field(there, "phone")) == ("DE", "+49 30 1")


def test_two_contacts_with_one_address_are_for_a_person_to_tell_apart(world, outbox, key):
    if not world.shares_addresses:
        world.person(ANN)
        with pytest.raises(ValueError, match="exists"):
            world.person(ANN)
        return
    both = {world.person(ANN), world.person(ANN)}
    (result,) = outbox.deliver(outbox.knows(key, ANN, country="DE"))
    assert (result.outcome, {*result.candidates}) == (Outcome.AMBIGUOUS, both)
    assert ANN not in result.says
    assert not any(world.field(one, "country") for one in both)


def test_a_contact_whose_address_is_changed_there_stays_the_same(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN, country="DE"))
    (there,) = world.people(ANN)
    world.set_field(there, "email", "ann.smith@acme.example")
    outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="FR"))
    outbox.links.clear()  # and also where we forgot which one it is
    outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="IT"))
    assert world.people(ANN) == []
    assert world.field(there, "country") == "IT"


def test_two_subjects_with_one_address_make_one_contact(world, outbox):
    both = [outbox.knows(str(uuid.uuid4()), address) for address in (ANN, ANN.upper())]
    assert sorted(outcomes(outbox.deliver(*both))) == sorted([DONE, LATER])
    assert len(world.people(ANN)) == 1


def test_a_contact_deleted_there_is_made_again(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN, country="DE"))
    world.delete(world.people(ANN)[0])
    assert outcomes(outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="FR"))) == [
        DONE
    ]
    (there,) = world.people(ANN)
    assert outbox.links[f"contact:{key}"].ref == there


def test_one_that_went_away_after_it_was_read_is_looked_for_again(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN, country="DE"))
    world.meanwhile(lambda: world.delete(world.people(ANN)[0]))
    change = outbox.knows(key, ANN, "contact.updated", country="FR")
    (result,) = outbox.deliver(change)
    assert result.outcome in {LATER, Outcome.RETRY, DONE}
    if result.outcome is not DONE:
        assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]
    assert len(world.people(ANN)) == 1


def test_each_field_follows_its_policy(world, key):
    kept = {"country": "if_empty", "phone": "never"}
    policies = {world.names.get(name, name): policy for name, policy in kept.items()}
    outbox = Outbox(world.connector(policies=policies), names=world.names)
    there = world.person(ANN, country="DE")
    outbox.deliver(outbox.knows(key, ANN, country="FR", phone="+33 1"))
    assert world.field(there, "country") == "DE"
    assert not world.field(there, "phone")


def test_strange_texts_are_texts(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN, country=STRANGE))
    assert world.field(world.people(ANN)[0], "country") == STRANGE


def test_one_bad_record_among_many_harms_no_other(world, outbox):
    many = [(str(uuid.uuid4()), f"visitor-{number}@acme.example") for number in range(9)]
    changes = [
        outbox.knows(key, email, country="refused" if number == 4 else "DE")
        for number, (key, email) in enumerate(many)
    ]
    found = outcomes(outbox.deliver(*changes))
    assert found.pop(4) is Outcome.REJECTED
    assert set(found) == {DONE}
    assert [len(world.people(email)) for _, email in many] == [1] * 4 + [0] + [1] * 4


def test_a_field_the_crm_does_not_have_is_left_out_and_said(world, outbox):
    people = [(str(uuid.uuid4()), address) for address in (ANN, BOB)]
    for country in ("DE", "FR"):
        more = {"country": country}
        changes = [
            outbox.knows(key, email, **(more | ({"no_such_field": "x"} if email == ANN else {})))
            for key, email in people
        ]
        results = outbox.deliver(*changes)
        assert set(outcomes(results)) <= {DONE, NOOP}
        assert ["no_such_field" in one.says for one in results] == [True, False]
        (there,) = world.people(ANN)
        assert world.field(there, "country") == country
        assert outbox.links[f"contact:{people[0][0]}"].ref == there


@pytest.mark.parametrize("is_known", [False, True])
def test_without_the_field_of_our_key_all_waits_for_it_and_that_is_said(
    world, outbox, key, is_known
):
    if is_known:
        outbox.deliver(outbox.knows(key, ANN))
    name = world.lose_key()
    if name is None:
        return
    changes = [
        outbox.knows(key, ANN, country="DE"),
        outbox.scores(key, ANN, "fit", 50),
        outbox.did(key, ANN),
    ]
    if has_newsletters(world):
        changes.append(outbox.allows(key, ANN, "prices", "confirmed"))
    results = [result for change in changes for result in outbox.deliver(change)]
    waits = [one for one in results if one.outcome is Outcome.GONE]
    assert all(name in one.says for one in waits)
    assert len(waits) == len(changes) or (is_known and {*outcomes(results)} <= {DONE, Outcome.GONE})
    assert len(world.people(ANN)) == is_known


def test_a_record_we_may_not_write_is_refused_alone_and_stops_nothing(world, outbox):
    keys = [str(uuid.uuid4()) for _ in (ANN, BOB)]
    outbox.deliver(*(outbox.knows(*who) for who in zip(keys, (ANN, BOB), strict=True)))
    (ann,), (bob,) = world.people(ANN), world.people(BOB)
    if not world.forbid(ann):
        return
    changes = [
        outbox.knows(key, email, "contact.updated", country="DE")
        for key, email in zip(keys, (ANN, BOB), strict=True)
    ]
    assert outcomes(outbox.deliver(*changes)) == [Outcome.REJECTED, DONE]
    assert outcomes(outbox.deliver(outbox.again(changes[0]))) == [Outcome.REJECTED]
    assert [world.field(one, "country") or None for one in (ann, bob)] == [None, "DE"]


def test_a_note_beside_a_record_we_may_not_write_stops_nothing(world, outbox):
    keys = {email: str(uuid.uuid4()) for email in (ANN, BOB)}
    outbox.deliver(*(outbox.knows(key, email) for email, key in keys.items()))
    if not world.forbid(*world.people(ANN)):
        return
    for email, may_be in ((ANN, {Outcome.REJECTED, DONE}), (BOB, {DONE})):
        assert {*outcomes(outbox.deliver(outbox.did(keys[email], email)))} <= may_be


def test_what_is_added_to_a_field_is_added_once(world, key):
    policies = {world.names.get("country", "country"): "append"}
    outbox = Outbox(world.connector(policies=policies), names=world.names)
    there = world.person(ANN, country="x")
    seen = []
    for told in (["a", "b"], "a; b", ["b", "c"], ["b", "c"]):
        topic = "contact.updated" if seen else "contact.identified"
        (result,) = outbox.deliver(outbox.knows(key, ANN, topic, country=told))
        parts = world.field(there, "country").split(";")
        seen.append((result.outcome, [one.strip() for one in parts]))
    abc = ["x", "a", "b", "c"]
    assert seen == [(DONE, abc[:3]), (NOOP, abc[:3]), (DONE, abc), (NOOP, abc)]


# --- what they did ---


def test_what_was_done_is_seen_once_however_often_it_is_told(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    change = outbox.did(key, ANN, title=f"Price list {STRANGE}")
    assert outcomes(outbox.deliver(change)) == [DONE]
    assert set(outcomes(outbox.deliver(outbox.again(change)))) <= {DONE, NOOP}
    (note,) = world.notes(world.people(ANN)[0])
    assert STRANGE in note
    assert "price-list" in note


def test_a_day_is_one_note_however_often_it_is_told(world, outbox, key):
    there = world.person(ANN)
    deal = world.opportunity(there)
    titles = ["Price list 2026", "Manual", "Price list 2026", STRANGE]
    change = outbox.day(key, ANN, *titles, opportunities=[deal])
    assert outcomes(outbox.deliver(change)) == [DONE]
    same = outbox.day(key, ANN, *titles, opportunities=[deal], id=change.payload["id"])
    assert set(outcomes(outbox.deliver(outbox.again(change)))) <= {DONE, NOOP}
    assert set(outcomes(outbox.deliver(same))) <= {DONE, NOOP}
    (note,) = world.notes(there)
    assert "2026-03-04: Downloaded Price list 2026, and 2 more" in note
    assert "Downloaded Price list 2026 (2 times" in note
    assert "Downloaded Manual" in note
    assert STRANGE in note


def test_of_somebody_never_told_of_the_contact_is_made_first(world, outbox, key):
    assert outcomes(outbox.deliver(outbox.did(key, ANN))) == [DONE]
    (there,) = world.people(ANN)
    assert len(world.notes(there)) == 1
    assert outbox.links[f"contact:{key}"] == Link(there)


def test_what_is_seen_beside_opportunities(world, outbox, key):
    there = world.person(ANN)
    deals = [world.opportunity(there, name=name) for name in ("one", "two", "three")]
    assert outcomes(outbox.deliver(outbox.did(key, ANN, *deals))) == [DONE]
    assert len(world.notes(there)) == 1
    found = world.connector().open_opportunities([there])
    assert {one.id for one in found[there]} == {*deals}
    world.win(deals[0])
    found = world.connector().open_opportunities([there])
    assert {one.id for one in found[there]} == {*deals[1:]}


def test_somebody_without_an_opportunity_has_none(world):
    there = world.person(ANN)
    assert [*world.connector().open_opportunities([there]).get(there, ())] == []


# --- scores and newsletters ---


def test_a_score_the_crm_has_no_field_for_harms_no_other(world, outbox):
    keys = [str(uuid.uuid4()) for _ in (ANN, BOB)]
    for key, email in zip(keys, (ANN, BOB), strict=True):
        outbox.deliver(outbox.knows(key, email))
    changes = outbox.scores(keys[0], ANN, "nosuch", 1), outbox.scores(keys[1], BOB, "fit", 72.5)
    results = outbox.deliver(*changes)
    first, second = results
    assert second.outcome is DONE
    if first.outcome is not DONE:  # a CRM may take whatever score it is told
        assert (first.outcome, "nosuch" in first.says.casefold()) == (Outcome.REJECTED, True)


def test_a_score_is_a_number_beside_the_contact(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    assert outcomes(outbox.deliver(outbox.scores(key, ANN, "fit", 72.5))) == [DONE]
    (there,) = world.people(ANN)
    assert float(world.field(there, "regportal_fit")) == 72.5
    assert outcomes(outbox.deliver(outbox.scores(key, ANN, "fit", 72.5))) == [NOOP]


@where_there_are_newsletters
def test_a_newsletter_is_allowed_and_taken_back_and_allowed_again(world, outbox, key):
    outbox.now = datetime.now(UTC)  # as the CRM's own clock
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    seen = []
    for state in ("confirmed", "withdrawn", "confirmed"):
        outbox.now += MINUTE
        assert outcomes(outbox.deliver(outbox.allows(key, ANN, "prices", state))) == [DONE]
        seen.append(world.wants(there, ANN, "prices"))
    assert seen == [True, False, True]


@where_there_are_newsletters
def test_a_no_of_the_crm_that_is_newer_is_not_overruled(world, outbox, key):
    there = world.person(ANN)
    world.opt_out(there, ANN, "prices")
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed", at=NOON))
    assert result.outcome is Outcome.CONFLICT
    assert world.wants(there, ANN, "prices") is False


@where_there_are_newsletters
def test_a_no_said_there_after_ours_is_not_overruled(world, outbox, key):
    outbox.now = datetime.now(UTC) - timedelta(days=1)
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    for state in ("confirmed", "withdrawn"):
        outbox.deliver(outbox.allows(key, ANN, "prices", state))
    # by the CRM's clock its "no" is a day younger than ours
    lists = outbox.connector._desk.lists_of({there: ANN})[there]
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    if lists["prices"].since is None:  # theirs cannot be told from ours
        assert result.outcome is DONE
        return
    assert result.outcome is Outcome.CONFLICT
    assert world.wants(there, ANN, "prices") is False


@where_there_are_newsletters
def test_a_withdrawal_is_for_all_who_have_the_address(world, outbox, key):
    if not world.shares_addresses:
        return
    both = [world.person(ANN), world.person(ANN)]
    yes = outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    no = outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))
    assert outcomes([*yes, *no]) == [Outcome.AMBIGUOUS, DONE]
    assert not any(world.field(one, "regportal_id") for one in both)
    assert [world.wants(one, ANN, "prices") for one in both] == [False, False]
    assert f"contact:{key}" not in outbox.links
    again = outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))
    assert outcomes(again) == [NOOP]


@where_there_are_newsletters
def test_a_withdrawal_is_written_even_if_nothing_was_known(world, outbox, key):
    there = world.person(ANN)
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))
    assert result.outcome in {DONE, NOOP}
    assert world.wants(there, ANN, "prices") is not True


@where_there_are_newsletters
def test_a_no_goes_to_every_list_of_a_name_and_a_yes_to_none_of_several(world, outbox, key):
    outbox.now = datetime.now(UTC)  # as the CRM's own clock
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    for name in ("offers", "tips"):
        world.make_list(name)
    yes = [outbox.allows(key, ANN, name, "confirmed") for name in ("offers", "tips")]
    assert [outcomes(outbox.deliver(one)) for one in yes] == [[DONE], [DONE]]
    world.rename_lists("tips", "offers")
    outbox.connector, seen = world.connector(), []  # another process, later
    for state in ("withdrawn", "withdrawn", "confirmed"):
        outbox.now += MINUTE
        (result,) = outbox.deliver(outbox.allows(key, ANN, "offers", state))
        seen.append(result.outcome)
        assert world.wants(there, ANN, "offers") is False
    assert seen == [DONE, NOOP, Outcome.REJECTED]
    assert all(one in result.says for one in ("2", "'offers'"))
    assert ANN not in result.says


def test_a_crm_without_newsletters_says_so_and_nobody_is_made_for_one(world, outbox, key):
    if has_newsletters(world):
        return
    changes = [outbox.allows(key, ANN, "prices", state) for state in ("confirmed", "withdrawn")]
    results = [result for change in changes for result in outbox.deliver(change)]
    results += [*outbox.connector.rehearse(changes[:1], now=outbox.now)]
    looked_at = outbox.connector.check(Vocabulary(newsletters={"prices": "Prices"}))
    (amiss,) = [one for one in looked_at if not one.fine]
    assert {*outcomes(results)} == {Outcome.UNSUPPORTED}
    assert {one.says for one in results} == {amiss.says}
    assert "newsletters" in amiss.says
    assert world.people(ANN) == []


# --- the buying phase ---


def test_an_opportunity_moves_in_either_direction(world, outbox):
    deal = world.opportunity(world.person(ANN))
    for phase in ("interest", "comparison", "interest"):
        assert outcomes(outbox.deliver(outbox.moves(deal, phase))) == [DONE]
        assert world.phase(deal) == phase
    assert world.why(deal) == "Comparison: Ann downloaded “Price list” <2026>"
    assert outcomes(outbox.deliver(outbox.moves(deal, "interest"))) == [NOOP]


def test_a_phase_set_by_hand_is_not_overwritten(world, outbox):
    deal = world.opportunity(world.person(ANN))
    outbox.deliver(outbox.moves(deal, "interest"))
    world.set_phase(deal, "decision")
    (result,) = outbox.deliver(outbox.moves(deal, "comparison"))
    assert (result.outcome, result.current) == (Outcome.CONFLICT, "decision")
    assert world.phase(deal) == "decision"
    assert outcomes(outbox.deliver(outbox.moves(deal, "decision"))) == [NOOP]
    assert outcomes(outbox.deliver(outbox.moves(deal, "comparison"))) == [DONE]


def test_a_phase_that_was_set_and_given_up_for_want_of_an_answer_is_no_conflict(world, outbox):
    deal = world.opportunity(world.person(ANN))
    outbox.deliver(outbox.moves(deal, "interest"))
    world.lose_answers()
    assert outcomes(outbox.deliver(outbox.moves(deal, "comparison"))) == [Outcome.RETRY]
    assert world.phase(deal) == "comparison"
    assert outcomes(outbox.deliver(outbox.moves(deal, "decision"))) == [DONE]
    world.set_phase(deal, "comparison")
    assert outcomes(outbox.deliver(outbox.moves(deal, "interest"))) == [Outcome.CONFLICT]


@where_there_are_newsletters
def test_a_no_of_ours_that_was_never_answered_for_stands_in_no_yes_of_ours(world, outbox, key):
    outbox.now = datetime.now(UTC)  # as the CRM's own clock
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    world.lose_answers()
    ended = outbox.allows(key, ANN, "prices", "withdrawn")
    assert outcomes(outbox.deliver(ended)) == [Outcome.RETRY]
    outbox.now += MINUTE
    again = outbox.allows(key, ANN, "prices", "confirmed")
    assert {*outcomes(outbox.deliver(again))} <= {DONE, NOOP}  # it may have come to nothing
    (contact,) = world.people(ANN)
    assert world.wants(contact, ANN, "prices") is True


def test_a_phase_set_by_hand_while_we_write_is_not_overwritten(world, outbox):
    deal = world.opportunity(world.person(ANN))
    if not outbox.connector.capabilities.compare_and_set:
        return
    world.meanwhile(lambda: world.set_phase(deal, "decision"))
    change = outbox.moves(deal, "comparison")
    assert outcomes(outbox.deliver(change)) == [LATER]
    assert outcomes(outbox.deliver(outbox.again(change))) == [Outcome.CONFLICT]
    assert world.phase(deal) == "decision"


def test_a_closed_opportunity_stays_as_it_is(world, outbox):
    deal = world.opportunity(world.person(ANN))
    outbox.deliver(outbox.moves(deal, "interest"))
    world.win(deal)
    assert outcomes(outbox.deliver(outbox.moves(deal, "comparison"))) == [NOOP]
    assert world.phase(deal) == "interest"


def test_a_phase_the_field_does_not_have_is_refused_before_it_is_sent(world, outbox):
    deal = world.opportunity(world.person(ANN))
    (result,) = outbox.deliver(outbox.moves(deal, "nonsense"))
    assert result.outcome is Outcome.REJECTED
    assert "nonsense" in result.says
    assert not world.phase(deal)


def test_an_opportunity_nobody_has_is_refused(outbox):
    assert outcomes(outbox.deliver(outbox.moves("999999999", "comparison"))) == [Outcome.REJECTED]


# --- rehearsed, before anything is told ---


def test_what_is_rehearsed_is_not_written_and_comes_true(world, outbox, key):
    there = world.person(BOB, country="DE")
    deal = world.opportunity(there)
    ours = str(uuid.uuid4())
    changes = [
        outbox.knows(key, ANN, country="DE"),
        outbox.knows(ours, BOB, country="FR"),
        outbox.moves(deal, "comparison"),
    ]
    new, changed, moved = outbox.connector.rehearse(changes, now=outbox.now)
    assert (outcomes([new, changed, moved]), new.created) == ([DONE, DONE, DONE], True)
    assert world.names.get("country", "country") in changed.says
    assert (world.people(ANN), world.field(there, "country")) == ([], "DE")
    assert not world.phase(deal)
    outbox.deliver(*changes)
    again = [
        outbox.knows(key, ANN, country="DE"),
        outbox.knows(ours, BOB, country="FR"),
        outbox.moves(deal, "comparison"),
    ]
    linked = [one._replace(link=outbox.links[one.subject]) for one in again]
    assert outcomes(outbox.connector.rehearse(linked, now=outbox.now)) == [NOOP] * 3


@where_there_are_newsletters
def test_rehearsed_a_permission_is_not_given(world, outbox, key):
    there = world.person(ANN)
    change = outbox.allows(key, ANN, "prices", "confirmed")
    assert outcomes(outbox.connector.rehearse([change], now=outbox.now)) == [DONE]
    assert not world.wants(there, ANN, "prices")
    stranger = outbox.allows(str(uuid.uuid4()), BOB, "prices", "confirmed")
    (result,) = outbox.connector.rehearse([stranger], now=outbox.now)
    assert (result.outcome, result.created, world.people(BOB)) == (DONE, True, [])


def test_a_contact_made_along_the_way_is_told_as_made(world, outbox, key):
    (result,) = outbox.deliver(outbox.did(key, ANN))
    assert (result.outcome, result.created) == (DONE, True)
    (result,) = outbox.deliver(outbox.did(key, ANN))
    assert not result.created


# --- what happens on the way ---


@pytest.mark.parametrize("what", ["knows", "did", "allows", "scores", "moves"])
def test_an_answer_that_is_lost_has_no_second_effect(world, outbox, key, what):
    if what == "allows" and not has_newsletters(world):
        return
    there = world.person(BOB)
    deal = world.opportunity(there)
    if what not in {"knows", "moves"}:
        outbox.deliver(outbox.knows(key, ANN))
    change = {
        "knows": lambda: outbox.knows(key, ANN, country="DE"),
        "did": lambda: outbox.did(key, ANN),
        "allows": lambda: outbox.allows(key, ANN, "prices", "confirmed"),
        "scores": lambda: outbox.scores(key, ANN, "fit", 50),
        "moves": lambda: outbox.moves(deal, "comparison"),
    }[what]()
    world.lose_answers()
    assert outcomes(outbox.deliver(change)) == [Outcome.RETRY]
    assert set(outcomes(outbox.deliver(outbox.again(change)))) <= {DONE, NOOP}
    if what == "moves":
        assert world.phase(deal) == "comparison"
        return
    (ann,) = world.people(ANN)
    assert len(world.notes(ann)) == (1 if what == "did" else 0)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("auth", Outcome.AUTH), ("throttled", Outcome.THROTTLED), ("down", Outcome.RETRY)],
)
def test_trouble_is_told_for_what_it_is(world, outbox, key, kind, outcome):
    outbox.deliver(outbox.knows(key, ANN))
    world.trouble(kind, times=10)
    (result,) = outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="DE"))
    assert result.outcome is outcome
    assert ANN not in result.says
    if result.retry_at is not None:
        assert timedelta(0) < result.retry_at - datetime.now(UTC) <= timedelta(days=1)


@pytest.mark.parametrize("status", [401, 403, 502])
def test_what_a_gateway_says_is_not_the_crms(world, outbox, key, status):
    outbox.deliver(outbox.knows(key, ANN))
    change = outbox.knows(key, ANN, "contact.updated", country="DE")
    with world.gateway(status):
        assert outcomes(outbox.deliver(change)) == [Outcome.RETRY]
    assert outcomes(outbox.deliver(outbox.again(change))) == [DONE]


def test_nothing_is_said_of_a_person_in_a_reason(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (result,) = outbox.deliver(outbox.knows(key, ANN, "contact.updated", country="refused"))
    assert result.outcome is Outcome.REJECTED
    assert "ann" not in result.says.casefold()


# --- forgetting, asking, looking ---


def test_whoever_is_forgotten_keeps_nothing_of_ours(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.did(key, ANN))
    outbox.deliver(outbox.scores(key, ANN, "fit", 50))
    (there,) = world.people(ANN)
    assert outcomes(outbox.deliver(outbox.forgets(key))) == [DONE]
    assert (world.notes(there), world.field(there, "regportal_fit") or None) == ([], None)
    assert f"contact:{key}" not in outbox.links
    assert outcomes(outbox.deliver(outbox.forgets(str(uuid.uuid4())))) == [NOOP]


def test_whoever_was_made_by_a_call_whose_answer_was_lost_is_forgotten_too(world, outbox, key):
    world.lose_answers()
    assert outcomes(outbox.deliver(outbox.knows(key, ANN, country="DE"))) == [Outcome.RETRY]
    (there,) = world.people(ANN)
    assert world.field(there, "regportal_id") == key
    assert outcomes(outbox.deliver(outbox.forgets(key))) == [DONE]
    assert not world.field(there, "regportal_id")
    assert outcomes(outbox.deliver(outbox.forgets(key))) == [NOOP]


@pytest.mark.parametrize("forbid", ["forbid", "keep_notes"])
def test_each_is_forgotten_or_not_by_himself(world, outbox, forbid):
    keys = {email: str(uuid.uuid4()) for email in (ANN, BOB)}
    outbox.deliver(*(outbox.knows(key, email) for email, key in keys.items()))
    outbox.deliver(*(outbox.did(key, email) for email, key in keys.items()))
    (ann,), (bob,) = world.people(ANN), world.people(BOB)
    if not getattr(world, forbid)(ann):
        return
    results = outbox.deliver(*map(outbox.forgets, keys.values()))

    assert outcomes(results) == [Outcome.REJECTED, DONE]
    assert (world.notes(bob), world.field(bob, "regportal_id") or None) == ([], None)


def test_whoever_is_there_twice_is_forgotten_twice(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.did(key, ANN))
    (there,) = world.people(ANN)
    other = world.person(BOB)
    outbox.links[f"contact:{key}"] = Link(other)  # as after they were merged, and parted again
    assert outcomes(outbox.deliver(outbox.forgets(key))) == [DONE]
    assert (world.notes(there), world.field(there, "regportal_id") or None) == ([], None)


def test_whoever_is_not_forgotten_stays_as_he_is(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    (forgotten,) = outbox.deliver(outbox.forgets(str(uuid.uuid4())))
    assert forgotten.outcome is NOOP
    assert world.field(there, "regportal_id") == key


def test_what_changed_is_told_once_after_a_cursor(world):
    connector = world.connector()
    _, cursor = connector.changes(None, 50)
    deal = world.opportunity(world.person(ANN))
    news, after = connector.changes(cursor, 50)
    assert any(one.body["type"] == "opportunity.upserted" for one in news)
    again, _ = connector.changes(cursor, 50)
    assert {one.id for one in again} >= {one.id for one in news}
    world.win(deal)
    later, _ = connector.changes(after, 50)
    assert {one.id for one in later} - {one.id for one in news}


@pytest.mark.parametrize("of", ["another:", ""])
def test_the_cursor_of_another_crm_is_asked_from_the_beginning(world, of):
    cursor = f"{of}2026-03-04T12:00:00Z/006A/2026-03-04T11:58:00Z"
    with pytest.raises(NotTakenError) as caught:
        world.connector().changes(cursor, 50)
    assert caught.value.outcome is Outcome.GONE


def test_a_call_is_taken_from_nobody_without_proof_and_read_only_so_far(world):
    connector = world.connector()
    takes_calls = connector.capabilities.inbound != "none"
    answers = [
        connector.accept(InboundRequest({}, b" " * size), now=NOON).status
        for size in (2, MOST_INBOUND, MOST_INBOUND + 1)
    ]
    assert answers == [401, 401, 413 if takes_calls else 401]


def polled(connector, cursor=None, limit=50):
    """Return what is told until the cursor stays, and that cursor; it stays after some calls."""
    told = []
    for _ in range(100):
        news, after = connector.changes(cursor, limit)
        told += news
        if after == cursor:
            return told, cursor
        cursor = after
    raise AssertionError("it goes in circles")


def of_opportunities(news):
    data = [one.body["data"] for one in news if one.body["type"] == "opportunity.upserted"]
    return {one["external_id"] for one in data}


def test_more_changes_of_one_moment_than_a_page_holds_are_all_told(world):
    there, connector = world.person(ANN), world.connector()
    world.stand_still()
    deals = {world.opportunity(there, name=f"deal {number}") for number in range(9)}
    told, cursor = polled(connector, limit=4)
    assert of_opportunities(told) == deals
    more = {world.opportunity(there, name=f"more {number}") for number in range(3)}
    with world.a_minute_later():
        told, _ = polled(connector, cursor, limit=4)
    assert of_opportunities(told) >= more


def test_what_is_seen_late_beside_full_pages_is_told(world):
    there, connector = world.person(ANN), world.connector()
    deals = {world.opportunity(there, name=f"deal {number}") for number in range(6)}
    told, cursor = polled(connector, limit=3)
    late = world.opportunity(there, name="late")
    world.backdate(late, timedelta(seconds=100))
    with world.a_minute_later():
        more, _ = polled(connector, cursor, limit=3)
    assert (of_opportunities(told), late in of_opportunities(more)) == (deals, True)


@where_there_are_newsletters
def test_a_no_that_was_taken_back_and_is_said_again_is_told_again(world, outbox, key):
    outbox.now = datetime.now(UTC) + timedelta(hours=1)  # our "yes" is newer than their "no"
    both, told = ("withdrawn", "confirmed"), set()
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    for state in both:  # whatever that CRM needs for a list is there
        outbox.deliver(outbox.allows(key, ANN, "prices", state))
    for _ in range(2):
        world.opt_out(there, ANN, "prices")
        news, _ = polled(outbox.connector)
        said = {one.id for one in news if one.body["type"] == "consent.withdrawn"}
        assert said - told
        told |= said
        for state in both:  # what we heard, and what he says to us later
            outbox.now += MINUTE
            outbox.deliver(outbox.allows(key, ANN, "prices", state))
        assert world.wants(there, ANN, "prices") is True


TOLD_FIRST = {
    "consent": lambda outbox, key: outbox.allows(key, ANN, "prices", "confirmed"),
    "note": lambda outbox, key: outbox.did(key, ANN),
    "day": lambda outbox, key: outbox.day(key, ANN, "Manual"),
    "score": lambda outbox, key: outbox.scores(key, ANN, "fit", 72.5),
}


def may_tell(world):
    return {*TOLD_FIRST} - (set() if has_newsletters(world) else {"consent"})


@pytest.mark.parametrize("first", TOLD_FIRST)
@where_there_are_newsletters
def test_the_no_of_whom_the_crm_knew_before_us_is_told_whatever_he_was_told_of_first(
    world, outbox, key, first
):
    outbox.now = datetime.now(UTC)  # as the CRM's own clock
    there = world.person(ANN)
    assert outcomes(outbox.deliver(TOLD_FIRST[first](outbox, key))) == [DONE]
    _, cursor = polled(outbox.connector)
    world.wants_no_mail(there, ANN)
    with world.a_minute_later():
        news, _ = polled(outbox.connector, cursor)
    said = [one.body["data"] for one in news if one.body["type"] == "consent.withdrawn"]
    assert said
    assert all(one.get("contact") == key or one.get("email") == ANN for one in said)
    assert (world.people(ANN), world.field(there, "regportal_id")) == ([there], key)
    assert outbox.links[f"contact:{key}"].ref == there
    assert outcomes(outbox.deliver(outbox.knows(key, ANN))) == [NOOP]


@pytest.mark.parametrize("first", TOLD_FIRST)
def test_a_lost_answer_to_our_key_harms_nothing(world, outbox, key, first):
    if first not in may_tell(world):
        return
    there = world.person(ANN)
    change = TOLD_FIRST[first](outbox, key)
    world.lose_answers()
    assert outcomes(outbox.deliver(change)) == [Outcome.RETRY]
    assert {*outcomes(outbox.deliver(outbox.again(change)))} <= {DONE, NOOP}
    assert (world.people(ANN), world.field(there, "regportal_id")) == ([there], key)
    assert len(world.notes(there)) == (first in {"note", "day"})


@pytest.mark.parametrize("first", TOLD_FIRST)
def test_a_contact_that_cannot_get_our_key_is_told_nothing_but_a_no(world, outbox, key, first):
    there = world.person(ANN)
    if first not in may_tell(world) or not world.forbid(there):
        return
    (result,) = outbox.deliver(TOLD_FIRST[first](outbox, key))
    assert result.outcome is Outcome.REJECTED
    assert (world.notes(there), world.wants(there, ANN, "prices")) == ([], None)
    assert f"contact:{key}" not in outbox.links
    if not has_newsletters(world):
        return
    (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))
    assert result.outcome is Outcome.REJECTED
    assert world.wants(there, ANN, "prices") is False
    assert f"contact:{key}" not in outbox.links


@pytest.mark.parametrize("first", TOLD_FIRST)
def test_a_contact_that_cannot_get_our_key_is_told_nothing_of_another_of_ours(world, outbox, first):
    there = world.person(ANN)
    if first not in may_tell(world) or not world.forbid(there):
        return
    both = [TOLD_FIRST[first](outbox, str(uuid.uuid4())) for _ in range(2)]
    assert outcomes(outbox.deliver(*both)) == [Outcome.REJECTED, LATER]
    assert outcomes(outbox.deliver(outbox.again(both[1]))) == [Outcome.REJECTED]
    assert (world.notes(there), world.wants(there, ANN, "prices")) == ([], None)


@pytest.mark.parametrize("first", [*TOLD_FIRST, "known"])
def test_of_two_of_ours_that_are_one_contact_there_the_first_gives_the_key(world, outbox, first):
    if first not in {*may_tell(world), "known"}:
        return
    told = {**TOLD_FIRST, "known": lambda outbox, key: outbox.knows(key, ANN, country="DE")}[first]
    there, keys = world.person(ANN), [str(uuid.uuid4()) for _ in range(2)]
    one, other = (told(outbox, key) for key in keys)
    assert outcomes(outbox.deliver(one, other)) == [DONE, LATER]
    assert {*outcomes(outbox.deliver(outbox.again(other)))} <= {DONE, NOOP}
    assert (world.people(ANN), world.field(there, "regportal_id")) == ([there], keys[0])


@where_there_are_newsletters
def test_a_yes_of_ours_to_whom_another_of_ours_is_too_is_not_written_over_a_no(world, outbox):
    keys, there = [str(uuid.uuid4()) for _ in (ANN, BOB)], world.person(ANN)
    world.opt_out(there, ANN, "prices")
    for key in keys:  # as after two of ours were merged over there
        outbox.links[f"contact:{key}"] = Link(there)
    yes = [
        outbox.allows(key, email, "prices", "confirmed", at=NOON)
        for key, email in zip(keys, (ANN, BOB), strict=True)
    ]
    first, _ = outbox.deliver(*yes)
    assert first.outcome is Outcome.CONFLICT
    assert world.wants(there, ANN, "prices") is False


def test_a_key_of_ours_is_not_written_over_another(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    for first in may_tell(world):
        outbox.links.clear()
        (result,) = outbox.deliver(TOLD_FIRST[first](outbox, str(uuid.uuid4())))
        assert (first, result.outcome) == (first, DONE)
        outbox.links.clear()
    assert world.field(there, "regportal_id") == key


def test_the_check_says_what_is_missing(world):
    fine = Vocabulary({"interest": "Interest", "comparison": "Comparison"}, {"fit": "Fit"})
    assert all(one.fine for one in world.connector().check(fine))
    more = Vocabulary({**fine.phases, "flying": "Flying"}, fine.scores)
    (amiss,) = [one for one in world.connector().check(more) if not one.fine]
    assert "flying" in amiss.says


@where_there_are_newsletters
def test_the_check_says_of_each_newsletter_whether_it_has_a_list(world, outbox, key):
    for name in ("offers", "offers", "tips"):
        world.make_list(name)
    titles = {name: name.title() for name in ("offers", "tips", "jobs")}
    found = {
        one.subject.removeprefix("newsletter "): one
        for one in world.connector().check(Vocabulary(newsletters=titles))
    }
    assert [found[name].fine for name in ("offers", "tips")] == [False, True]
    assert "2" in found["offers"].says
    outbox.deliver(outbox.knows(key, ANN))
    for name in titles:  # so it is when somebody is put on it
        change = outbox.allows(key, ANN, name, "confirmed")
        (rehearsed,) = outbox.connector.rehearse([change], now=outbox.now)
        (result,) = outbox.deliver(change)
        is_fine = result.outcome is DONE
        assert (is_fine, rehearsed.outcome is DONE) == (found[name].fine, found[name].fine)
        assert is_fine or result.says == rehearsed.says == found[name].says


def test_newsletters_are_looked_up_only_where_they_are_told(world):
    untold = world.connector(sends=("contact", "phase"))
    found = untold.check(Vocabulary(newsletters={"jobs": "Jobs"}))
    assert not [one for one in found if "newsletter" in one.subject]
