"""`regportal override` and the call of programs: somebody knows better than the rules."""

from datetime import UTC, datetime, timedelta

import pytest

from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM, PRICES, Scene

FAIR = ("--because", "met them at the fair", "--by", "Bo Lind")


@pytest.fixture
def deal(installed, database_url):
    """The command, with an open opportunity in which nobody did anything yet."""
    scene = Scene(Store(make_engine(database_url)))
    scene.publish(CRM, PRICES)
    then = datetime.now(UTC) - timedelta(hours=1)
    scene.opportunity("006", name="500 widgets", now=then)
    scene.weigh(now=then)
    scene.store.close()
    return installed


def test_a_colleague_says_so_and_takes_it_back(deal):
    ran = deal("override", "phase", "crm:006", "comparison", *FAIR, "--for", "14d")
    shown = deal("explain", "opportunity", "crm:006", "--json").json()
    people = deal("show", "opportunity", "crm:006").out.splitlines()
    why = deal("explain", "opportunity", "crm:006").out.splitlines()
    ended = deal("override", "end", "crm:006")
    after = deal("show", "opportunity", "crm:006", "--json").json()

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("crm:006 is in comparison until ")
    assert (shown["phase"], shown["override"]["by"]) == ("comparison", "Bo Lind")
    assert why[2] == "  the rules say Unaware"
    assert "what would move the rules on, the nearest first:" in why
    assert ended.out == "what Bo Lind said of crm:006 holds no more\n"
    assert "override: the rules say Unaware" in people
    assert after["phase"] == "unaware"
    assert not {"override", "stage"} & after.keys()
    assert after["reason"].endswith("what Bo Lind said was taken back")


def test_who_was_right_is_listed_with_the_share(deal):
    deal("override", "phase", "crm:006", "comparison", *FAIR)
    open_ = deal("list", "overrides").out.splitlines()
    deal("override", "end", "crm:006")
    ended = deal("list", "overrides").out.splitlines()
    (row,) = deal("list", "overrides", "--json").json()

    assert open_[-1] == "none can be judged yet; 1 differs from the rules now"
    assert open_[0].endswith(": met them at the fair  the rules say unaware")
    assert ended[-1] == "0 of 1 was right (0%)"
    assert ended[0].endswith(" (hand), the rules were right")
    assert (row["phase"], row["rules_phase"], row["ended"], row["right"]) == (
        "comparison",
        "unaware",
        "hand",
        False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("phase", "crm:007", "comparison", *FAIR), 1, "there is no opportunity 'crm:007'"),
        (("phase", "crm:006", "Comparison", *FAIR), 1, "did you mean 'comparison'?"),
        (("phase", "crm:006", "\x00", *FAIR), 1, "there is no phase"),
        (("phase", "crm:006", "comparison", "--because", "a\nb"), 1, "because must be one line"),
        (("phase", "crm:006", "comparison", *FAIR, "--for", "181d"), 1, "more than 180 days"),
        (("phase", "crm:006", "comparison", *FAIR, "--for", "99999999d"), 2, "--for"),
        (("phase", "crm:006", "comparison", *FAIR, "--for", "soon"), 2, "--for"),
        (("phase", "crm:006", "comparison", *FAIR, "--until", "2001-01-01"), 1, "lie ahead"),
        (("phase", "crm:006", "comparison"), 2, "--because"),
        (("end", "crm:006"), 1, "nobody says anything over the rules of crm:006"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_is_refused_in_one_sentence(deal, arguments, code, says):
    ran = deal("override", *arguments)

    assert ran.code == code
    assert says in ran.err.strip().splitlines()[-1]


def test_what_was_believed_before_it_was_said_stays_so(deal):
    now = datetime.now(UTC)
    deal("override", "phase", "crm:006", "comparison", *FAIR)
    then = deal("show", "opportunity", "crm:006", "--on", now.isoformat(), "--json").json()
    early = deal("show", "opportunity", "crm:006", "--on", "2026-03-01")
    ahead = deal("show", "opportunity", "crm:006", "--on", "2999-03-01")

    assert (then["phase"], "override" in then) == ("unaware", False)
    assert (early.code, early.err) == (
        1,
        "nothing was known of crm:006 on 1 Mar 2026 00:00\n",
    )
    assert ahead.code == 2
