"""Drafts of rules, tried on the history: how far that has come, and what came of it."""

import uuid
from datetime import UTC, datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.buying.backtest import trials
from regportal.buying.backtest.models import TrialState
from regportal.documents.rule_drafts import let_try
from regportal.errors import BadRequestError, DocumentError, StaleError, TooManyError
from regportal.store import current
from regportal.store.words import N_
from regportal.studio.deciding import revision_sent
from regportal.studio.phases import bp, done
from regportal.studio.policies import page

STATES = {
    TrialState.WAITING: N_("waits for its turn"),
    TrialState.RUNNING: N_("runs"),
    TrialState.DONE: N_("done"),
    TrialState.FAILED: N_("nothing came of it"),
}
NOT_YET = N_("It cannot be tried yet: see below what is wrong with it.")
NO_DAY = N_("Please choose a day that has passed.")


@bp.post("/rules/drafts/<uuid:draft_id>/try")
@page(Permission.RULES)
def begin_trial(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft run over all that has happened; nothing changes by it."""
    revision = revision_sent()
    try:
        since = _day(request.form.get("since", ""))
        key = done(
            "back-test",
            lambda session, now: let_try(session, draft_id, revision, since, now=now).id,
            str,
        )
    except DocumentError:
        flash(NOT_YET, "error")
    except (BadRequestError, StaleError, TooManyError) as error:
        flash(str(error), "error")
    else:
        current.wake("try")
        return redirect(url_for("rules.trial", trial_id=key), 303)
    return redirect(url_for("rules.draft", draft_id=draft_id), 303)


@bp.get("/rules/trials/<uuid:trial_id>")
@page(Permission.RULES)
def trial(trial_id: uuid.UUID) -> str:
    """Show how far a back-test has come, or what came of it."""
    with current.store().read() as session:
        found = trials.trial_called(session, trial_id)
    report = found.report
    return render_template(
        "studio/rule_trial.html",
        trial=found,
        state=STATES[found.state],
        is_over=found.state in {TrialState.DONE, TrialState.FAILED},
        report=report,
        phases=_beside(report) if report else [],
        weeks=_weeks(report) if report else [],
        names=_names(report) if report else {},
    )


@bp.get("/rules/trials/<uuid:trial_id>/state")
@page(Permission.RULES)
def trial_state(trial_id: uuid.UUID) -> ResponseReturnValue:
    """Say how far a back-test has come, for the page that waits for it."""
    with current.store().read() as session:
        found = trials.trial_called(session, trial_id)
    is_over = found.state in {TrialState.DONE, TrialState.FAILED}
    return {"tried": found.tried, "of": found.of, "over": is_over}


@bp.post("/rules/trials/<uuid:trial_id>/stop")
@page(Permission.RULES)
def stop_trial(trial_id: uuid.UUID) -> ResponseReturnValue:
    """Stop a back-test, and forget it."""

    def work(session: Session, _now: datetime) -> None:
        trials.remove(session, trial_id)

    done("back-test-stop", work, lambda _: str(trial_id))
    flash(N_("The back-test is stopped and forgotten."), "success")
    return redirect(url_for("rules.overview"), 303)


def _day(text: str) -> datetime | None:
    """Return the beginning of a day that has passed; raise BadRequestError for another one."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadRequestError(NO_DAY, "since") from error
    if trials.wrong_span(day, None, datetime.now(UTC)):
        raise BadRequestError(NO_DAY, "since")
    return day


def _beside(report: Any) -> list[tuple[str, Any, Any]]:
    """Return each phase with what was counted of it as published, and by the draft."""
    held, tried = (
        {one["phase"]: one for one in report[who]["phases"]} for who in ("published", "draft")
    )
    return [(key, held.get(key), tried.get(key)) for key in {**tried, **held}]


def _weeks(report: Any) -> list[tuple[str, int, int]]:
    """Return by week the moves as published, and by the draft."""
    held, tried = (report[who].get("weeks", {}) for who in ("published", "draft"))
    return [(week, held.get(week, 0), tried.get(week, 0)) for week in sorted({**held, **tried})]


def _names(report: Any) -> dict[str, str]:
    """Return what people call each phase of both."""
    both = (*report["published"]["phases"], *report["draft"]["phases"])
    return {one["phase"]: one["label"] for one in both}
