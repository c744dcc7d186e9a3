"""`regportal explain contact`: why somebody's scores are what they are, from the front door."""

import pytest

from regportal.buying.scores.templates import TEMPLATES

SITE = "site: {name: Acme, controller: Acme Ltd, privacy_notice: 'https://acme.example/p'}\n"


@pytest.fixture
def published(installed, tmp_path, database_url):
    """The command, with one score published, and Ann known to a CRM."""
    from datetime import UTC, datetime

    from regportal.identity.actions import contact_from_crm
    from regportal.store.sessions import Store, make_engine

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
