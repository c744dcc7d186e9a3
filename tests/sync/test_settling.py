"""A phase that people in the CRM set otherwise: theirs is taken, or ours is written over it."""

import uuid

import pytest
import sqlalchemy as sa

from regportal.buying.models import Opportunity
from regportal.cli import main
from regportal.outbox.models import Message, MessageState
from regportal.sync import settling
from tests.connectors.worlds.made import PHASES

ANN = "ann@initech.example"


@pytest.fixture
def conflict(town):
    """An opportunity we left at comparison, and people at decision; now it is at interest."""
    town.visitor(ANN)
    town.tell()
    deal = town.opportunity(ANN)
    town.say(deal, "comparison")
    town.tell()
    town.crm.set_phase(deal, "decision")
    town.say(deal, "interest")
    town.tell()
    return deal


@pytest.fixture
def settle(town, database_url, tmp_path, monkeypatch, capsys):
    """Settle what is parked, as an operator does."""
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", database_url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(town.portal.settings.instance))
    monkeypatch.chdir(tmp_path)

    def settle(*arguments, id=None):
        with pytest.raises(SystemExit) as left:
            main(["outbox", "settle", str(id or parked(town)[0].id), *arguments])
        said = capsys.readouterr()
        return left.value.code or 0, (said.out or said.err).strip().splitlines()[-1]

    return settle


def parked(town):
    with town.store.read() as session:
        rows = sa.select(Message).where(Message.state == MessageState.PARKED)
        return session.scalars(rows).all()


def phase(town):
    with town.store.read() as session:
        return session.scalars(sa.select(Opportunity.phase)).one()


def test_theirs_is_taken_as_a_colleagues_word(town, conflict, settle):
    assert parked(town)[0].trouble == (
        "somebody set buying_phase to 'decision', which we had left at 'comparison'"
    )
    assert settle("--theirs", "--because", "she signed", "--by", "Bo") == (
        0,
        "decision holds for 30 days",
    )
    assert (phase(town), parked(town)) == ("decision", [])
    town.tell()
    assert (town.crm.phase(conflict), parked(town)) == ("decision", [])
    town.say(conflict, "interest")
    town.tell()
    assert (town.crm.phase(conflict), parked(town)) == ("interest", [])


def test_ours_is_written_over_theirs(town, conflict, settle):
    assert settle("--ours") == (0, "interest is told anew")
    town.tell()

    assert (town.crm.phase(conflict), parked(town)) == ("interest", [])


def test_whoever_changes_it_once_more_meanwhile_is_not_overwritten(town, conflict, settle):
    settle("--ours")
    town.crm.set_phase(conflict, "purchase")
    town.tell()

    assert (town.crm.phase(conflict), len(parked(town))) == ("purchase", 1)


def test_where_they_took_it_back_ours_is_told(town, conflict, settle):
    town.crm.set_phase(conflict, "comparison")
    assert settle("--theirs", "--because", "she signed") == (0, "interest is told anew")
    town.tell()

    assert town.crm.phase(conflict) == "interest"


def test_a_phase_nobody_knows_here_cannot_be_taken(town, conflict, settle):
    town.crm.set_phase(conflict, "sleeping")
    code, said = settle("--theirs", "--because", "she sleeps")

    assert (code, len(parked(town))) == (1, 1)
    assert said.startswith("there is no phase 'sleeping'")


def test_a_crm_that_cannot_be_asked_settles_nothing(town, conflict, settle):
    town.crm.trouble("down", times=9)

    assert settle("--ours") == (1, "it cannot be settled: made could not be reached")
    assert len(parked(town)) == 1


def test_what_a_colleague_sent_again_meanwhile_is_not_settled(town, conflict, settle, monkeypatch):
    (message,) = parked(town)
    conflicts = settling._conflict

    def sent(session):
        session.get_one(Message, message.id).state = MessageState.SENT

    def asked(result):
        town.store.write(sent)
        return conflicts(result)

    monkeypatch.setattr(settling, "_conflict", asked)
    code, said = settle("--theirs", "--because", "she signed", id=message.id)

    assert (code, said) == (1, f"{message.id} was sent again meanwhile")
    with town.store.read() as session:
        assert session.get_one(Message, message.id).state is MessageState.SENT


def test_only_a_parked_phase_can_be_settled(town, settle):
    town.visitor(ANN)
    with town.store.read() as session:
        due = session.scalars(sa.select(Message.id).where(Message.connector == "crm")).first()
    unknown = uuid.uuid4()

    assert settle("--ours", id=due) == (1, f"{due} is no parked message about a phase")
    assert settle("--ours", id=unknown) == (1, f"there is no message {unknown}")


@pytest.mark.parametrize("arguments", [("--ours",), ("--theirs", "--because", "she signed")])
def test_what_was_parked_for_something_else_is_no_conflict_to_be_settled(town, settle, arguments):
    town.visitor(ANN)
    town.tell()
    deal = town.opportunity(ANN)
    town.crm.options = ("comparison",)
    town.say(deal, "interest")
    town.tell()
    (message,) = parked(town)
    town.crm.options = PHASES
    code, said = settle(*arguments)

    assert (code, said) == (
        1,
        f"{message.id} is parked for another reason: `regportal outbox replay` it",
    )
    assert [one.id for one in parked(town)] == [message.id]


@pytest.mark.parametrize(
    "arguments", [(), ("--theirs",), ("--ours", "--because", "so"), ("--because", "so")]
)
def test_called_wrongly_it_says_how(town, settle, arguments):
    assert settle(*arguments, id=uuid.uuid4())[0] == 2


def test_the_word_is_kept_with_its_reason(town, conflict, settle, capsys):
    settle("--theirs", "--because", "she signed", "--by", "Bo")
    with pytest.raises(SystemExit):
        main(["list", "overrides", "--json"])

    assert '"because": "she signed"' in capsys.readouterr().out
