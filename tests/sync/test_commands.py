"""`regportal sync plan`, `sync go` and `reconcile`, as an operator uses them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from regportal.cli import main
from regportal.connectors.rules import in_full
from regportal.inbox.polling import poll
from regportal.outbox.budget import Budget
from regportal.sync import looking
from tests.connectors.worlds.made import PHASES
from tests.portal import SITE

FIRST_RUN = SITE.replace("type: webhook", "type: webhook, first_run: 2")
ANN, BOB = "ann@initech.example", "bob@initech.example"


@pytest.fixture
def run(town, database_url, tmp_path, monkeypatch, capsys):
    """Run a command on the portal and return exit code, lines and complaint."""
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", database_url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(town.portal.settings.instance))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        said = capsys.readouterr()
        return left.value.code or 0, said.out.splitlines(), said.err.strip().splitlines()[-1:]

    return run


def test_the_plan_says_what_would_be_made_and_changed(town, run):
    for email in (ANN, BOB):
        town.visitor(email)
    town.crm.person(BOB)

    assert run("sync", "plan", "crm")[:2] == (
        0,
        [
            f"new  contact {ANN}",
            f"differs  contact {BOB}: regportal_id",
            f"new  consent {ANN} prices",
            f"differs  consent {BOB} prices: on the list 'prices'",
            "contact: 1 new, 1 differs",
            "consent: 1 new, 1 differs",
        ],
    )
    assert town.crm.people(ANN) == []


def test_the_plan_as_json(town, run):
    town.visitor(ANN)
    told = json.loads("\n".join(run("sync", "plan", "crm", "--json")[1]))

    assert told == {
        "connector": "crm",
        "stopped": None,
        "counts": {"contact": {"new": 1}, "consent": {"new": 1}},
        "found": [
            {"what": what, "name": name, "stands": "new", "says": "", "waits": True}
            for what, name in (("contact", ANN), ("consent", f"{ANN} prices"))
        ],
        "amiss": [],
    }


def test_stopped_in_the_middle_it_says_what_it_saw(town, run, monkeypatch):
    town.visitor(ANN)

    def interrupted(*how, **more):
        yield from compare(*how, **more)
        raise KeyboardInterrupt

    compare = looking.compare
    monkeypatch.setattr(looking, "compare", interrupted)
    code, said, complaint = run("sync", "plan", "crm")

    assert (code, said[-2:]) == (1, ["contact: 1 new", "consent: 1 new"])
    assert complaint == ["1 of 1 were looked at: stopped by hand"]


def test_a_crm_that_cannot_be_asked_is_said_in_a_sentence(town, run):
    town.visitor(ANN)
    town.crm.trouble("down", times=9)
    code, said, complaint = run("sync", "plan", "crm")

    says = "0 of 1 were looked at: the CRM could not be asked: made could not be reached"
    assert (code, said, complaint) == (1, [], [says])


@pytest.mark.parametrize(
    ("command", "says"),
    [(("sync", "plan"), "nobody to tell yet"), (("reconcile",), "nobody was told of yet")],
)
def test_where_nobody_is_known_the_crm_is_asked_whether_it_lets_us_in(town, run, command, says):
    town.crm.options = None
    assert run(*command, "crm")[:2] == (0, [says])
    town.crm.trouble("down", times=9)

    assert run(*command, "crm") == (1, [], ["made could not be reached"])


def test_where_nobody_is_known_all_that_the_crm_lacks_is_named(town, run):
    town.crm.options = PHASES[:1]
    town.crm.rename_lists("prices", "price alerts")
    says = "the CRM has no list 'prices': make it there, or name another in `newsletters`"
    code, said, complaint = run("sync", "plan", "crm")
    amiss = json.loads("\n".join(run("sync", "plan", "crm", "--json")[1]))["amiss"]

    assert (code, complaint) == (1, ["2 things are amiss"])
    assert said[0] == "nobody to tell yet"
    assert said[1].startswith("BAD  opportunity.buying_phase: lacks the options ")
    assert said[2:] == [f"BAD  newsletter prices: {says}"]
    assert [one["subject"] for one in amiss] == ["opportunity.buying_phase", "newsletter prices"]


def test_reconciled_all_is_equal_or_it_is_said_what_is_not(town, run):
    for email in (ANN, BOB):
        town.visitor(email)
    town.tell()
    assert run("reconcile", "crm")[:2] == (0, ["contact: 2 equal", "consent: 2 equal"])
    town.knows(town.key(BOB), BOB, "contact.updated", country="FR")
    town.crm.set_field(town.crm.people(BOB)[0], "regportal_id", None)
    assert run("reconcile", "crm")[1][0] == (
        f"differs  contact {BOB}: regportal_id (a message waits)"
    )
    town.tell()
    (ann,) = town.crm.people(ANN)
    town.crm.delete(ann)
    code, said, complaint = run("reconcile", "crm")

    assert (code, complaint) == (1, ["1 thing is not equal"])
    assert said == [
        f"gone  contact {ANN}: record {ann} is not there any more",
        "contact: 1 equal, 1 gone",
        "consent: 1 equal",
    ]


def test_let_go_it_goes_on(town, run):
    town.visitor(ANN)
    town.forget_messages()

    assert run("sync", "go", "crm")[:2] == (0, ["crm was not held"])
    assert run("sync", "go", "crm", "--everybody")[1][-1] == (
        "1 contact it was never told of will be told"
    )
    town.tell()
    assert len(town.crm.people(ANN)) == 1


def test_let_go_it_says_what_held_it(town, run):
    town.portal.publish(FIRST_RUN)
    run("outbox", "pause", "crm", "--because", "the audit")

    lifted = "crm goes on: its first run is over; it was paused (the audit)"
    assert run("sync", "go", "crm")[:2] == (0, [lifted])
    assert run("sync", "go", "crm")[:2] == (0, ["crm was not held"])


def test_what_is_amiss_and_what_waits_is_said_where_operators_look(town, run):
    town.visitor(ANN)
    town.crm.options = ("unaware",)
    town.look_over()

    listed = run("outbox", "list")[1]
    assert any(
        line.startswith("crm: opportunity.buying_phase lacks the options") for line in listed
    )


def test_a_crm_that_cannot_be_asked_is_said_where_operators_look(town, run):
    now = datetime.now(UTC)
    town.crm.trouble("down", times=9)
    for minutes in (28, 10):
        then = now - timedelta(minutes=minutes)
        budget = Budget("crm")
        poll(town.store, "crm", town.crm.connector(), budget, clock=lambda then=then: then)
    since = in_full(now - timedelta(minutes=28))
    says = f"crm: cannot be asked since {since}: made could not be reached"

    assert says in run("outbox", "list")[1]
    assert says in run("inbox", "list")[1]
    found = next(line for line in run("doctor")[1] if "owed to crm" in line)
    assert found == f"BAD  owed to crm: 0 wait; {says.removeprefix('crm: ')}"


@pytest.mark.parametrize("command", [("sync", "plan"), ("sync", "go"), ("reconcile",)])
def test_a_connector_nobody_published_is_refused(run, command):
    code, said, complaint = run(*command, "other")

    assert (code, said) == (1, [])
    assert "other" in complaint[0]
