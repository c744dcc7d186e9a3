"""What goes out, as people of the company see it: connectors, the outbox, and asking a CRM."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.accounts.roles import Permission, allowed
from regportal.cli import main
from regportal.insight import deeds
from regportal.insight.deeds import Deeds
from regportal.outbox import budget as budgets
from regportal.outbox.models import Message, MessageState
from regportal.outbox.operating import pauses
from regportal.studio import asking
from tests.sync.conftest import Town

ANN = "ann@initech.example"


@pytest.fixture
def town(company, monkeypatch):
    """The installation, with a made CRM that is told of people when a test wants it."""
    town = Town(company.portal)
    monkeypatch.setattr(budgets, "connector_for", lambda *_, **__: town.crm.connector())
    return town


@pytest.fixture
def operator(company):
    return company.at_desk("op@acme.example", "marketer")


def of(town, *states):
    with town.store.read() as session:
        query = sa.select(Message).where(Message.connector == "crm").order_by(Message.id)
        found = session.scalars(query).all()
    return [one for one in found if not states or one.state in states]


def park(town, message):
    """Let a message be as if the CRM had refused it."""

    def refuse(session):
        one = session.get_one(Message, message.id)
        one.state, one.trouble, one.attempts = MessageState.PARKED, "the CRM answered 422", 1

    town.store.write(refuse)


def told_by(company, action):
    with company.store.read() as session:
        found = deeds.page(session, Deeds(action=action)).rows
    return [(one.by, one.kind, one.key, one.change) for one in found]


def paused(town):
    with town.store.read() as session:
        return {one.connector: one.because for one in pauses(session, now=datetime.now(UTC))}


def test_each_connector_says_how_it_is_doing(company, town, operator):
    town.visitor(ANN)
    park(town, of(town)[-1])
    page = operator.get("/connectors")

    assert page.status == 200
    row = re.search(r'<tr data-rp="row"(?:(?!</tr>).)*>crm<.*?</tr>', page.text, re.DOTALL)[0]
    assert "works" in row
    assert re.search(rf'state=due">{len(of(town, MessageState.DUE))}<', row)
    assert re.search(r'state=parked">1<', row)


def test_a_pause_and_its_end_stand_in_the_log_with_who_and_why(company, town, operator):
    operator.get("/connectors/crm")
    assert operator.post("/connectors/crm/pause", {"because": "the audit"}).status == 303
    page = operator.get("/connectors/crm")
    assert paused(town) == {"crm": "the audit"}
    assert "op@acme.example" in page.text
    assert "the audit" in page.text
    assert operator.post("/connectors/crm/resume").status == 303

    assert paused(town) == {}
    who = "op@acme.example"
    assert told_by(company, "pause") == [(who, "connector", "crm", {"because": "the audit"})]
    assert told_by(company, "resume") == [(who, "connector", "crm", {"was paused": True})]


@pytest.mark.parametrize("because", ["", "  ", "a" * 301, "two\nlines"])
def test_a_pause_says_why(town, operator, because):
    operator.get("/connectors/crm")
    answer = operator.post("/connectors/crm/pause", {"because": because})

    assert (answer.status, list(answer.errors)) == (422, ["because"])
    assert paused(town) == {}


def test_the_commands_stand_in_the_log_too(company, town, database_url, tmp_path, monkeypatch):
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", database_url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(company.portal.settings.instance))
    monkeypatch.chdir(tmp_path)
    for command in (["pause", "crm", "--because", "night"], ["resume", "crm"], ["replay"]):
        with pytest.raises(SystemExit) as left:
            main(["outbox", *command])
        assert not left.value.code

    assert told_by(company, "pause") == [(None, "connector", "crm", {"because": "night"})]
    assert told_by(company, "resume") == [(None, "connector", "crm", {"was paused": True})]


def test_asked_it_says_which_fields_are_not_there(company, town, operator):
    town.crm.options = ("unaware",)
    operator.get("/connectors/crm")
    calls = town.crm.calls()
    page = operator.post("/connectors/crm/check")

    assert page.status == 200
    assert "opportunity.buying_phase" in page.text
    assert "lacks the options" in page.text
    assert town.crm.calls() > calls
    assert told_by(company, "look")[0][2:] == ("crm", {"at": "check"})


def test_no_page_asks_a_crm_by_itself(town, operator):
    town.visitor(ANN)
    calls = town.crm.calls()
    message = of(town)[0].id
    for path in ("/", "/connectors", "/connectors/crm", "/outbox", f"/outbox/{message}"):
        assert operator.get(path).status == 200

    assert town.crm.calls() == calls


def test_asked_what_would_change_it_says_so_and_writes_nothing(town, operator):
    town.visitor(ANN)
    operator.get("/connectors/crm")
    page = operator.post("/connectors/crm/compare")

    assert ANN in page.text
    assert "1 would be made" in re.sub(r"\s+", " ", page.text)
    assert town.crm.people(ANN) == []


def test_whoever_may_not_see_people_is_told_of_nobody(town, operator, monkeypatch):
    town.visitor(ANN)
    monkeypatch.setattr(
        "regportal.studio.known.allowed", lambda roles: allowed(roles) - {Permission.PAYLOADS}
    )
    operator.get("/connectors/crm")
    page = operator.post("/connectors/crm/compare")
    tried = operator.post("/connectors/crm/rehearse", {"email": ANN})

    assert "1 would be made" in re.sub(r"\s+", " ", page.text)
    assert ANN not in page.text
    assert tried.status == 422
    assert operator.post("/connectors/crm/rehearse", {"email": ""}).status == 200


def test_a_crm_that_does_not_answer_is_said_in_a_sentence(town, operator):
    town.visitor(ANN)
    operator.get("/connectors/crm")
    for path in ("check", "compare", "rehearse"):
        town.crm.trouble("down", times=9)
        page = operator.post(f"/connectors/crm/{path}", {"email": ANN})
        town.crm._trouble.clear()

        assert page.status == 200, path
        assert "made could not be reached" in page.text, path


def test_what_would_be_sent_of_somebody(company, town, operator):
    town.visitor(ANN)
    operator.get("/connectors/crm")
    page = operator.post("/connectors/crm/rehearse", {"email": ANN})

    assert "contact.identified" in page.text
    assert "consent.changed" in page.text
    assert town.key(ANN) in page.text
    assert town.crm.people(ANN) == []
    assert told_by(company, "read") == [("op@acme.example", "contact", town.key(ANN), {})]
    assert operator.post("/connectors/crm/rehearse", {"email": "x@nobody.example"}).status == 422


def test_what_would_be_sent_of_somebody_made_up(company, town, operator):
    operator.get("/connectors/crm")
    page = operator.post("/connectors/crm/rehearse", {"email": ""})

    assert "ann.example@example.com" in page.text
    assert "would be made" in page.text
    assert town.crm.people("ann.example@example.com") == []
    assert told_by(company, "read") == []


def test_one_message_is_told_again(company, town, operator):
    town.visitor(ANN)
    message = of(town)[0]
    park(town, message)
    operator.get(f"/outbox/{message.id}")

    assert operator.post(f"/outbox/{message.id}/replay").status == 303
    assert of(town, MessageState.PARKED) == []
    assert told_by(company, "replay") == [("op@acme.example", "message", str(message.id), {})]


def test_all_parked_are_told_again_once_their_number_was_said(company, town, operator, monkeypatch):
    monkeypatch.setattr("regportal.studio.outbox.MOST", 2)
    for email in (ANN, "bob@initech.example", "cy@initech.example"):
        town.visitor(email)
    for message in of(town):
        park(town, message)
    number = len(of(town, MessageState.PARKED))
    said = operator.get("/outbox/replay?connector=crm")
    assert f"{number} messages are parked" in said.text
    assert len(of(town, MessageState.PARKED)) == number
    operator.post("/outbox/replay", {"connector": "crm"})
    after = operator.get("/outbox")

    assert len(of(town, MessageState.PARKED)) == number - 2
    assert f"Still parked: {number - 2}" in after.text
    assert told_by(company, "replay") == [("op@acme.example", "connector", "crm", {"due": 2})]


def test_the_list_has_what_is_parked_first_page_by_page(town, operator, monkeypatch):
    for number in range(60):
        town.knows(f"k{number}", f"a{number}@initech.example", "contact.identified")
    oldest = of(town)[0]
    park(town, oldest)
    first = operator.get("/outbox?connector=crm")
    rows = re.findall(r'href="/studio/outbox/([0-9a-f-]{36})"', first.text)
    after = re.search(r'rel="next" href="/studio([^"]+)"', first.text)[1].replace("&amp;", "&")
    second = operator.get(after)
    more = re.findall(r'href="/studio/outbox/([0-9a-f-]{36})"', second.text)

    assert (len(rows), rows[0]) == (50, str(oldest.id))
    assert (len(more), set(rows) & set(more)) == (10, set())
    assert 'rel="prev"' in second.text
    assert operator.get("/outbox?state=parked").text.count('data-rp="row"') == 1
    assert operator.get("/outbox?topic=phase.changed").text.count('data-rp="row"') == 0


@pytest.mark.parametrize(
    "query",
    [
        "at=x",
        "at=n00",
        "state=x",
        "state=due&state=parked",
        "who=x",
        "connector=a%00b",
        "at=" + "9" * 999,
    ],
)
def test_an_address_that_asks_for_nonsense_is_refused(town, operator, query):
    assert operator.get(f"/outbox?{query}").status == 400


def test_what_a_message_tells_is_hidden_until_somebody_asks_and_that_is_written_down(
    company, town, operator
):
    town.visitor(ANN)
    message = next(one for one in of(town) if one.topic == "contact.identified")
    masked = operator.get(f"/outbox/{message.id}")
    assert ANN not in masked.text
    assert town.key(ANN) in masked.text
    assert told_by(company, "read") == []
    shown = operator.post(f"/outbox/{message.id}/payload")

    assert ANN in shown.text
    assert told_by(company, "read") == [("op@acme.example", "message", str(message.id), {})]


@pytest.mark.parametrize("role", ["analyst", "auditor"])
def test_whoever_sees_numbers_only_sees_no_payload(company, town, role):
    town.visitor(ANN)
    desk, message = company.at_desk("bo@acme.example", role), of(town)[0]
    page = desk.get(f"/outbox/{message.id}")

    assert (page.status, ANN in page.text) == (200, False)
    assert desk.post(f"/outbox/{message.id}/payload").status == 403
    assert desk.post(f"/outbox/{message.id}/replay").status == 403
    assert told_by(company, "read") == []


def test_a_conflict_is_settled_as_the_command_does(company, town, operator):
    town.visitor(ANN)
    town.tell()
    deal = town.opportunity(ANN)
    town.say(deal, "comparison")
    town.tell()
    town.crm.set_phase(deal, "decision")
    town.say(deal, "interest")
    town.tell()
    [message] = of(town, MessageState.PARKED)
    operator.get(f"/outbox/{message.id}")
    path = f"/outbox/{message.id}/settle"
    assert operator.post(path, {"take": "theirs"}).status == 422
    assert operator.post(path, {"take": "both", "because": "x"}).status == 422
    town.crm.trouble("down", times=9)
    silent = operator.post(path, {"take": "ours"})
    town.crm._trouble.clear()
    assert (silent.status, "made could not be reached" in silent.text) == (409, True)
    assert len(of(town, MessageState.PARKED)) == 1
    assert operator.post(path, {"take": "theirs", "because": "she signed"}).status == 303

    assert of(town, MessageState.PARKED) == []
    who = "op@acme.example"
    assert told_by(company, "settle") == [(who, "message", str(message.id), {"took": "theirs"})]
    assert operator.post(path, {"take": "ours"}).status == 409
    town.tell()
    assert town.crm.phase(deal) == "decision"


def test_a_connector_that_is_not_there_is_not_found(operator):
    operator.get("/connectors")
    for path in ("", "/pause", "/resume", "/go", "/check", "/compare", "/rehearse"):
        way = operator.post if path else operator.get
        assert (
            way(f"/connectors/other{path}", **({"fields": {"because": "x"}} if path else {})).status
            == 404
        )


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl"])
def test_the_list_is_taken_along_without_what_anybody_is_told(company, town, operator, form):
    town.visitor(ANN)
    answer = operator.client.get(
        f"/studio/outbox.{form}?connector=crm", base_url="http://localhost:8000"
    )
    taken = answer.get_data()
    answer.close()

    assert answer.status_code == 200
    assert ANN.encode() not in taken
    assert form == "xlsx" or b"contact.identified" in taken
    assert told_by(company, "export")[0][2:] == ("outbox", {"form": form, "rows": 5})


def test_letters_are_paused_and_resumed_as_well(town, operator):
    operator.get("/connectors/mail")
    operator.post("/connectors/mail/pause", {"because": "new server"})

    assert paused(town) == {"mail": "new server"}
    assert operator.post("/connectors/mail/check").status == 404


def test_only_so_many_ask_at_once(town, operator, monkeypatch):
    operator.get("/connectors/crm")
    with asking.turn(), asking.turn():
        assert operator.post("/connectors/crm/check").status == 429
    assert operator.post("/connectors/crm/check").status == 200
