"""What SuiteCRM alone is like; what it really answers, `transcripts` and its world say."""

import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

import regportal.connectors.suitecrm as room
from regportal.buying.default import DEFAULT
from regportal.connectors.base import Record, connector_for
from regportal.connectors.desk import Erased, NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.orders import Whose
from regportal.connectors.places import Place
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector
from regportal.connectors.suitecrm.asking import is_id, taken
from regportal.connectors.suitecrm.judging import ThereAlreadyError, judged
from regportal.connectors.suitecrm.news import Cursor
from regportal.connectors.suitecrm.values import BREAK, read_text, text
from tests.connectors.between import between
from tests.connectors.receiver import SECRET

PACKAGE = Path(room.__file__).parent / "package"
ANN = "ann@acme.example"
ID, OTHER = "6b0400a1-3b1e-4e5f-8c7d-0123456789ab", "6b0400a1-3b1e-4e5f-8c7d-0123456789ac"
JSON = {"Content-Type": "application/vnd.api+json"}
TOKEN = {"token_type": "Bearer", "expires_in": 3600, "access_token": "t1"}


def refusal(detail):
    return {"errors": {"status": 400, "title": None, "detail": detail}}


def record(id, **attributes):
    return {"type": "Contact", "id": id, "attributes": attributes, "relationships": {}}


@pytest.fixture
def line():
    """A line on which answers wait, in the order in which they are asked for."""
    with between("http://127.0.0.1:9", lambda *_: False) as line:
        yield line


@pytest.fixture
def desk_of(line, settings):
    """Return the desk of a SuiteCRM that answers so, after a token."""

    def made(*answers, **words):
        told = {"key": "crm", "type": "suitecrm", "url": line.url, "client": "c"}
        line.refusals += [
            (status, JSON, json.dumps(said).encode()) for status, said in [(200, TOKEN), *answers]
        ]
        document = Connector(**told | {"secret": "env:CRM_SECRET"} | words)
        return connector_for(document, settings)._desk

    return made


@pytest.mark.parametrize(
    ("status", "said", "outcome", "says"),
    [
        (400, refusal("Contacts module with id 7 is not found"), "later", "went away"),
        (
            400,
            refusal("The following field in Contact module is not found: x_c"),
            "rejected",
            "x_c",
        ),
        (400, refusal("Filter field key_c in Contact module is not found"), "rejected", "key_c"),
        (400, refusal("Property a_c in Contact module is invalid"), "rejected", "no field a_c"),
        (400, refusal("[SuiteCRM] [AccessDeniedException] "), "auth", "role"),
        (
            400,
            refusal("[SuiteCRM] [Not Allowed] The API user …"),
            "auth",
            "role",
        ),
        (400, refusal("Database failure. Please refer to suitecrm.log …"), "retry", "database"),
        (400, refusal("No Ann Smith, ann@acme.example"), "rejected", "refused the call"),
        (400, {"errors": []}, "rejected", "400"),
        (401, {"error": "access_denied", "hint": "…"}, "auth", "401"),
        (500, refusal("Contacts module with id 7 is not found"), "retry", "500"),
        (503, "<html>", "retry", "503"),
        (401, "<html>", "retry", "before the CRM"),
        (403, "<html>", "retry", "before the CRM"),
        (401, {"error": "access_denied"}, "auth", "401"),
    ],
)
def test_a_refusal_is_known_by_its_sentence(status, said, outcome, says):
    found = judged(Answer(status, {}, json.dumps(said).encode()))

    assert (found.outcome, says in str(found)) == (Outcome(outcome), True)
    assert "ann" not in str(found).casefold()


def test_a_record_that_was_made_before_is_told_from_other_refusals():
    told = refusal("Bean Contacts with id 6b03 is already exist")

    assert isinstance(judged(Answer(400, {}, json.dumps(told).encode())), ThereAlreadyError)


@pytest.mark.parametrize(
    "told",
    [
        "<script>alert(1)</script>",
        "a<b",
        "&lt;b&gt; &#60;",
        "R&D",
        "1 < 2 > 0",
        "<!-- x -->",
        "</p>",
    ],
)
def test_a_text_is_read_as_it_was_written_and_is_no_tag(told):
    kept = text(told)

    assert read_text(kept) == told
    assert not re.search(r"<[a-zA-Z/!?]|&#?\w+;", kept)


def test_what_people_write_without_tags_has_nothing_invisible_in_it():
    assert BREAK not in text("Tom & Jerry's < 5, R&D, <3, “x” 1<2026>0")


def test_what_suitecrm_cut_out_is_told():
    told = {"title": "Head", "phone_work": "1", "buying_phase_c": "interest"}
    echo = {"id": "7", "title": "", "phone_work": "2", "buying_phase_c": "need"}
    lost = taken(told, echo, ["buying_phase_c"])

    assert (lost.id, lost.outcome) == (None, Outcome.REJECTED)
    assert "buying_phase_c, title" in lost.says
    assert taken({"phone_work": "1"}, echo).id == "7"


def test_a_record_that_our_role_leaves_alone_stops_nothing(desk_of):
    hidden, other = (400, refusal("[SuiteCRM] [Not Allowed] ann")), record(ID, title="x")
    changes = [(Record(one), {"title": "x"}) for one in (OTHER, ID)]

    desk = desk_of(hidden, (200, {"data": other}), hidden, (200, {"data": other}))
    assert {*desk.read("contact", [OTHER, ID], ())} == {ID}
    first, second = desk.update("contact", changes)
    assert (first.outcome, second.outcome) == (Outcome.REJECTED, Outcome.DONE)
    assert "leaves this record alone" in first.says


def test_a_note_that_stays_keeps_nobody_else_from_being_forgotten(desk_of):
    hidden, nothing = (400, refusal("[SuiteCRM] [Not Allowed] ann")), (200, {"data": []})
    note, people = (
        (200, {"data": [record(ID, date_modified="")]}),
        [Erased("1", ()), Erased("2", ())],
    )
    fields = (200, {"data": {"attributes": {}}})
    done = desk_of(fields, note, hidden, nothing).forget(people)

    assert [one.outcome for one in done] == [Outcome.REJECTED, Outcome.NOOP]


def test_where_our_role_makes_no_contacts_nothing_more_is_tried(desk_of, line):
    desk = desk_of((400, refusal("[SuiteCRM] [Not Allowed] ann")))
    made = desk.create([(Whose(str(uuid.uuid4()), ANN), {}), (Whose(str(uuid.uuid4()), ANN), {})])

    assert [one.outcome for one in made] == [Outcome.AUTH] * 2
    assert len(line.seen) == 2  # the token, and the first


@pytest.mark.parametrize("id", ["../Users/1", "", "6b03", "0065g00000XyZ", "a" * 36])
def test_what_is_no_id_of_suitecrm_is_nowhere(desk_of, line, id):
    desk = desk_of()

    assert not is_id(id)
    assert desk.read("contact", [id], ()) == {}
    assert desk.opportunities_of([id]) == {id: []}
    assert line.seen == []


def test_a_token_that_ended_is_renewed_and_the_secret_is_in_no_address(desk_of, line):
    token, nobody = TOKEN | {"access_token": "t2"}, {"data": []}
    denied = (401, {"error": "access_denied"})
    desk = desk_of(denied, (200, token), (200, nobody), (200, nobody))

    assert [*desk.find([Whose(str(uuid.uuid4()), ANN)], ())] == [[]]
    sent = [headers.get("Authorization") for _, _, headers, _ in line.seen]
    assert sent == [None, "Bearer t1", None, "Bearer t2", "Bearer t2"]
    assert SECRET not in "".join(path for _, path, _, _ in line.seen)


def test_an_id_whose_record_was_deleted_is_not_free_again(desk_of, line):
    there = refusal("Bean Contacts with id 6b03 is already exist")
    gone = refusal("Contacts module with id 6b03 is not found")
    desk = desk_of((400, there), (400, gone), (201, {"data": record("new", last_name="ann")}))
    (made,) = desk.create([(Whose(str(uuid.uuid4()), ANN), {})])

    assert (made.id, made.created) == ("new", True)
    ids = [json.loads(body)["data"]["id"] for _, _, _, body in line.seen if b'"data"' in body]
    assert len({*ids}) == 2


def test_whoever_had_the_address_once_is_somebody_else(desk_of):
    old = record("old", email1="ann.smith@acme.example")
    new = record("new", email1=ANN.upper())
    addresses = [record("1", email_address="ann.smith@acme.example")]
    desk = desk_of(
        (200, {"data": []}), (200, {"data": [old, new, new]}), (200, {"data": addresses})
    )
    (found,) = desk.find([Whose(str(uuid.uuid4()), ANN)], ())

    assert [one.id for one in found] == ["new"]


def test_the_options_of_the_phase_are_what_its_comment_says(desk_of):
    fields = {
        "buying_phase_c": {"type": "enum", "source": "custom_fields", "comments": "a, b\nc-d"},
        "lead_source": {"type": "enum", "comments": "How we met"},
        "contacts": {"type": "link", "source": "non-db"},
    }
    found = desk_of((200, {"data": {"attributes": fields}})).fields("opportunity")

    assert found["buying_phase_c"].options == ("a", "b", "c-d")
    assert found["lead_source"].options is None
    assert "contacts" not in found


def test_a_phase_without_a_comment_has_no_option_at_all(desk_of):
    fields = {"buying_phase_c": {"type": "enum", "source": "custom_fields", "comments": ""}}
    found = desk_of((200, {"data": {"attributes": fields}})).fields("opportunity")

    assert found["buying_phase_c"].options == ()


def test_the_package_has_the_phases_that_are_shipped():
    phases = [one.id for one in DEFAULT.phases]
    listed = re.findall(r"'([a-z]+)' => '[A-Z]", (PACKAGE / "language/application.php").read_text())
    (told,) = re.findall(r"'comments' => '([^']*)'", (PACKAGE / "manifest.php").read_text())

    assert listed == phases
    assert told.split() == phases


OLD = "2026-03-04 12:00:00/6b04|2026-03-04 12:00:00/|1|0"


@pytest.mark.parametrize("text", [OLD, f"{OLD}|2026-03-04T12:00:00Z", "7", "a|b|c|d|e"])
def test_a_cursor_of_another_form_is_asked_from_the_beginning(desk_of, text):
    with pytest.raises(NotTakenError) as caught:
        desk_of().changes(text, 5)
    assert caught.value.outcome is Outcome.GONE


def test_the_cursor_is_read_as_it_was_written():
    minute = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
    cursor = Cursor(Place(minute, "6b04", minute), Place(minute, "~", minute), 3, "6b05", minute)
    assert Cursor.read(str(cursor)) == cursor
