"""What a CRM holds beside what it would be told: before the first word, and after the last."""

import pytest

from regportal.connectors.base import connector_for
from regportal.sync.comparing import NotAskedError, compare
from regportal.sync.present import Telling

ANN, BOB = "ann@initech.example", "bob@initech.example"
PRICES = "prices"


def writes(crm):
    return (
        {id: dict(one) for id, one in crm.contacts.items()},
        {id: dict(one) for id, one in crm.deals.items()},
        dict(crm.logged),
        {id: dict(lists) for id, lists in crm.readers.items() if lists},
    )


def test_before_the_first_word_it_shows_what_would_be_made_and_changed(town):
    for email in (ANN, BOB):
        town.visitor(email)
    town.crm.person(BOB)
    before = writes(town.crm)

    assert town.stands() == {
        ("contact", ANN): "new",
        ("contact", BOB): "differs",
        ("consent", f"{ANN} {PRICES}"): "new",
        ("consent", f"{BOB} {PRICES}"): "differs",
    }
    assert writes(town.crm) == before


def test_as_many_permissions_are_counted_as_are_written_then(town):
    for email in (ANN, BOB):
        town.visitor(email)
    town.crm.person(BOB)
    counted = [what for (what, _), stands in town.stands().items() if stands in {"new", "differs"}]
    town.tell()

    written = [one for lists in town.crm.readers.values() for one in lists]
    assert counted.count("consent") == len(written) == 2


def test_whom_it_cannot_tell_apart_is_a_conflict_and_its_newer_no_too(town):
    for email in (ANN, BOB):
        town.visitor(email)
    for _ in range(2):
        town.crm.person(ANN)
    town.crm.opt_out(town.crm.person(BOB), BOB, PRICES)
    stands = town.stands()

    assert stands["contact", ANN] == "conflict"
    assert stands["consent", f"{BOB} {PRICES}"] == "conflict"
    assert ("consent", f"{ANN} {PRICES}") not in stands


def test_after_all_was_told_everything_is_equal(town):
    town.visitor(ANN)
    town.tell()
    deal = town.opportunity(ANN)
    town.say(deal, "comparison")
    town.tell()

    assert town.stands(only_linked=True) == {
        ("contact", ANN): "equal",
        ("consent", f"{ANN} {PRICES}"): "equal",
        ("phase", f"crm:{deal}"): "equal",
    }
    assert {*town.stands().values()} == {"equal"}


def test_what_was_changed_there_since_differs(town):
    for email in (ANN, BOB):
        town.visitor(email)
    town.tell()
    deal = town.opportunity(BOB)
    town.say(deal, "comparison")
    town.tell()
    town.crm.delete(town.crm.people(ANN)[0])
    town.crm.set_phase(deal, "decision")
    town.crm.opt_out(town.crm.people(BOB)[0], BOB, PRICES)

    assert town.stands(only_linked=True) == {
        ("contact", ANN): "gone",
        ("contact", BOB): "equal",
        ("consent", f"{BOB} {PRICES}"): "conflict",
        ("phase", f"crm:{deal}"): "conflict",
    }
    del town.crm.deals[deal]
    assert town.stands(only_linked=True)["phase", f"crm:{deal}"] == "gone"


def test_a_score_is_compared_with_what_was_told_last(town):
    town.visitor(ANN)
    town.tell()
    town.score(ANN, 72.5)
    town.tell()
    assert town.stands(only_linked=True)["score", f"{ANN} fit"] == "equal"
    town.crm.set_field(town.crm.people(ANN)[0], "regportal_fit", 10)

    assert town.stands(only_linked=True)["score", f"{ANN} fit"] == "differs"


def test_what_only_was_not_told_yet_says_so(town):
    town.visitor(ANN)
    town.tell()
    town.score(ANN, 72.5)
    town.tell()
    town.crm.set_field(town.crm.people(ANN)[0], "regportal_fit", 10)
    town.score(ANN, 80)
    (score,) = [one for one in town.compared(only_linked=True) if one.what == "score"]

    assert (score.stands.value, score.waits) == ("differs", True)


def test_a_crm_that_cannot_be_asked_says_nothing_of_anybody(town):
    town.visitor(ANN)
    town.crm.trouble("down", times=10)

    with pytest.raises(NotAskedError, match="made could not be reached"):
        town.compared()


def test_a_receiver_of_messages_cannot_be_compared(town, portal):
    town.visitor(ANN)
    telling = Telling(town.published(), town.document)
    receiver = connector_for(town.document, portal.settings)

    with town.store.read() as session, pytest.raises(NotAskedError, match="it takes messages"):
        [*compare(session, telling, receiver, now=town.now)]


def test_only_what_the_connector_is_told_is_compared(town):
    town.visitor(ANN)
    town.document = town.document.model_copy(update={"sends": ("consent",)})

    assert town.stands() == {("consent", f"{ANN} {PRICES}"): "new"}
