"""What HubSpot means by its refusals: its category says it, the status does not."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from regportal.connectors.calls import from_elsewhere, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome, retry_at
from regportal.connectors.shapes import among, texts, under

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
"""Of a property or a code: nothing personal fits, and no sentence does."""
SCOPE = re.compile(r"[a-z][a-z_-]*(\.[a-z_-]+){1,5}")
EXISTING = re.compile(r"Existing ID: (\d+)")
MEANINGS: Mapping[str, tuple[Outcome, str]] = {
    "INVALID_AUTHENTICATION": (Outcome.AUTH, "HubSpot does not know our key"),
    "EXPIRED_AUTHENTICATION": (Outcome.AUTH, "our key for HubSpot has expired"),
    "REVOKED_AUTHENTICATION": (Outcome.AUTH, "our key for HubSpot was taken back"),
    "MISSING_SCOPES": (Outcome.AUTH, "our key for HubSpot lacks a scope"),
    "BANNED": (Outcome.AUTH, "HubSpot does not let us in any more"),
    "OBJECT_NOT_FOUND": (Outcome.LATER, "the record went away"),
    "CONFLICT": (Outcome.REJECTED, "HubSpot has such a one already"),
}
POLICIES = {"SECONDLY": timedelta(seconds=1), "TEN_SECONDLY_ROLLING": timedelta(seconds=10)}
"""How long a limit holds, by its name."""
DAILY = "DAILY"
TOO_MANY, LOCKED, MOVING, BROKEN = 429, 423, 477, 500
A_WHILE = timedelta(seconds=2)
Told = Mapping[str, Any]


class TakenError(NotTakenError):
    """Another contact has the address: ``id``."""

    def __init__(self, id: str) -> None:
        """Keep which one."""
        super().__init__(Outcome.REJECTED, "another contact of HubSpot has this address")
        self.id = id


def judged(answer: Answer, zone: tzinfo = UTC) -> NotTakenError:
    """
    Return what an answer that is no success means for whatever was asked.

    A day's limit ends at midnight in the account's ``zone``.

    >>> body = b'{"status":"error","category":"INVALID_AUTHENTICATION","message":"-"}'
    >>> judged(Answer(401, {}, body)).outcome
    <Outcome.AUTH: 'auth'>

    What is not in HubSpot's words does not come from HubSpot:

    >>> judged(Answer(401, {}, b"<h1>Proxy</h1>")).outcome
    <Outcome.RETRY: 'retry'>
    """
    told = said(answer)
    if not (isinstance(told, dict) and isinstance(told.get("category"), str)):
        return from_elsewhere(answer)
    now = datetime.now(UTC)
    asked = retry_at(answer.headers.get("Retry-After"), now)
    if answer.status == TOO_MANY:
        policy = str(told.get("policyName"))
        ends = (
            midnight_after(now, zone)
            if policy == DAILY
            else now + POLICIES.get(policy, POLICIES["TEN_SECONDLY_ROLLING"])
        )
        says = "HubSpot allows no more calls " + ("today" if policy == DAILY else "just now")
        return NotTakenError(Outcome.THROTTLED, says, retry_at=asked or ends)
    if answer.status in {LOCKED, MOVING}:
        says = "HubSpot is busy with this"
        return NotTakenError(Outcome.LATER, says, retry_at=asked or now + A_WHILE)
    if told["category"] == "OBJECT_NOT_FOUND":
        return NotTakenError(
            Outcome.AUTH, "HubSpot has nothing here: are the version and `url` right?"
        )
    if answer.status >= BROKEN:
        return NotTakenError(Outcome.RETRY, f"HubSpot answered {answer.status}", retry_at=asked)
    return meaning(told)


def midnight_after(now: datetime, zone: tzinfo) -> datetime:
    """
    Return when the day ends in a zone.

    >>> midnight_after(datetime(2026, 3, 4, 12, tzinfo=UTC), UTC).isoformat()
    '2026-03-05T00:00:00+00:00'
    """
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


def meaning(told: Told) -> NotTakenError:
    """
    Return what is meant by a refusal, of a call or of one record.

    >>> error = {
    ...     "category": "VALIDATION_ERROR",
    ...     "errors": [{"code": "INVALID_OPTION", "context": {"propertyName": ["dealstage"]}}],
    ... }
    >>> str(meaning(error))
    'HubSpot refuses what dealstage was to hold (INVALID_OPTION)'
    """
    category = str(told.get("category"))
    existing = EXISTING.search(str(told.get("message")))
    if existing:
        return TakenError(existing[1])
    if category == "MISSING_SCOPES":
        named = texts(under(told, "context"), "missingScopes")
        lacks = [one for one in named if SCOPE.fullmatch(one)]
        says = f"our key for HubSpot lacks {', '.join(lacks)}" if lacks else MEANINGS[category][1]
        return NotTakenError(Outcome.AUTH, says)
    if category in MEANINGS:
        return NotTakenError(*MEANINGS[category])
    return NotTakenError(Outcome.REJECTED, _amiss(told))


def _amiss(told: Told) -> str:
    """Say which property was refused, and why; never what it was to hold."""
    first = next(iter(among(told, "errors")), {})
    names = [one for one in texts(under(first, "context"), "propertyName") if NAME.fullmatch(one)]
    code = str(first.get("code"))
    says = f"HubSpot refuses what {names[0]} was to hold" if names else "HubSpot refuses this"
    return f"{says} ({code})" if first.get("code") and NAME.fullmatch(code) else says
