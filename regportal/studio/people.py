"""The people of the Studio: who may come in, with which roles."""

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts import actions
from regportal.accounts.models import StudioUser
from regportal.accounts.roles import ROLES, Permission, Role, may_assign, roles_of
from regportal.errors import BadRequestError, ForbiddenError
from regportal.identity.addresses import read_address
from regportal.store import current
from regportal.store.words import N_
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import Invitation, Pressed, Roles
from regportal.studio.policies import page

T = TypeVar("T")
TOO_MUCH = N_("You cannot give or take what you may not do yourself.")

bp = Blueprint("people", __name__)


@bp.get("/people")
@page(Permission.STAFF)
def everybody() -> str:
    """List everybody."""
    with current.store().read() as reading:
        users = actions.everybody(reading)
    return render_template("studio/people.html", users=users, called=called)


@bp.route("/people/invite", methods=["GET", "POST"])
@page(Permission.STAFF, fresh=True)
def invite() -> ResponseReturnValue:
    """Invite a colleague, and show the link for him."""
    form = Invitation()
    if form.validate_on_submit():
        _require_may(roles_of(current_user.role_names), [], form.chosen)
        now, doer = datetime.now(UTC), doer_of_request()
        email, name = read_address(form.email.data or "").email, form.name.data or ""
        roles = form.chosen
        try:
            user, token = current.store().write(
                lambda writing: actions.invite(writing, email, name, roles, doer=doer, now=now)
            )
        except BadRequestError as error:
            form.email.errors = [str(error)]
        else:
            return _show_link(user, token)
    return render_template("studio/invite.html", form=form), 422 if form.errors else 200


@bp.route("/people/<uuid:user_id>", methods=["GET", "POST"])
@page(Permission.STAFF, fresh=True)
def person(user_id: uuid.UUID) -> ResponseReturnValue:
    """Show a colleague, and take other roles for him."""
    with current.store().read() as reading:
        user = actions.user_of(reading, user_id)
    form = Roles(data={"roles": user.roles})
    if form.validate_on_submit():
        now, doer, roles = datetime.now(UTC), doer_of_request(), form.chosen
        try:
            _change(
                user_id,
                lambda writing: actions.set_roles(writing, user_id, roles, doer=doer, now=now),
                roles,
            )
        except BadRequestError as error:
            form.roles.errors = [str(error)]
        else:
            flash(N_("The roles are changed; your colleague has to sign in again."), "success")
            return redirect(url_for("people.everybody"), 303)
    page = render_template("studio/person.html", user=user, form=form, called=called)
    return page, 422 if form.errors else 200


@bp.post("/people/<uuid:user_id>/disable")
@page(Permission.STAFF, fresh=True)
def disable(user_id: uuid.UUID) -> ResponseReturnValue:
    """Let a colleague in no more."""
    return _set_active(user_id, active=False)


@bp.post("/people/<uuid:user_id>/enable")
@page(Permission.STAFF, fresh=True)
def enable(user_id: uuid.UUID) -> ResponseReturnValue:
    """Let a colleague in again."""
    return _set_active(user_id, active=True)


@bp.post("/people/<uuid:user_id>/link")
@page(Permission.STAFF, fresh=True)
def link(user_id: uuid.UUID) -> ResponseReturnValue:
    """Show a new link for a colleague who has lost his password, or his first link."""
    now, doer = datetime.now(UTC), doer_of_request()
    token = _change(
        user_id, lambda writing: actions.link_anew(writing, user_id, doer=doer, now=now)
    )
    with current.store().read() as reading:
        return _show_link(actions.user_of(reading, user_id), token)


def called(names: list[str]) -> list[str]:
    """Return how people call these roles."""
    return [ROLES[role] for role in Role if role in roles_of(names)]


def _set_active(user_id: uuid.UUID, *, active: bool) -> ResponseReturnValue:
    """Let a colleague in again, or no more."""
    now, doer = datetime.now(UTC), doer_of_request()
    _change(
        user_id,
        lambda writing: actions.set_active(writing, user_id, active=active, doer=doer, now=now),
    )
    flash(N_("This is kept."), "success")
    return redirect(url_for("people.everybody"), 303)


def _change(
    user_id: uuid.UUID, change: Callable[[Session], T], after: Iterable[Role] | None = None
) -> T:
    """
    Change something of a colleague, where whoever asks may; judged and done in one transaction.

    Raises ForbiddenError.
    """
    own = roles_of(current_user.role_names)

    def judged(writing: Session) -> T:
        before = roles_of(actions.user_of(writing, user_id).roles)
        _require_may(own, before, after if after is not None else before)
        return change(writing)

    return current.store().write(judged)


def _require_may(own: Iterable[Role], before: Iterable[Role], after: Iterable[Role]) -> None:
    """Raise ForbiddenError unless whoever has his own roles may give and take these."""
    if not may_assign(own, before, after):
        raise ForbiddenError(TOO_MUCH)


def _show_link(user: StudioUser, token: str) -> str:
    """Show a link, this once: it is kept nowhere."""
    address = f"{current.settings().studio_address}/welcome/{token}"
    return render_template("studio/link.html", user=user, address=address, form=Pressed())
