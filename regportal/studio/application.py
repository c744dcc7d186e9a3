"""The Studio as an application: what it shares with the public one, and what it has of its own."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_bootstrap import Bootstrap5
from flask_security import current_user
from flask_wtf.csrf import CSRFError

from regportal.config import Settings
from regportal.errors import ForbiddenError
from regportal.identity.wire import NOT_THEIRS
from regportal.store import current, refusals
from regportal.store.headers import MINUTES
from regportal.store.problem import request_id
from regportal.store.refusals import TITLES
from regportal.store.tokens import derived_token
from regportal.store.words import N_, SOURCE, languages, nearest, speaking
from regportal.store.words import use as use_words
from regportal.studio import (
    account,
    auditing,
    companies,
    connectors,
    contact,
    contacts,
    corrections,
    headers,
    numbers,
    opportunities,
    outbox,
    overview,
    people,
    phases,
    policies,
    rule_drafts,
    rule_phase,
    rule_trials,
    signing_in,
    welcome,
)
from regportal.studio.gates import views as gates
from regportal.studio.menu import area, menu
from regportal.studio.questions import views as questions
from regportal.studio.sessions import Sessions
from regportal.studio.simulator import views as simulator
from regportal.studio.sso import views as sso

LARGEST = 1024 * 1024
"""Bytes of a form (security.md T-36)."""
SHARED = "regportal."
"""Of the public application the Studio has whatever is called so: settings, store, vault, …"""
SAME = "same-origin"
PRODUCT = "regportal"
PAGES = (
    *(overview.bp, numbers.bp, account.bp, welcome.bp, people.bp, auditing.bp),
    *(
        gates.bp,
        questions.bp,
        simulator.bp,
        phases.bp,
        opportunities.bp,
        contacts.bp,
        companies.bp,
        connectors.bp,
        outbox.bp,
    ),
)
BELOW = (contact, corrections, rule_drafts, rule_phase, rule_trials)
"""More pages of contacts and of rules: whoever imports these has them."""
LATE = N_("The page was open for too long. Please try again.")


def create_studio(
    settings: Settings, root: Path, shared: dict[str, Any], beside: Iterable[Blueprint] = ()
) -> Flask:
    """
    Return the WSGI application of the Studio.

    ``root`` is the folder of templates/ and static/, ``shared`` the extensions of the public
    application, ``beside`` what both answer. Raises LookupError where a page has no policy.
    """
    app = Flask(
        "regportal.studio",
        template_folder=str(root / "templates"),
        static_folder=str(root / "static" / "studio"),
        static_url_path="/static",
        root_path=str(root),
    )
    app.config.update(
        SECRET_KEY=derived_token(settings.keys, "studio"),
        SECRET_KEY_FALLBACKS=[derived_token([key], "studio") for key in settings.keys[1:]],
        MAX_CONTENT_LENGTH=LARGEST,
        MAX_FORM_MEMORY_SIZE=LARGEST,
        TRUSTED_HOSTS=[settings.studio_host] if settings.studio_url else list(settings.hosts),
        SEND_FILE_MAX_AGE_DEFAULT=MINUTES,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    app.extensions |= {name: one for name, one in shared.items() if name.startswith(SHARED)}
    app.session_interface = Sessions(settings)
    app.before_request(_speak)
    app.before_request(_check_origin)
    signing_in.use(app, settings)
    sso.use(app, settings)
    Bootstrap5(app)
    vendor = root / "static" / "vendor"
    app.register_blueprint(
        Blueprint("vendor", __name__, static_folder=vendor, static_url_path="/vendor")
    )
    for blueprint in (*PAGES, *beside):
        app.register_blueprint(blueprint)
    for blueprint in beside:
        app.extensions["csrf"].exempt(blueprint)
    policies.use(app)
    headers.use(app)
    use_words(app.jinja_env)
    app.context_processor(_around)
    refusals.use(app, _tell)
    app.register_error_handler(CSRFError, _late)
    return app


def _speak() -> None:
    """Settle the language of this answer: whoever is signed in chose one, or his browser says."""
    wanted = [name for name, quality in request.accept_languages if quality > 0]
    own = getattr(current_user, "locale", None)
    g.locale = nearest([own, *wanted] if own else wanted, languages()) or SOURCE


def _check_origin() -> None:
    """Refuse what a page of somebody else sends; raises ForbiddenError."""
    if request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint == "reports.csp":
        return
    own = {current.settings().studio_origin, f"{request.scheme}://{request.host}"}
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", SAME)
    if site != SAME or (origin is not None and origin not in own):
        raise ForbiddenError(NOT_THEIRS)


def _around() -> dict[str, Any]:
    """Return what every page is rendered with."""
    locale = g.get("locale", SOURCE)
    me = current_user if current_user and current_user.is_authenticated else None
    groups = menu() if me else ()
    return {
        **speaking(locale),
        "product": PRODUCT,
        "me": me,
        "menu": groups,
        "area": area(groups, request.endpoint),
        "here": request.endpoint,
    }


def _late(error: CSRFError) -> ResponseReturnValue:
    """Lead whoever is not signed in (any more) to the sign-in; refuse everybody else's form."""
    if not current_user.is_authenticated:
        flash(LATE, "info")
        return redirect(url_for("security.login"), 303)
    return _tell(error.code or 400, LATE, None)


def _tell(status: int, sentence: str, field: str | None) -> Response:
    """Return the page that says what went wrong."""
    del field  # the Studio's own forms say it beside the field
    g.failed = True
    words = speaking(g.get("locale", SOURCE))
    page = render_template(
        "studio/problem.html",
        title=words["_"](TITLES.get(status, TITLES[500])),
        status=status,
        sentence=words["_"](sentence),
        request_id=request_id(),
    )
    return make_response(page, status)
