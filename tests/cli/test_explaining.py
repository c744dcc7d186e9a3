"""`regportal explain`: why a score or a phase is what it is, from the front door."""

from datetime import UTC, datetime, timedelta

import pytest

from regportal.buying.english import moment_in_words
from regportal.buying.scores.templates import TEMPLATES
from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM, PRICES, Scene
from tests.buying.scores.test_explaining import score

SITE = "site: {name: Acme, controller: Acme Ltd, privacy_notice: 'https://acme.example/p'}\n"


@pytest.fixture
def published(installed, tmp_path, database_url):
    """The command, with one score published, and Ann known to a CRM."""
    from regportal.identity.actions import contact_from_crm

    (tmp_path / "regportal.yaml").write_text(SITE + installed("template", "qualify").out)
    assert installed("apply", "regportal.yaml").code == 0
    store = Store(make_engine(database_url))
    store.write(
        lambda session: contact_from_crm(session, "ann@acme.example", now=datetime.now(UTC)).id
    )
    store.close()
    return installed


def test_a_score_is_told_with_what_is_known_and_what_is_not(published):
    told = published("explain", "contact", "Ann@acme.example").out.splitlines()

    assert told[:2] == ["ann@acme.example", "Ready for sales (qualify): 10"]
    assert "    +10 address: business" in told
    assert "    unknown: level, timeframe, company" in told


def test_where_too_few_are_there_to_compare_with_it_says_so(published):
    alone, asked = (
        published("explain", "contact", "ann@acme.example", *more).out for more in ([], ["--grade"])
    )

    assert "  no grade: fewer than three people were here within 90 days\n" in asked
    assert "grade" not in alone


def test_a_program_reads_the_same(published):
    (told,) = published("explain", "contact", "ann@acme.example", "qualify", "--json").json()[
        "scores"
    ]

    assert (told["score"], told["value"], told["level"]) == ("qualify", 10.0, None)
    assert told["parts"] == {"profile": 10.0, "behaviour": 0.0, "temporal": 0.0, "social": 0.0}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["eve@acme.example"], "nobody is known by the address 'eve@acme.example'"),
        (["ann@acme.example", "cold"], "there is no score called 'cold'; there are: qualify"),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(published, arguments, says):
    ran = published("explain", "contact", *arguments)

    assert (ran.code, ran.err.strip()) == (1, says)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_printed_as_it_can_be_applied(installed, tmp_path, name):
    (tmp_path / "regportal.yaml").write_text(SITE + installed("template", name).out)

    assert installed("plan", "regportal.yaml").code == 0


def test_a_template_there_is_not_is_refused_with_those_there_are(regportal):
    ran = regportal("template", "nonsense")

    assert ran.code == 1
    assert ran.err.strip() == (
        "there is no template 'nonsense'; there are prioritise, route, nurture, qualify"
    )
    assert len(regportal("template").out.splitlines()) == len(TEMPLATES)


def test_an_opportunity_is_told_with_why_it_is_there_and_what_would_move_it(
    installed, database_url
):
    then = datetime.now(UTC) - timedelta(hours=1)
    scene = Scene(Store(make_engine(database_url)))
    scene.publish(CRM, PRICES)
    ann, deal = (
        scene.contact("ann@example.com"),
        scene.opportunity(name="500\x1b widgets", now=then),
    )
    scene.role(deal, ann, role="buyer", now=then)
    scene.did(ann, now=then)
    scene.weigh(now=then)
    scene.store.close()
    told = installed("explain", "opportunity", "crm:006").out.splitlines()
    since = moment_in_words(then)

    assert told[0] == "500· widgets (crm:006)"
    assert told[1].startswith("Comparison since ")
    assert told[2] == "  a download of a price list or a quote within 45 days"
    assert told[3].endswith("ann@example.com downloaded Price list 2026")
    assert told[4:6] == ["group:", f"  ann@example.com, buyer: Comparison since {since}"]
    assert told[6:9] == [
        "what would move it on, the nearest first:",
        "  Decision: a download of an order form or a contract within 45 days (0 of 1)",
        "what would take it back:",
    ]
    assert told[9].startswith("  Stalled on ")
    assert told[9].endswith(", if nobody does anything")
    assert len(told) == 10

    assert installed("explain", "opportunity", deal, "--json").json()["phase"] == "comparison"
    own = installed("explain", "contact", "ann@example.com").out.splitlines()[1]
    assert own == f"by what they did themselves: Comparison since {since}"
    assert "phase: comparison" in installed("show", "contact", "ann@example.com").out


def test_parts_are_named_as_in_letters_and_programs_read_them_as_they_were_told(
    installed, database_url
):
    then = datetime.now(UTC) - timedelta(hours=1)
    scene = Scene(Store(make_engine(database_url)))
    scene.publish(CRM, score())
    ann = scene.contact("ann@initech.example")
    deal = scene.opportunity(account={"external_id": "A-1"}, now=then)
    scene.role(deal, ann, role="decision_maker", now=then)
    scene.did(ann, now=then)
    scene.weigh(now=then)
    scene.store.close()
    deal, whom = ("opportunity", "crm:006"), ("contact", "ann@initech.example")
    told = [installed("explain", *deal), installed("explain", *whom), installed("show", *deal)]
    (shown,) = installed("show", *deal, "--json").json()["contacts"]
    (group,) = installed("explain", *deal, "--json").json()["group"]

    assert "  ann@initech.example, decision maker: " in told[0].out
    assert "(1 person, roles engaged: decision maker)" in told[1].out
    assert "role=decision maker" in told[2].out
    assert "role=decision maker" in installed("show", *whom).out
    assert (shown["role"], group["roles"]) == ("decision_maker", ["decision_maker"])


def test_an_opportunity_nobody_knows_is_refused_in_one_sentence(installed):
    ran = installed("explain", "opportunity", "crm:007")

    assert (ran.code, ran.err.strip()) == (1, "there is no opportunity 'crm:007'")
