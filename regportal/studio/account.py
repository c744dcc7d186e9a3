"""Everybody's own account: how he comes in, where he is signed in, how he sees the Studio."""

import uuid
from datetime import UTC, datetime
from functools import partial

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts import audit, sessions
from regportal.accounts.actions import USER, end_sessions, user_of
from regportal.errors import NotHereError
from regportal.identity.wire import browser_shown
from regportal.store import current
from regportal.store.words import N_
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import THEMES, Profile, choices_of, languages_named
from regportal.studio.policies import own_page

MINE = "what somebody sees and changes here is his own"

bp = Blueprint("account", __name__)


@bp.route("/account", methods=["GET", "POST"])
@own_page(MINE)
def account() -> ResponseReturnValue:
    """Show somebody how he comes in and where he is signed in, and take what he likes."""
    form = Profile(obj=current_user)
    form.locale.choices = choices_of({"": N_("As my browser")} | languages_named())
    form.theme.choices = choices_of(THEMES)
    now = datetime.now(UTC)
    if form.validate_on_submit():
        chosen = (form.name.data or "", form.locale.data or None, form.theme.data or None)
        current.store().write(partial(_choose, user_id=current_user.id, chosen=chosen))
        flash(N_("This is kept."), "success")
        return redirect(url_for("account.account"), 303)
    with current.store().read() as reading:
        signed_in = sessions.of(reading, current_user.id, now=now)
    return (
        render_template(
            "studio/account.html",
            form=form,
            signed_in=signed_in,
            here=getattr(session, "key", None),
            browser_shown=browser_shown,
        ),
        422 if form.errors else 200,
    )


@bp.post("/account/sessions/<uuid:session_id>/end")
@own_page(MINE)
def end_session(session_id: uuid.UUID) -> ResponseReturnValue:
    """Sign somebody out in one of his browsers."""
    user_id, doer, now = current_user.id, doer_of_request(), datetime.now(UTC)

    def end(writing: Session) -> None:
        if not sessions.end_one(writing, user_id, session_id):
            raise NotHereError(f"no session {session_id}")
        audit.write(writing, doer, "session-end", USER, str(user_id), now=now)

    current.store().write(end)
    flash(N_("Nobody is signed in there any more."), "success")
    return redirect(url_for("account.account"), 303)


@bp.post("/account/sessions/end")
@own_page(MINE)
def end_others() -> ResponseReturnValue:
    """Sign somebody out everywhere but here."""
    user_id, doer, now = current_user.id, doer_of_request(), datetime.now(UTC)
    here = getattr(session, "key", None)

    def end(writing: Session) -> None:
        end_sessions(writing, user_id, but=here)
        audit.write(writing, doer, "session-end", USER, str(user_id), now=now)

    current.store().write(end)
    flash(N_("You are signed in here, and nowhere else."), "success")
    return redirect(url_for("account.account"), 303)


def _choose(
    writing: Session, user_id: uuid.UUID, chosen: tuple[str, str | None, str | None]
) -> None:
    """Keep how somebody sees the Studio."""
    user = user_of(writing, user_id)
    user.name, user.locale, user.theme = chosen
