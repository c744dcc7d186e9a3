"""Coming in for the first time, by a link that is used once."""

from datetime import UTC, datetime

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security.utils import login_user
from sqlalchemy.orm import Session

from regportal.accounts.actions import accept, invited
from regportal.accounts.models import StudioUser
from regportal.identity import limits
from regportal.identity.addresses import read_address
from regportal.store import current
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import FirstOwner, NewPassword
from regportal.studio.policies import open_page
from regportal.studio.sso import ways

bp = Blueprint("welcome", __name__)


@bp.route("/welcome/<token>", methods=["GET", "POST"])
@open_page("whoever has the link; it is used once")
def welcome(token: str) -> ResponseReturnValue:
    """Let somebody choose his password, and in."""
    now = datetime.now(UTC)
    limits.check("welcome", now=now)
    with current.store().read() as reading:
        purpose, user = invited(reading, token, now=now)
    if request.method == "POST":
        ways.check_link(purpose)
    form = NewPassword() if user else FirstOwner()
    if not form.validate_on_submit():
        page = render_template("studio/welcome.html", form=form, user=user)
        return page, 422 if form.errors else 200
    email = user.email if user else read_address(form.email.data or "").email
    name = user.name if user else form.name.data
    password, doer = form.hashed, doer_of_request()

    def come_in(writing: Session) -> StudioUser:
        return accept(writing, token, password, email=email, name=name, doer=doer, now=now)

    made = current.store().write(come_in)
    login_user(current_app.extensions["security"].datastore.find_user(id=made.id))
    return redirect(url_for("overview.overview"), 303)
