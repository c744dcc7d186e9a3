"""Understanding what a CRM says: its words, judged one by one, become a value of ours."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from regportal.buying.telling import Part, Told
from regportal.inbox.telling import (
    GoneTold,
    MergedTold,
    Named,
    OpportunityGoneTold,
    OpportunityTold,
    RoleTold,
    Understood,
    WithdrawnTold,
)

LONGEST_ID = 255
LONGEST_TEXT = 500
AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
CURRENCY = re.compile(r"[A-Z]{3}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
LINK = re.compile(r"https?://[!-;=?-~]{1,1990}")
KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MOST_LIKELY = 100
MOST_PARTS = 200
KINDS = frozenset(
    {
        "opportunity.upserted",
        "opportunity.deleted",
        "contact_role.added",
        "contact_role.removed",
        "contact.deleted",
        "contact.erased",
        "contact.merged",
        "consent.withdrawn",
    }
)


class NotUnderstoodError(ValueError):
    """One sentence about what a person must look at; names keys, repeats no values."""


def understood(value: Any, received_at: datetime) -> Understood:
    """
    Return what a call says; raise NotUnderstoodError with one sentence where it says nothing.

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> body = {"type": "opportunity.upserted", "data": {"external_id": "006", "stage": "Offer"}}
    >>> understood(body, noon).about.columns
    {'stage': 'Offer'}
    >>> understood({"type": "contact.deleted", "data": {}}, noon)
    Traceback (most recent call last):
    regportal.inbox.rules.NotUnderstoodError: a deletion needs email, contact or record
    """
    if not isinstance(value, dict):
        raise NotUnderstoodError("the body is not an object")
    kind, said = value.get("type"), value.get("data")
    if not isinstance(kind, str):
        raise NotUnderstoodError("type must be a text")
    if kind.startswith("consent.") and kind != "consent.withdrawn":
        raise NotUnderstoodError("only the owner of the mailbox gives consent, never a CRM")
    if kind not in KINDS:
        raise NotUnderstoodError(f"{kind[:80]!r} is no type we know")
    if not isinstance(said, dict):
        raise NotUnderstoodError("data must be an object")
    if kind == "contact.merged":
        return _merged(said)
    if kind == "consent.withdrawn":
        return replace(_withdrawn(said), at=_moment(value.get("timestamp"), received_at))
    if kind in {"contact.deleted", "contact.erased"}:
        return _gone(said, is_erased=kind == "contact.erased")
    told_at = told_when(value.get("timestamp"), received_at)
    if kind.startswith("opportunity."):
        return (_opportunity if kind == "opportunity.upserted" else _closed)(said, told_at)
    return _role(said, told_at, added=kind == "contact_role.added")


def told_when(stamp: Any, received_at: datetime) -> datetime:
    """
    Return the CRM's own time of what it says: never later than we heard it.

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> told_when("2026-03-04T12:30:00+01:00", noon).isoformat()
    '2026-03-04T11:30:00+00:00'
    >>> told_when("2099-01-01T00:00:00Z", noon) == noon
    True
    >>> told_when(None, noon) == noon
    True
    """
    if stamp is None:
        return received_at
    wrong = NotUnderstoodError("timestamp must be a moment with its zone, as 2026-03-04T12:00:00Z")
    if not isinstance(stamp, str):
        raise wrong
    try:
        moment = datetime.fromisoformat(stamp)
        if moment.tzinfo is None:
            raise wrong
        return min(moment.astimezone(UTC), received_at)
    except (ValueError, OverflowError):
        raise wrong from None


def _moment(stamp: Any, received_at: datetime) -> datetime | None:
    """Return when something was said; None where that is not told: no "no" is lost over it."""
    try:
        return None if stamp is None else told_when(stamp, received_at)
    except NotUnderstoodError:
        return None


def _opportunity(said: Mapping[str, Any], told_at: datetime) -> OpportunityTold:
    """Read the description of an opportunity (design.md 7)."""
    external_id = _identifier("external_id", said.get("external_id"))
    columns = {name: read(name, said[name]) for name, read in COLUMNS.items() if name in said}
    body = {name: said[name] for name in ("external_id", *COLUMNS) if name in said}
    if columns.get("is_won"):
        if columns.get("is_closed") is False:
            raise NotUnderstoodError("is_won is true and is_closed is not")
        columns["is_closed"] = True
    elif columns.get("is_closed") is False:
        columns["is_won"] = False
    return OpportunityTold(
        Told(external_id, columns, body, told_at), _parts(said, external_id, told_at)
    )


def _closed(said: Mapping[str, Any], told_at: datetime) -> OpportunityGoneTold:
    """
    Read which opportunity is gone: no more is known of it than that it is closed.

    >>> _closed({"external_id": "006"}, datetime(2026, 3, 4, tzinfo=UTC)).about.columns
    {'is_closed': True}
    """
    gone = {"external_id": said.get("external_id"), "is_closed": True}
    return OpportunityGoneTold(_opportunity(gone, told_at).about)


def _parts(
    said: Mapping[str, Any], opportunity: str, told_at: datetime
) -> tuple[RoleTold, ...] | None:
    """Read who all has a part; None where that is not told."""
    if "contacts" not in said:
        return None
    named = said["contacts"]
    if not isinstance(named, list) or not all(isinstance(one, dict) for one in named):
        raise NotUnderstoodError("contacts must be a list of objects")
    if len(named) > MOST_PARTS:
        raise NotUnderstoodError(f"contacts must be at most {MOST_PARTS}")
    return tuple(_role({**one, "opportunity": opportunity}, told_at, added=True) for one in named)


def _role(said: Mapping[str, Any], told_at: datetime, *, added: bool) -> RoleTold:
    """Read who has a part in which opportunity."""
    return RoleTold(
        added=added,
        opportunity=_identifier("opportunity", said.get("opportunity")),
        whose=_named("a contact role", said),
        part=Part(
            role=_text("role", said.get("role")),
            is_primary=_flag("is_primary", said.get("is_primary", False)),
            told_at=told_at,
        ),
    )


def _merged(said: Mapping[str, Any]) -> MergedTold:
    """
    Read who is the same person as whom.

    >>> _merged({"email": "ann@old.example", "into": "ann@new.example"}).kept.email
    'ann@new.example'

    Where a record was merged, it was into a record:

    >>> _merged({"record": "152", "into": "151"}).kept.record
    '151'
    """
    into = _identifier("into", said.get("into"))
    joined = _named("a merge", said)
    if joined.is_record:
        return MergedTold(joined, Named(record=into))
    return MergedTold(joined, Named(email=into) if "@" in into else Named(contact=into))


def _withdrawn(said: Mapping[str, Any]) -> WithdrawnTold:
    """
    Read who no longer wants which newsletter; without one it is every newsletter.

    >>> _withdrawn({"email": "ann@initech.example", "newsletter": "prices"}).newsletter
    'prices'
    """
    newsletter = said.get("newsletter")
    if newsletter is not None:
        newsletter = _matching(KEY, "newsletter", newsletter, "the key of a newsletter")
    return WithdrawnTold(_named("a withdrawal", said), newsletter)


def _gone(said: Mapping[str, Any], *, is_erased: bool) -> GoneTold:
    """Read whose record is gone."""
    return GoneTold(_named("an erasure" if is_erased else "a deletion", said), is_erased)


def _named(what: str, said: Mapping[str, Any]) -> Named:
    """Read who is meant: by the address, or by our key, or else by the CRM's record."""
    names = {
        name: _identifier(name, said[name])
        for name in ("email", "contact", "record")
        if said.get(name) is not None
    }
    if not names:
        raise NotUnderstoodError(f"{what} needs email, contact or record")
    if names.keys() >= {"email", "contact"}:
        raise NotUnderstoodError(f"{what} needs either email or contact")
    return Named(**names)


def _identifier(name: str, value: Any) -> str:
    """Read what must be there and is used to find something."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise NotUnderstoodError(f"{name} must be a text of 1 to {LONGEST_ID} characters")
    return value


def _text(name: str, value: Any) -> str | None:
    """Read a text that may be empty."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise NotUnderstoodError(f"{name} must be a text of at most {LONGEST_TEXT} characters")
    return value


def _flag(name: str, value: Any) -> bool:
    """Read yes or no."""
    if not isinstance(value, bool):
        raise NotUnderstoodError(f"{name} must be true or false")
    return value


def _probability(name: str, value: Any) -> int | None:
    """
    Read a percentage; whole per cents are kept (the series keeps what was said).

    >>> _probability("probability", 38.73)
    39
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotUnderstoodError(f"{name} must be a number")
    if not 0 <= value <= MOST_LIKELY:
        raise NotUnderstoodError(f"{name} must lie between 0 and {MOST_LIKELY}")
    return round(value)


def _amount(name: str, value: Any) -> str | None:
    """
    Read an amount of money, exact to the digit, and so a text.

    >>> _amount("amount", "12000.50")
    '12000.50'
    """
    return _matching(AMOUNT, name, value, 'a number in a text, as "12000.50"')


def _currency(name: str, value: Any) -> str | None:
    """Read the code of a currency."""
    return _matching(CURRENCY, name, value, "three capital letters, as EUR")


def _matching(pattern: re.Pattern[str], name: str, value: Any, says: str) -> str | None:
    """Read a text of this shape."""
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise NotUnderstoodError(f"{name} must be {says}")
    return value


def _day(name: str, value: Any) -> date | None:
    """Read a day."""
    text = _matching(DAY, name, value, "a day, as 2026-03-31")
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise NotUnderstoodError(f"{name} must be a day, as 2026-03-31") from None


def _link(name: str, value: Any) -> str | None:
    """
    Read where something is shown.

    >>> _link("url", "https://crm.acme.example/deals/006")
    'https://crm.acme.example/deals/006'
    """
    text = _matching(LINK, name, value, "an address of at most 2,000 signs, as https://…")
    try:
        has_host = text is None or bool(urlsplit(text).hostname)
    except ValueError:
        has_host = False
    if not has_host:
        raise NotUnderstoodError(f"{name} must be an address with a host, as https://…")
    return text


def _owner(name: str, value: Any) -> dict[str, str | None] | None:
    """Read who looks after it."""
    return _texts(name, value, ("name", "email"))


def _account(name: str, value: Any) -> dict[str, str | None] | None:
    """Read which company buys."""
    return _texts(name, value, ("external_id", "name", "domain"))


def _texts(name: str, value: Any, known: tuple[str, ...]) -> dict[str, str | None] | None:
    """Read an object of texts; what we do not know in it is left out."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise NotUnderstoodError(f"{name} must be an object")
    return {each: _text(f"{name}.{each}", value[each]) for each in known if each in value}


COLUMNS: Mapping[str, Callable[[str, Any], Any]] = {
    "name": _text,
    "stage": _text,
    "probability": _probability,
    "amount": _amount,
    "currency": _currency,
    "close_date": _day,
    "is_closed": _flag,
    "is_won": _flag,
    "url": _link,
    "owner": _owner,
    "account": _account,
}
"""What a description may hold beside its name, and how each is read."""
