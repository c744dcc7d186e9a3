"""EspoCRM: what its real answers mean. Recorded from 9.1.7 and 9.2.7, which answer alike."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from regportal.connectors.base import InboundRequest, Record
from regportal.connectors.desk import Activity, Allowing, Erased, FieldPlan, NotTakenError
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.espocrm.desk import EspoDesk
from regportal.connectors.espocrm.judging import DuplicateError, judged
from regportal.connectors.espocrm.news import Cursor
from regportal.connectors.judging import EVERY
from regportal.connectors.orders import Whose
from regportal.connectors.places import Place
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector
from tests.connectors.between import between

DONE, NOOP, LATER, RETRY = Outcome.DONE, Outcome.NOOP, Outcome.LATER, Outcome.RETRY
REJECTED, AUTH = Outcome.REJECTED, Outcome.AUTH
JSON = {"Content-Type": "application/json", "Date": "Mon, 23 Nov 2026 06:20:39 GMT"}
HTML = {"Content-Type": "text/html; charset=UTF-8"}
KEY = "8f0c6a52-5f63-4d7e-9a3e-1d0b8a5a7c11"
ANN = Whose(KEY, "ann@example.com")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CONTACT = {"id": "6b03cff1366d96ec1", "name": "Ann Example", "emailAddress": "ann@example.com"}
NO_FIELD = b'{"messageTranslation":null}'
BAD_OPTION = (
    b'{"messageTranslation":{"label":"validationFailure","scope":null,'
    b'"data":{"field":"cBuyingPhase","type":"valid"}}}'
)
MODIFIED = b'{"values":{"cBuyingPhase":"need"},"versionNumber":5}'
STAGE = {
    "type": "enum",
    "probabilityMap": {"Prospecting": 10, "Negotiation": 80, "Closed Won": 100, "Closed Lost": 0},
}


def said(reason):
    return JSON | {"X-Status-Reason": reason}


def fine(told, status=200):
    return status, JSON, json.dumps(told).encode()


def found(*rows):
    return fine({"total": len(rows), "list": rows})


WRITTEN = fine({"id": "n7"})
"""The answer to a note: of the record only the id is of use to us."""


@pytest.fixture
def espo():
    """A line on which recorded answers wait, in the order in which they are asked for."""
    with between("http://127.0.0.1:9", lambda *_: False) as line:
        yield line


@pytest.fixture
def desk(espo, settings):
    made = desk_of(espo, settings)
    yield made
    made.close()


def desk_of(espo, settings, **more):
    words = {"key": "crm", "type": "espocrm", "url": f"{espo.url}/", "secret": "env:KEY"}
    secrets = {"env:KEY": "0123", "env:HOOKS": "x", "env:ADMIN": "admin:word"}
    egress = Egress(settings.allow_private_targets)
    return EspoDesk(Connector(**words | more), secrets.__getitem__, egress)


def asked(call):
    """Return the method, the path and what was asked of a call."""
    method, path, _, _ = call
    parts = urlsplit(path)
    return method, parts.path, {name: one for name, (one,) in parse_qs(parts.query).items()}


# --- what refusals mean ---


@pytest.mark.parametrize(
    ("status", "headers", "body", "outcome", "says"),
    [
        (
            400,
            said("Field validation failure; entityType: Opportunity, field: cBuyingPhase."),
            BAD_OPTION,
            REJECTED,
            "EspoCRM refuses what the field cBuyingPhase was to hold (valid)",
        ),
        (400, said("Not existing attribute 'cNo' in where."), b"", REJECTED, "refused the call"),
        (400, JSON, NO_FIELD, REJECTED, "refused the call"),
        (400, JSON, b"\xff not JSON", REJECTED, "refused the call"),
        (401, HTML, b"", AUTH, "does not know our key"),
        (403, said("No create access."), b"", AUTH, "our role"),
        (403, said(""), b"", AUTH, "our role"),
        (401, HTML, b"<h1>Authorization Required</h1>", RETRY, "something before the CRM"),
        (403, HTML, b"<h1>Forbidden</h1>", RETRY, "something before the CRM"),
        (403, said("No edit access."), b"", REJECTED, "leaves this one alone"),
        (403, said("No delete access."), b"", REJECTED, "leaves this one alone"),
        (403, said("Max size should not exceed 200."), b"", REJECTED, "leaves this one alone"),
        (404, said("Record 000000000000000aa not found."), b"", LATER, "went away"),
        (404, said("Record 000000000000000aa does not exist."), b"", LATER, "went away"),
        (404, said("Controller 'OpenApi' does not exist."), b"", RETRY, "no EspoCRM"),
        (404, HTML, b"<!doctype html>", RETRY, "no EspoCRM"),
        (409, said("modified"), MODIFIED, LATER, "changed meanwhile"),
        (409, said("Field 'cX' already exists in 'Contact'."), b"", REJECTED, "such a one already"),
        (409, said("duplicate"), b"nonsense", REJECTED, "such a one already"),
        (429, {"Retry-After": "60"}, b"", Outcome.THROTTLED, "429"),
        (500, JSON, b"", RETRY, "500"),
        (503, HTML, b"<html>maintenance</html>", RETRY, "503"),
    ],
)
def test_a_refusal_is_known_by_its_reason_and_its_body(status, headers, body, outcome, says):
    error = judged(Answer(status, headers, body))
    assert error.outcome is outcome
    assert says in str(error)


def test_what_was_refused_is_named_and_never_quoted():
    body = json.dumps(
        {"messageTranslation": {"data": {"field": "Ann <ann@example.com>", "type": "valid"}}}
    )
    error = judged(Answer(400, said("Ann <ann@example.com> is no name"), body.encode()))
    assert str(error) == "EspoCRM refused the call"


def test_a_duplicate_says_which_records_are_there():
    body = json.dumps([CONTACT, "no record"]).encode()
    error = judged(Answer(409, said("duplicate"), body))
    assert isinstance(error, DuplicateError)
    assert error.records == [CONTACT]
    assert "ann" not in str(error).casefold()


# --- contacts ---


def test_a_contact_that_is_there_with_our_key_is_that_one(desk, espo):
    there = json.dumps([CONTACT | {"cRegportalId": KEY}]).encode()
    espo.refusals.append((409, said("duplicate"), there))
    (made,) = desk.create([(ANN, {})])
    assert (made.id, made.outcome, made.created) == (CONTACT["id"], DONE, False)


def test_a_contact_with_the_address_who_came_meanwhile_is_looked_for_again(desk, espo):
    espo.refusals.append((409, said("duplicate"), json.dumps([CONTACT]).encode()))
    (made,) = desk.create([(ANN, {})])
    assert (made.id, made.outcome) == (None, RETRY)  # one that our role hides is never found


def test_a_contact_of_the_same_name_is_somebody_else(desk, espo):
    other = CONTACT | {"emailAddress": "other@example.com"}
    espo.refusals += [
        (409, said("duplicate"), json.dumps([other]).encode()),
        fine({"id": "7", "emailAddress": ANN.email, "cRegportalId": KEY, "lastName": "ann"}),
    ]
    (made,) = desk.create([(ANN, {})])
    assert (made.id, made.created) == ("7", True)
    first, second = (headers for _, _, headers, _ in espo.seen)
    assert "X-Skip-Duplicate-Check" not in first
    assert second["X-Skip-Duplicate-Check"] == "true"


def test_a_field_that_is_left_out_without_a_word_is_told(desk, espo):
    espo.refusals.append(fine({"id": "7", "lastName": "Example"}))
    (done,) = desk.update("contact", [(Record("7"), {"lastName": "Example", "cNoField": "x"})])
    assert done.outcome is REJECTED
    assert "cNoField" in done.says


@pytest.mark.parametrize(("echo", "as_told"), [(None, True), ("need", True), ("", False)])
def test_a_field_our_role_may_not_write_is_told(desk, espo, echo, as_told):
    kind, name = ("opportunity", "cBuyingPhase") if as_told else ("contact", "cCountry")
    espo.refusals.append(fine({"id": "7", name: echo}))
    (done,) = desk.update(kind, [(Record("7", etag="4"), {name: "search"})])
    assert done.outcome is REJECTED
    assert name in done.says


def test_a_value_may_be_put_into_a_form_of_espocrms_own(desk, espo):
    espo.refusals.append(fine({"id": "7", "phoneNumber": "+4930123456"}))
    (done,) = desk.update("contact", [(Record("7"), {"phoneNumber": "+49 30 123456"})])
    assert done.outcome is DONE


def test_a_company_is_an_account_found_by_its_name_or_made(desk, espo):
    echo = {"id": "7", "accountId": "A1", "accountName": "Acme"}
    espo.refusals += [found({"id": "A1"}), fine(echo), found(), fine({"id": "A2"}), fine(echo)]
    desk.update("contact", [(Record("7"), {"company": "Acme"})])
    desk.update("contact", [(Record("7"), {"company": "Initech"})])
    bodies = [json.loads(body) for method, _, _, body in espo.seen if method != "GET"]
    assert bodies == [{"accountId": "A1"}, {"name": "Initech"}, {"accountId": "A2"}]


def test_after_a_key_that_is_not_known_nothing_more_is_tried(desk, espo):
    espo.refusals.append((401, HTML, b""))
    done = desk.update("contact", [(Record(id), {"lastName": "X"}) for id in ("1", "2", "3")])
    assert [one.outcome for one in done] == [AUTH] * 3
    assert espo.count == 1


def test_a_phase_is_written_only_over_the_version_that_was_read(desk, espo):
    espo.refusals.append((409, said("modified"), MODIFIED))
    (done,) = desk.update("opportunity", [(Record("6b", etag="4"), {"cBuyingPhase": "search"})])
    assert done.outcome is LATER
    ((method, path, headers, _),) = espo.seen
    assert (method, path, headers["X-Version-Number"]) == ("PUT", "/api/v1/Opportunity/6b", "4")


def test_the_key_is_in_no_address(desk, espo):
    espo.refusals += [found(), found()]
    desk.find([ANN], ())
    assert all("0123" not in path for _, path, _, _ in espo.seen)
    assert {headers["X-Api-Key"] for _, _, headers, _ in espo.seen} == {"0123"}


# --- notes and newsletters ---


def did(**more):
    one = {"id": uuid.UUID(int=7), "key": KEY, "contact": "6b03", "opportunities": ("6c04",)}
    said_ = {"subject": "Downloaded prices", "body": "Downloaded prices", "at": NOON}
    return Activity(**one | said_ | more)


def test_a_note_that_is_there_is_not_written_again(desk, espo):
    ends = f"[regportal:{KEY}:{uuid.UUID(int=7)}]"
    espo.refusals += [found({"id": "n1", "parentId": "6b03", "post": f"…\n\n{ends}"}), WRITTEN]
    (done,) = desk.log([did()])
    assert done.outcome is DONE
    ((_, path, _, body),) = [call for call in espo.seen if call[0] == "POST"]
    assert path == "/api/v1/Note"
    told = json.loads(body)
    assert (told["parentType"], told["parentId"]) == ("Opportunity", "6c04")
    assert told["post"].endswith(ends)


def test_a_note_beside_an_opportunity_that_is_gone_is_left_out(desk, espo):
    no_right = (403, said("No create access."), b"")
    espo.refusals += [found(), WRITTEN, no_right, found()]
    (done,) = desk.log([did()])
    assert done.outcome is DONE


def test_no_right_to_write_notes_is_no_fault_of_one_of_them(desk, espo):
    no_right = (403, said("No create access."), b"")
    espo.refusals += [found(), no_right, found({"id": "6b03"})]
    (done,) = desk.log([did()])
    assert done.outcome is AUTH


def test_notes_that_are_too_old_to_be_deleted_are_told(desk, espo):
    espo.refusals += [
        fine({"cRegportalId": {"type": "varchar"}}),
        found({"id": "n1"}),
        (403, said("No delete access."), b""),
    ]
    (done,) = desk.forget([Erased(KEY, ("6b03",))])
    assert done.outcome is REJECTED
    assert "noteDeleteThresholdPeriod" in done.says


def test_a_note_that_stays_keeps_nobody_else_from_being_forgotten(desk, espo):
    espo.refusals += [
        fine({"cRegportalId": {"type": "varchar"}}),
        found({"id": "n1"}),
        (403, said("No delete access."), b""),
        *[found()] * 3,
    ]
    done = desk.forget([Erased(KEY, ("6b03",)), Erased(f"{KEY[:-1]}2", ("6b04",))])
    assert [one.outcome for one in done] == [REJECTED, DONE]


def test_notes_are_found_by_our_key_and_those_of_before_by_the_contact(desk, espo):
    espo.refusals += [fine({}), found({"id": "n1"}), WRITTEN, found({"id": "n2"}), WRITTEN, found()]
    (done,) = desk.forget([Erased(KEY, ("6b03",))])
    assert done.outcome is DONE
    asked = [unquote(path) for _, path, _, _ in espo.seen]
    assert f"[regportal:{KEY}:" in asked[1]
    assert asked[2].endswith("/Note/n1")
    assert "[regportal:6b03:" in asked[3]
    assert asked[4].endswith("/Note/n2")


def test_whoever_wants_a_newsletter_again_has_a_note_that_says_so(desk, espo):
    listed = {"id": "T1", "name": "News", "isOptedOut": True}
    espo.refusals += [found({"id": "T1"}), found(listed), found(), WRITTEN, fine(True)]
    wanted = Allowing(KEY, "6b03", ANN.email, "news", True, NOON, "Prices, once a month")
    (done,) = desk.allow([wanted])
    assert done.outcome is DONE
    note, cancel = [call for call in espo.seen if call[0] == "POST"]
    assert "[regportal:6b03:again:T1:2026-03-04T12:00:00Z]" in json.loads(note[3])["post"]
    assert f"[regportal:{KEY}:again]" in json.loads(note[3])["post"]
    assert cancel[1].endswith("/TargetList/action/cancelOptOut")


def test_lists_are_known_by_their_names_however_they_are_written(espo, settings):
    desk = desk_of(espo, settings, newsletters={"prices": "Price news"})
    rows = [
        {"id": "T1", "name": "price News", "isOptedOut": True},
        {"id": "T2", "name": "Price news", "isOptedOut": False},
        {"id": "T3", "name": "Jobs", "isOptedOut": False},
    ]
    espo.refusals += [found({"id": "6b03", "emailAddressIsOptedOut": True}), found(*rows)]
    there = desk.lists_of({"6b03": ANN.email})["6b03"]
    desk.close()
    assert {name: one.is_allowed for name, one in there.items()} == {
        "Price news": False,
        "jobs": True,
        EVERY: False,
    }
    assert there["Price news"].is_mixed


def test_of_two_lists_of_one_name_each_is_known_and_written_by_itself(desk, espo):
    espo.refusals += [found({"id": "T1"}, {"id": "T2"}), found(), fine(True)]
    assert desk.lists(["news", "jobs"]) == {"news": ["T1", "T2"]}
    wanted = Allowing(KEY, "6b03", ANN.email, "news", False, NOON, "Prices, once a month", "T2")
    (no,) = desk.allow([wanted])
    assert no.outcome is DONE
    told = [json.loads(body)["id"] for _, path, _, body in espo.seen if path.endswith("optOut")]
    assert told == ["T2"]


def test_a_list_that_is_not_there_is_made_once_for_all_who_are_put_on_it(desk, espo):
    wanted = Allowing(KEY, "6b03", ANN.email, "news", False, NOON, "Prices, once a month")
    made = found({"id": "T1"})
    espo.refusals += [found(), fine({"id": "T1"}), fine(True), made, fine(True)]
    both = desk.allow([wanted, replace(wanted, contact="6b04")])
    assert [one.outcome for one in both] == [DONE, DONE]
    paths = [path.partition("?")[0].rpartition("/")[2] for _, path, _, _ in espo.seen]
    assert paths == ["TargetList", "TargetList", "optOut", "TargetList", "optOut"]


# --- fields ---


def test_without_an_administrator_it_is_said_who_makes_fields(desk, espo):
    (one,) = desk.make([FieldPlan("opportunity", "cBuyingPhase", "Buying phase", "choice")])
    assert not one.fine
    assert "Entity Manager" in one.says
    assert espo.count == 0


def test_an_administrator_makes_a_field_by_its_bare_name(espo, settings):
    desk = desk_of(espo, settings, admin_secret="env:ADMIN")
    espo.refusals += [fine(None), fine({"type": "enum"}), fine(True)]
    plan = FieldPlan("opportunity", "cBuyingPhase", "Buying phase", "choice", {"need": "Need"})
    (one,) = desk.make([plan])
    desk.close()
    assert one.fine
    _, made, rebuilt = espo.seen
    assert made[1] == "/api/v1/Admin/fieldManager/Opportunity"
    assert made[2]["Authorization"].startswith("Basic ")
    told = json.loads(made[3])
    assert (told["name"], told["options"]) == ("buyingPhase", ["", "need"])
    assert rebuilt[1] == "/api/v1/Admin/rebuild"


def test_options_that_a_choice_lacks_are_put_beside_those_it_has(espo, settings):
    desk = desk_of(espo, settings, admin_secret="env:ADMIN")
    now = {"type": "enum", "options": ["", "need", "theirs"], "label": "Phase"}
    espo.refusals += [fine({"type": "enum"}), fine(now), fine(now), fine(True)]
    labels = {"need": "Need", "decision": "Decision"}
    (one,) = desk.make([FieldPlan("opportunity", "cBuyingPhase", "Phase", "choice", labels)])
    desk.close()
    assert one.fine
    method, path, _, body = espo.seen[2]
    assert (method, path) == ("PUT", "/api/v1/Admin/fieldManager/Opportunity/cBuyingPhase")
    told = json.loads(body)
    assert (told["options"], told["label"]) == (["", "need", "theirs", "decision"], "Phase")


def test_the_check_says_which_rights_are_missing(desk, espo):
    table = {scope: {"create": "yes", "read": "all"} for scope in ("Contact", "Account")}
    espo.refusals.append(fine({"settings": {"version": "9.1.7"}, "acl": {"table": table}}))
    first, *others = desk.check()
    assert first.fine
    assert "9.1.7" in first.says
    amiss = {one.subject: one.says for one in others}
    assert amiss["role: Contact"] == "does not let us edit, stream all of them"
    assert "role: Account" not in amiss
    espo.refusals.append((401, HTML, b""))
    (only,) = desk.check()
    assert not only.fine


# --- what happened ---


OPPORTUNITY = {
    "id": "6b03db356ba33fcd9",
    "name": "Pump",
    "amount": 12000,
    "amountCurrency": "USD",
    "stage": "Closed Won",
    "probability": 100,
    "closeDate": "2026-12-31",
    "modifiedAt": "2026-11-23 06:20:39",
    "accountId": "6b03cff0adb42ff69",
    "accountName": "Example Ltd",
    "assignedUserName": None,
    "contactsIds": ["6b03cff1366d96ec1", "6b03db3754dd17c23"],
    "contactsColumns": {"6b03db3754dd17c23": {"role": "Decision Maker"}},
}
PEOPLE = (
    CONTACT | {"cRegportalId": KEY},
    {"id": "6b03db3754dd17c23", "emailAddress": "bob@example.com", "cRegportalId": None},
)
LAST, LOOKED = (
    datetime(2026, 11, 23, 6, 20, 39, tzinfo=UTC),
    datetime(2026, 11, 23, 6, 17, 59, tzinfo=UTC),
)
"""When that was, and up to when all is there by then."""
NOBODY_OUT = (found(), found())
"""No list is watched, and nobody has opted out of everything."""


def test_an_opportunity_is_told_with_whoever_has_a_part_in_it(desk, espo):
    espo.refusals += [found(OPPORTUNITY), fine(STAGE), found(*PEOPLE), *NOBODY_OUT]
    news, cursor = desk.changes(None, 50)
    deal, *parts = (one.body for one in news)
    assert deal["type"] == "opportunity.upserted"
    assert deal["timestamp"] == "2026-11-23T06:20:39Z"
    assert deal["data"] == {
        "external_id": "6b03db356ba33fcd9",
        "name": "Pump",
        "stage": "Closed Won",
        "probability": 100,
        "amount": "12000",
        "currency": "USD",
        "close_date": "2026-12-31",
        "is_closed": True,
        "is_won": True,
        "url": f"{espo.url}/#Opportunity/view/6b03db356ba33fcd9",
        "owner": None,
        "account": {"external_id": "6b03cff0adb42ff69", "name": "Example Ltd"},
    }
    assert [one["data"] for one in parts] == [
        {"opportunity": deal["data"]["external_id"], "contact": KEY},
        {
            "opportunity": deal["data"]["external_id"],
            "email": "bob@example.com",
            "role": "Decision Maker",
        },
    ]
    at, till = LAST, LOOKED
    assert Cursor.read(cursor) == Cursor(Place(at, "", till), Place(till, "", till), looked=till)


def test_two_changes_of_one_second_are_two_pieces_of_news(desk, espo):
    ids = []
    for stage in ("Negotiation", "Closed Won", "Closed Won"):
        row = OPPORTUNITY | {"stage": stage, "contactsIds": []}
        espo.refusals += [found(row), fine(STAGE), *NOBODY_OUT]
        (one,), _ = desk.changes(None, 50)
        ids.append(one.id)
    assert ids[0] != ids[1] == ids[2]


def test_whoever_asks_until_nothing_is_new_is_done_within_the_minute(desk, espo):
    out = {"id": CONTACT["id"], "_scope": "Contact"}
    lists = found({"id": "T1", "name": "News"}), found(*[out] * 9)
    espo.refusals += [found(), fine(STAGE), *lists, found(), found(PEOPLE[0]), found()]
    news, cursor = desk.changes(None, 5)
    assert len(news) > 5
    espo.refusals += [found(), fine(STAGE), found()]
    assert desk.changes(cursor, 5) == ([], cursor)


def test_a_page_full_of_one_second_is_read_on_by_ids(desk, espo):
    at = datetime(2026, 11, 23, 6, tzinfo=UTC)
    rows = [{"id": one, "modifiedAt": "2026-11-23 06:00:00"} for one in "ba"]
    espo.refusals += [found(*rows), fine(STAGE), *NOBODY_OUT]
    _, cursor = desk.changes(None, 2)
    places = [Place.read(cursor.partition("|")[0])]
    for page in (rows, rows[::-1], rows[:1]):
        espo.refusals += [found(*page), fine(STAGE), found()]
        _, cursor = desk.changes(cursor, 2)
        places.append(Cursor.read(cursor).changed)
    assert places == [Place(at, tie, at) for tie in ("", "0", "b", "~")]
    *_, call = [asked(call)[2] for call in espo.seen if "orderBy=id" in call[1]]
    assert (call["where[0][type]"], call["where[1][value]"]) == ("equals", "b")


@pytest.mark.parametrize("text", ["2026-11-23 06:00:00|0|2026-11-23 06:00:00|0|7", "7", "a|b|c|d"])
def test_a_cursor_of_another_form_is_asked_from_the_beginning(desk, text):
    with pytest.raises(NotTakenError) as caught:
        desk.changes(text, 5)
    assert caught.value.outcome is Outcome.GONE


def test_parts_that_begin_and_end_are_told_by_the_stream(desk, espo):
    notes = [
        {
            "id": f"n{number}",
            "type": kind,
            "parentId": "6b03db356ba33fcd9",
            "relatedType": related,
            "relatedId": CONTACT["id"],
            "createdAt": f"2026-11-23 06:22:1{number}",
        }
        for number, (kind, related) in enumerate(
            [("Relate", "Contact"), ("Unrelate", "Contact"), ("Relate", "Task"), ("Post", None)]
        )
    ]
    deal = {"id": "6b03db356ba33fcd9", "streamUpdatedAt": "2026-11-23 06:22:13"}
    streams = [fine({"total": 4, "list": notes}), found(PEOPLE[0])]
    espo.refusals += [found(), fine(STAGE), found(deal), *streams, *NOBODY_OUT]
    begin = Place(LAST, "", LAST)
    start = str(Cursor(begin, begin, looked=datetime(2026, 3, 4, tzinfo=UTC)))
    news, _ = desk.changes(start, 50)
    told = {"contact": KEY, "opportunity": "6b03db356ba33fcd9"}
    assert [(one.body["type"], one.body["data"]) for one in news] == [
        ("contact_role.added", told),
        ("contact_role.removed", told),
    ]
    assert len({one.id for one in news}) == 2


def test_an_opt_out_is_told_once_each_time(desk, espo):
    def outs(*notes):
        lists = (
            found({"id": "T1", "name": "News"}),
            found({"id": CONTACT["id"], "_scope": "Contact"}),
        )
        return [found(), fine(STAGE), *lists, found(), found(PEOPLE[0]), found(*notes)]

    again = {"id": "n1", "post": f"…[regportal:{CONTACT['id']}:again:T1:2026]"}
    ids = []
    for notes in ((), (), (again,)):
        espo.refusals += outs(*notes)
        (one,), _ = desk.changes(None, 50)
        assert one.body == {
            "type": "consent.withdrawn",
            "data": {"email": "ann@example.com", "newsletter": "News"},
        }
        ids.append(one.id)
    assert ids[0] == ids[1] != ids[2]


STRANGE = [
    b"<html>Welcome</html>",
    b"",
    b"[]",
    b'"text"',
    b'{"list":7}',
    b'{"list":[7]}',
    b'{"list":[{"id":7}]}',
    b'{"list":[{"id":"7","modifiedAt":7}]}',
    b'{"list":[{"id":"7","modifiedAt":"soon"},{"id":"8","modifiedAt":"soon"}]}',
]


@pytest.mark.parametrize("body", STRANGE)
def test_a_server_that_is_no_espocrm_is_asked_again_later(desk, espo, body):
    espo.refusals += [(200, HTML, body)] * 9
    with pytest.raises(NotTakenError) as caught:
        desk.changes(None, 2)
    assert caught.value.outcome is RETRY
    (made,) = desk.create([(ANN, {})])
    assert (made.id, made.outcome) == (None, RETRY)
    espo.refusals[:] = [(200, HTML, body)]
    (one,) = desk.check()
    assert not one.fine


# --- calls of webhooks ---

CALLS = {
    "9.1.7": (
        "52b14e9675bae7539775322d587d2164",
        (
            "NmIwM2QxOTFlMDA3ZmY2NzQ6MzFjZjBlNTk5N2Y1YzE0ZmRjMjIzYjRjZjg0OGVlM2RkMDhhNjc0NGU4N2Zh"
            "YWVmYjdlODcyZTYyZDg5YWI5Mg=="
        ),
        "NmIwM2QxOTFlMDA3ZmY2NzQ6Mc8OWZf1wU/cIjtM+EjuPdCKZ0Tof6rvt+hy5i2Jq5I=",
        (
            b'[{"cBuyingPhase":"search","id":"6b03cff19a7513b62"},{"cBuyingPhase":"decision",'
            b'"id":"6b03cff19a7513b62"},{"cBuyingPhase":"purchase",'
            b'"modifiedById":"6b03cf9b5dd9072f7","modifiedByName":"Admin",'
            b'"id":"6b03cff19a7513b62"}]'
        ),
    ),
    "9.2.7": (
        "6577431df39a9b3c321a2cd12377ac54",
        (
            "NmIwM2QyYTM3ODRmZjNkMjY6M2FiMjY3YWFmNDBlNGNiY2UyNGI3OGUwOTQ3ZmNkOGIxYzdlOTBiMjM3NDY1"
            "NTMwYjdhNGRmOTZlMTRjYTViYQ=="
        ),
        "NmIwM2QyYTM3ODRmZjNkMjY6OrJnqvQOTLziS3jglH/Nixx+kLI3RlUwt6TfluFMpbo=",
        b'[{"id":"6b03d299b6483e3e2","cBuyingPhase":"purchase"}]',
    ),
}
"""Real calls of servers that are gone: the key of the webhook, both headers, the body."""


@pytest.fixture(params=CALLS)
def call(request):
    return CALLS[request.param]


def door(*keys):
    document = {"key": "crm", "type": "espocrm", "url": "http://127.0.0.1:9", "secret": "env:KEY"}
    secrets = {"env:KEY": "0123", "env:HOOKS": ", ".join(keys)}
    words = document | {"inbound_secret": "env:HOOKS"}
    return EspoDesk(Connector(**words), secrets.__getitem__, Egress())


@pytest.mark.parametrize("name", ["Signature", "signature", "X-Signature"])
def test_a_genuine_call_is_a_hint_to_ask_what_happened(call, name):
    key, signature, older, body = call
    desk = door("another", key)
    header = older if name.startswith("X") else signature
    reply = desk.accept(InboundRequest({name: header}, body), now=NOON)
    again = desk.accept(InboundRequest({name: header}, body), now=NOON + timedelta(seconds=9))
    later = desk.accept(InboundRequest({name: header}, body), now=NOON + timedelta(minutes=1))
    assert (reply.status, reply.is_hint) == (202, True)
    assert reply.message_id == again.message_id != later.message_id
    assert len(reply.message_id) < 100


@pytest.mark.parametrize("number", range(9))
def test_any_other_call_is_nobodys(call, number):
    key, signature, older, body = call
    headers, told, keys = [
        ({}, body, [key]),
        ({"Signature": signature}, body + b" ", [key]),
        ({"Signature": signature}, body, ["another"]),
        ({"Signature": signature}, body, []),
        ({"Signature": older}, body, [key]),
        ({"X-Signature": signature}, body, [key]),
        ({"Signature": "nonsense \xff"}, body, [key]),
        ({"Signature": ""}, body, [key]),
        ({"Signature": signature[:-8]}, b"\xff", [key]),
    ][number]
    assert door(*keys).accept(InboundRequest(headers, told), now=NOON).status == 401


def test_a_call_of_ten_megabytes_is_not_read(call):
    key, signature, _, _ = call
    request = InboundRequest({"Signature": signature}, b"x" * 10_000_000)
    assert door(key).accept(request, now=NOON).status == 413
