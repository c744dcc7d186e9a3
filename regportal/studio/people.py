"""The people of the Studio: who may come in, with which roles."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts import actions, elsewhere
from regportal.accounts.letters import owe_invitation
from regportal.accounts.models import StudioUser
from regportal.accounts.roles import (
    ROLES,
    Permission,
    Role,
    may_assign,
    may_raise_oneself,
    roles_of,
)
from regportal.errors import BadRequestError, ForbiddenError, NotHereError
from regportal.identity.addresses import read_address
from regportal.insight.scope import owners_but
from regportal.store import current
from regportal.store.words import N_
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import (
    Invitation,
    Pressed,
    Roles,
    SellsFor,
    choices_of,
    languages_named,
)
from regportal.studio.policies import page

T = TypeVar("T")
TOO_MUCH = N_("You cannot give or take what you may not do yourself.")
OWN = N_("What you may do yourself, an owner decides.")
MOST_SHOWN = 30
"""So many are named who look after opportunities and are nobody of the Studio."""

bp = Blueprint("people", __name__)


@bp.get("/people")
@page(Permission.STAFF)
def everybody() -> str:
    """List everybody."""
    with current.store().read() as reading:
        users, linked = actions.everybody(reading), actions.linked(reading)
    return render_template("studio/people.html", users=users, linked=linked, called=called)


@bp.route("/people/invite", methods=["GET", "POST"])
@page(Permission.STAFF, fresh=True)
def invite() -> ResponseReturnValue:
    """Invite a colleague, and send or show the link for him."""
    form, mailed_in = Invitation(data={"locale": ""}), _mailed_in()
    form.locale.choices = choices_of({"": N_("As the browser")} | languages_named())
    if form.validate_on_submit():
        _require_may(_own_roles(), [], form.chosen)
        now, doer = datetime.now(UTC), doer_of_request()
        email, name = read_address(form.email.data or "").email, form.name.data or ""
        roles, locale = form.chosen, form.locale.data or None

        def come(writing: Session) -> tuple[StudioUser, str | None]:
            user = actions.invite(writing, email, name, roles, locale=locale, doer=doer, now=now)
            return user, _hand_over(writing, user, mailed_in, now=now)

        try:
            handed = current.store().write(come)
        except BadRequestError as error:
            form.email.errors = [str(error)]
        else:
            return _after(*handed)
    page = render_template("studio/invite.html", form=form, is_sent=mailed_in is not None)
    return page, 422 if form.errors else 200


@bp.route("/people/<uuid:user_id>", methods=["GET", "POST"])
@page(Permission.STAFF, fresh=True)
def person(user_id: uuid.UUID) -> ResponseReturnValue:
    """Show a colleague, and take other roles for him."""
    form = Roles()
    if not form.validate_on_submit():
        return _shown(user_id, form)
    now, doer, roles = datetime.now(UTC), doer_of_request(), form.chosen
    _require_others(user_id)
    try:
        _change(
            user_id,
            lambda writing: actions.set_roles(writing, user_id, roles, doer=doer, now=now),
            roles,
        )
    except BadRequestError as error:
        form.roles.errors = [str(error)]
        return _shown(user_id, form)
    flash(N_("The roles are changed; your colleague has to sign in again."), "success")
    return redirect(url_for("people.everybody"), 303)


@bp.post("/people/<uuid:user_id>/sells-for")
@page(Permission.STAFF, fresh=True)
def sells_for(user_id: uuid.UUID) -> ResponseReturnValue:
    """Take for whom in the CRM a colleague sells."""
    form = SellsFor()
    if not form.validate_on_submit():
        return _shown(user_id, selling=form)
    now, doer, owners = datetime.now(UTC), doer_of_request(), form.chosen
    _require_others(user_id)
    _change(
        user_id,
        lambda writing: actions.set_sells_for(writing, user_id, owners, doer=doer, now=now),
    )
    flash(N_("This is kept."), "success")
    return redirect(url_for("people.person", user_id=user_id), 303)


def _shown(
    user_id: uuid.UUID, form: Roles | None = None, selling: SellsFor | None = None
) -> ResponseReturnValue:
    """Return the page of a colleague, with what was sent and is wrong."""
    with current.store().read() as reading:
        user = actions.user_of(reading, user_id)
        linked = actions.is_linked(reading, user_id)
        known = {name for one in actions.everybody(reading) for name in names_of(one)}
        unknown = owners_but(reading, known, most=MOST_SHOWN)
    sent = form if form is not None and form.is_submitted() else None
    page = render_template(
        "studio/person.html",
        user=user,
        form=sent or Roles(formdata=None, data={"roles": user.roles}),
        selling=selling
        or SellsFor(formdata=None, data={"owners": "\n".join(user.sells_for or ())}),
        unknown=unknown,
        called=called,
        is_sent=_mailed_in() is not None,
        is_linked=linked,
        is_own=_is_own(user_id),
    )
    return page, 422 if any(one is not None and one.errors for one in (form, selling)) else 200


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
    """Send or show a new link for a colleague who has lost his password, or his first link."""
    now, doer, mailed_in = datetime.now(UTC), doer_of_request(), _mailed_in()

    def come(writing: Session) -> tuple[StudioUser, str | None]:
        user = actions.invite_anew(writing, user_id, doer=doer, now=now)
        return user, _hand_over(writing, user, mailed_in, now=now)

    return _after(*_change(user_id, come))


@bp.post("/people/<uuid:user_id>/unlink")
@page(Permission.STAFF, fresh=True)
def unlink(user_id: uuid.UUID) -> ResponseReturnValue:
    """Forget whom the provider of the company means by a colleague."""
    now, doer = datetime.now(UTC), doer_of_request()
    _change(user_id, lambda writing: elsewhere.unlink(writing, user_id, doer=doer, now=now))
    flash(N_("This is kept."), "success")
    return redirect(url_for("people.person", user_id=user_id), 303)


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
    own = _own_roles()

    def judged(writing: Session) -> T:
        before = roles_of(actions.user_of(writing, user_id).roles)
        _require_may(own, before, after if after is not None else before)
        return change(writing)

    return current.store().write(judged)


def names_of(user: StudioUser) -> Sequence[str]:
    """Return how a CRM calls a colleague who looks after opportunities."""
    return [user.email, *(user.sells_for or ())]


def _own_roles() -> frozenset[Role]:
    """Return the roles of whoever is signed in."""
    return roles_of(current_user.role_names)


def _is_own(user_id: uuid.UUID) -> bool:
    """Return whether somebody would choose for himself what he may do, and may not."""
    return user_id == current_user.id and not may_raise_oneself(_own_roles())


def _require_others(user_id: uuid.UUID) -> None:
    """Raise ForbiddenError where somebody would choose for himself what he may do."""
    if _is_own(user_id):
        raise ForbiddenError(OWN)


def _require_may(own: Iterable[Role], before: Iterable[Role], after: Iterable[Role]) -> None:
    """Raise ForbiddenError unless whoever has his own roles may give and take these."""
    if not may_assign(own, before, after):
        raise ForbiddenError(TOO_MUCH)


def _mailed_in() -> str | None:
    """
    Return the language of a letter for whoever chose none; None: no letter can be sent.

    A letter needs a server that takes it, and a site that says whose it is.
    """
    try:
        current.site()
    except NotHereError:
        return None
    return str(g.locale) if current.settings().sends_mail else None


def _hand_over(
    writing: Session, user: StudioUser, mailed_in: str | None, *, now: datetime
) -> str | None:
    """Owe the letter with somebody's link; or return the link's token, to be shown."""
    if mailed_in is None:
        return actions.make_link(writing, user.id, now=now)
    owe_invitation(writing, user, mailed_in, now=now)
    return None


def _after(user: StudioUser, token: str | None) -> ResponseReturnValue:
    """Say that a link is on its way; or show it, this once: it is kept nowhere."""
    if token is None:
        current.wake("deliver")
        flash(N_("A mail with a link is on its way. It opens once, within seven days."), "success")
        return redirect(url_for("people.everybody"), 303)
    address = f"{current.settings().studio_address}/welcome/{token}"
    return render_template("studio/link.html", user=user, address=address, form=Pressed())
