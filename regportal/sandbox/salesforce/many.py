"""Many records, or many calls, in one: collections of 200, and composites of 25."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from regportal.sandbox.salesforce.calls import Call, Said
from regportal.sandbox.salesforce.refusals import RefusedError, no_such_column, not_found
from regportal.sandbox.salesforce.values import shown

if TYPE_CHECKING:
    from regportal.sandbox.salesforce.api import Api

MOST_RECORDS, MOST_CALLS, MOST_QUERIES = 200, 25, 5
BAD, GOOD = 400, 300
QUERY = re.compile(r"/services/data/[^/]+/(?:query|queryAll|composite/sobjects)\b")
REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)\.([^}]+)\}")
ROLLED_BACK = (
    "Record rolled back because not all records were valid and the request was using AllOrNone"
    " header"
)
HALTED = "The transaction was rolled back since another operation in the same transaction failed."
OWN = frozenset({"accept", "authorization", "content-type"})
"""Headers that a call within a call may not bring."""
Write = Callable[[Mapping[str, Any]], dict[str, Any]]


def insert(api: "Api", call: Call, _: Sequence[str]) -> Said:
    """Make records."""

    def write(record: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": api.org.insert(_kind(record), record)}

    return _collection(api, call, write)


def update(api: "Api", call: Call, _: Sequence[str]) -> Said:
    """Set fields of records by their ids."""

    def write(record: Mapping[str, Any]) -> dict[str, Any]:
        id = record.get("Id") or record.get("id")
        if not isinstance(id, str):
            raise RefusedError("MISSING_ARGUMENT", "Id not specified in an update call")
        kind = _kind(record)
        try:
            api.org.update(kind, id, record)
        except RefusedError as error:
            if error.code != "NOT_FOUND":
                raise
            raise RefusedError(
                "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"
            ) from None
        return {"id": api.org.existing(kind, id)["Id"]}

    return _collection(api, call, write)


def upsert(api: "Api", call: Call, names: Sequence[str]) -> Said:
    """Set fields of the records that a key means, and make those that are not there."""
    sobject = api.org.entity(names[0])
    field = sobject.find(names[1])
    if field is None or not field.is_key:
        message = "Provided external ID field does not exist or is not accessible: "
        raise not_found(f"{message}{names[1]}")
    met: set[str] = set()

    def write(record: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: value for name, value in record.items() if name != "Id"}
        key = record.get(field.name)
        if field.name == "Id":
            rows = [api.org.existing(sobject.name, key)] if key else []
        else:
            if key in ("", None):
                message = f"{field.name} not specified"
                raise RefusedError("MISSING_ARGUMENT", message, 400, [field.name])
            if str(key).casefold() in met:
                message = f"Duplicate external id specified: {key}"
                raise RefusedError("DUPLICATE_VALUE", message, 400, [field.name])
            met.add(str(key).casefold())
            rows = api.org.by_key(sobject, field, key)
        if len(rows) > 1:
            message = f"{field.name}: more than one record found for external id field"
            raise RefusedError("DUPLICATE_EXTERNAL_ID", message, 400, [field.name])
        if rows:
            if not field.has("U"):
                values.pop(field.name, None)
            api.org.update(sobject.name, rows[0]["Id"], values)
            return {"id": rows[0]["Id"], "created": False}
        return {"id": api.org.insert(sobject.name, values), "created": True}

    return _collection(api, call, write, is_upsert=True)


def delete(api: "Api", call: Call, _: Sequence[str]) -> Said:
    """Delete records."""
    ids = [one for one in call.query.get("ids", "").split(",") if one]
    told = {"allOrNone": call.query.get("allOrNone") == "true", "records": ids}

    def write(id: Any) -> dict[str, Any]:
        api.org.delete(id)
        return {"id": id}

    return _written(api, told, write, is_upsert=False)


def retrieve(api: "Api", call: Call, names: Sequence[str]) -> Said:
    """Return records by their ids, and null where there is none."""
    sobject = api.org.entity(names[0])
    told = call.told if isinstance(call.told, dict) else {}
    fields = [(one, sobject.find(str(one))) for one in told.get("fields", [])]
    for name, field in fields:
        if field is None:
            raise no_such_column(name, sobject.name)
    found: list[Any] = []
    for id in told.get("ids", []):
        try:
            row = api.org.existing(sobject.name, id)
        except RefusedError:
            found.append(None)
            continue
        url = f"{call.base}/sobjects/{sobject.name}/{row['Id']}"
        one = {"attributes": {"type": sobject.name, "url": url}}
        found.append(one | {field.name: shown(row.get(field.name)) for _, field in fields if field})
    return Said(told=found)


def _collection(api: "Api", call: Call, write: Write, *, is_upsert: bool = False) -> Said:
    """Write the records of a collection."""
    told = call.told
    if not isinstance(told, dict) or not isinstance(told.get("records"), list):
        raise RefusedError("JSON_PARSER_ERROR", "records are needed")
    return _written(api, told, write, is_upsert=is_upsert)


def _written(api: "Api", told: Mapping[str, Any], write: Write, *, is_upsert: bool) -> Said:
    """Write records, each for itself or all of them; say of each what became of it."""
    records = told["records"]
    if len(records) > MOST_RECORDS:
        message = f"record limit reached. cannot submit more than {MOST_RECORDS} records"
        raise RefusedError("EXCEEDED_ID_LIMIT", message)
    put_back = api.org.keeping() if told.get("allOrNone") else None
    done: list[dict[str, Any]] = []
    for record in records:
        try:
            done.append({**write(record), "success": True, "errors": []})
        except RefusedError as error:
            failed = {"success": False, "errors": [error.of_record()]}
            done.append(failed | ({"created": False} if is_upsert else {}))
    if put_back is not None and not all(one["success"] for one in done):
        put_back()
        undone = RefusedError("ALL_OR_NONE_OPERATION_ROLLED_BACK", ROLLED_BACK).of_record()
        done = [{"success": False, "errors": [undone]} if one["success"] else one for one in done]
    order = ("id", "success", "errors", "created")
    return Said(told=[{name: one[name] for name in order if name in one} for one in done])


def _kind(record: Any) -> str:
    """Return of which kind a record is."""
    attributes = record.get("attributes") if isinstance(record, dict) else None
    if not isinstance(attributes, dict) or "type" not in attributes:
        raise RefusedError("INVALID_TYPE", "the type of the record is missing")
    return str(attributes["type"])


def composite(api: "Api", call: Call, _: Sequence[str]) -> Said:
    """Answer calls one after the other; what one answered the next may name."""
    told = call.told if isinstance(call.told, dict) else {}
    calls = told.get("compositeRequest")
    if not isinstance(calls, list) or not calls:
        raise RefusedError("JSON_PARSER_ERROR", "compositeRequest is needed")
    if len(calls) > MOST_CALLS:
        message = f"Cannot request more than {MOST_CALLS} requests in a composite call"
        raise RefusedError("LIMIT_EXCEEDED", message)
    if sum(bool(QUERY.match(str(one.get("url")))) for one in calls) > MOST_QUERIES:
        message = f"Cannot request more than {MOST_QUERIES} queries or collections in a call"
        raise RefusedError("LIMIT_EXCEEDED", message)
    names = [one.get("referenceId") for one in calls]
    if len({*names}) < len(names) or not all(isinstance(name, str) for name in names):
        raise RefusedError("INVALID_INPUT", "Duplicate or missing referenceId")
    put_back = api.org.keeping() if told.get("allOrNone") else None
    answers: dict[str, Said] = {}
    for one in calls:
        answers[one["referenceId"]] = _inner(api, one, answers)
    if put_back is not None and any(one.status >= BAD for one in answers.values()):
        put_back()
        halted = RefusedError("PROCESSING_HALTED", HALTED).body()
        answers = {
            name: one if one.status >= BAD else Said(BAD, halted) for name, one in answers.items()
        }
    return Said(
        told={
            "compositeResponse": [
                {
                    "body": one.told,
                    "httpHeaders": dict(one.headers),
                    "httpStatusCode": one.status,
                    "referenceId": name,
                }
                for name, one in answers.items()
            ]
        }
    )


def _inner(api: "Api", one: Mapping[str, Any], answers: Mapping[str, Said]) -> Said:
    """Answer a call within a call."""
    headers = one.get("httpHeaders") or {}
    if {name.casefold() for name in headers} & OWN:
        message = "this header is not allowed in a subrequest"
        return Said(BAD, RefusedError("INVALID_INPUT", message).body())
    try:
        url = _filled(one.get("url", ""), answers)
        body = json.loads(_filled(json.dumps(one.get("body")), answers))
    except RefusedError as error:
        return Said(error.status, error.body())
    return api.ask(str(one.get("method")), url, body, headers)


def _filled(text: str, answers: Mapping[str, Said]) -> str:
    """Put in what earlier calls answered."""

    def there(found: re.Match[str]) -> str:
        said = answers.get(found[1])
        value: Any = said.told if said is not None and said.status < GOOD else None
        for name in re.findall(r"[A-Za-z_]\w*|\d+", found[2]):
            if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            else:
                value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            raise RefusedError("PROCESSING_HALTED", f"Invalid reference specified. {found[0]}")
        return str(value)

    return REFERENCE.sub(there, text)
