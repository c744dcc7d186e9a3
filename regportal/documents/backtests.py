"""Where programs try a draft of rules on the history, before anybody publishes it."""

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from flask import Response, url_for
from pydantic import BaseModel, ConfigDict, Field

from regportal.buying.backtest import trials
from regportal.buying.backtest.models import Trial, TrialState
from regportal.documents.planning import draft_of
from regportal.documents.reading import read_text
from regportal.errors import BadRequestError, DocumentError, FaultyError
from regportal.identity.api import Api, Moment, answer
from regportal.store import current
from regportal.store.asked import Asked
from regportal.store.strict_json import KIB, AnyDay, Strict

bp = Api("backtests", __name__, "rules", "Drafts of rules, tried on your own history.")

LARGEST = 256 * KIB
RULES = """\
buying:
  phases:
    - id: unaware
    - id: interest
      enter: {any: [{event: download, within: 90d}]}
"""


class Draft(Strict):
    """A draft of rules, and the part of the history that counts."""

    model_config = ConfigDict(json_schema_extra={"example": {"document": RULES}})

    document: Annotated[
        str,
        Field(min_length=1, description="The text of a file with `buying` in it: YAML, or JSON."),
    ]
    since: Annotated[
        AnyDay | None, Field(alias="from", description="Count only what happened from then on.")
    ] = None
    until: Annotated[
        AnyDay | None, Field(alias="to", description="Look only until then; else until now.")
    ] = None


class OfBackTest(Asked):
    """Which one."""

    key: uuid.UUID


class BackTestRead(BaseModel):
    """A draft that is tried, and what came of it."""

    key: uuid.UUID
    state: TrialState
    asked_at: Moment
    ended_at: Moment | None
    tried: Annotated[int, Field(description="Opportunities that it has gone through.")]
    of: Annotated[int, Field(description="How many there are; 0: it has not begun.")]
    report: Annotated[
        dict[str, Any] | None, Field(description="As `regportal backtest --json` writes it.")
    ]
    trouble: Annotated[str | None, Field(description="Why nothing came of it.")]


@bp.call(
    "POST /backtests",
    scope="backtest",
    answers=BackTestRead,
    status=202,
    most=LARGEST,
    refuses=(422,),
)
def begin_backtest(body: Draft) -> Response:
    """
    Try a draft of rules on your own history; ``Location`` says where to ask what came of it.

    Nothing changes by it. It is kept for a week, and of more than fifty the newest are.
    """
    now = datetime.now(UTC)
    wrong = trials.wrong_span(body.since, body.until, now)
    if wrong is not None:
        raise BadRequestError(f"{wrong[0]}: {wrong[1]}.", wrong[0])
    try:
        book = read_text(body.document.encode(), "document", alone="buying")
        with current.store().read() as session:
            draft = draft_of(session, book)
    except DocumentError as error:
        raise FaultyError(_first(error), "document") from error
    told = current.store().write(
        lambda session: _read(trials.ask(session, draft, body.since, body.until, now=now))
    )
    current.wake("try")
    taken = answer(told, HTTPStatus.ACCEPTED)
    taken.headers["Location"] = url_for("backtests.backtest", key=told.key)
    return taken


@bp.call("GET /backtests/<key>", scope="backtest", answers=BackTestRead, refuses=(404,))
def backtest(path: OfBackTest) -> BackTestRead:
    """Return how far a back-test has come, and its report when it is done."""
    with current.store().read() as session:
        return _read(trials.trial_called(session, path.key))


@bp.call("DELETE /backtests/<key>", scope="backtest", answers=BackTestRead, refuses=(404,))
def delete_backtest(path: OfBackTest) -> BackTestRead:
    """Stop a back-test and forget it; returns what it had come to."""
    return current.store().write(lambda session: _read(trials.remove(session, path.key)))


def _first(error: DocumentError) -> str:
    """Return the first thing wrong with its place, and how many there are."""
    first, *others = error.faults
    return f"{first}." if not others else f"{first} (the first of {len(error.faults)} faults)."


def _read(trial: Trial) -> BackTestRead:
    """Return a back-test as programs read it."""
    return BackTestRead(
        key=trial.id,
        state=trial.state,
        asked_at=trial.asked_at,
        ended_at=trial.ended_at,
        tried=trial.tried,
        of=trial.of,
        report=trial.report,
        trouble=trial.trouble,
    )
