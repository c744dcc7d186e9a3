"""The front door: puts the rooms together, decides nothing."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, make_response
from werkzeug.middleware.proxy_fix import ProxyFix

from regportal.accounts import elsewhere
from regportal.app import health, pages, problems, reports, scripts
from regportal.app.document import described
from regportal.app.front import Front
from regportal.app.metrics import Requests
from regportal.app.mounted import Mounted
from regportal.app.vitals import vitals
from regportal.buying import phases
from regportal.buying import views as buying
from regportal.buying.alerts import views as alerts
from regportal.buying.worth import worths
from regportal.config import Settings, load
from regportal.documents import backtests, preview
from regportal.forms import choosing, downloads, headless, including, mailed, shell, views, vouching
from regportal.inbox import views as inbox
from regportal.kiosk import views as kiosk
from regportal.library.storage import open_storage
from regportal.mail import look
from regportal.privacy import mailer, preferences, unsubscribing
from regportal.privacy import views as privacy_views
from regportal.store import current, words
from regportal.store.documents import Shelf
from regportal.store.headers import MINUTES
from regportal.store.sessions import Store, make_engine
from regportal.store.vault import Vault
from regportal.tracking import crossing, timelines
from regportal.tracking import views as tracking

LARGEST = 16 * 1024
"""Bytes of a form (security.md T-36); a route that takes more says so itself."""

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

bp = Blueprint("app", __name__)


def create_app(settings: Settings | None = None) -> Flask:
    """
    Return the WSGI application of one installation.

    Raises ConfigError where a setting cannot be used. Nothing runs beside the requests: who
    serves it starts the worker, and puts its ``wake`` into ``extensions["regportal.wake"]``.
    """
    settings = settings or load()
    elsewhere.check_settings(settings)
    root = web_root()
    app = described(
        settings,
        template_folder=str(root / "templates"),
        static_folder=str(root / "static"),
        root_path=str(root),
    )
    app.config.update(
        SECRET_KEY=None,  # no client-side sessions: visitors have revocable tokens
        MAX_CONTENT_LENGTH=LARGEST,
        MAX_FORM_MEMORY_SIZE=LARGEST,
        TRUSTED_HOSTS=list(settings.hosts),
        APPLICATION_ROOT=settings.path or "/",
        SEND_FILE_MAX_AGE_DEFAULT=MINUTES,
    )
    app.extensions["regportal.settings"] = settings
    engine = make_engine(settings.database_url.get_secret_value())
    store = Store(engine, ballast=settings.ballast)
    app.extensions["regportal.store"] = store
    app.extensions["regportal.vault"] = Vault(settings, store)
    app.extensions["regportal.shelf"] = Shelf()
    app.extensions["regportal.storage"] = open_storage(settings.storage_url)
    app.extensions["regportal.wake"] = lambda _task: None
    app.extensions["regportal.worths"] = worths
    app.extensions["regportal.vitals"] = vitals
    for api in (
        choosing.bp,
        headless.bp,
        shell.bp,
        tracking.bp,
        crossing.bp,
        vouching.bp,
        timelines.bp,
        buying.bp,
        phases.bp,
        backtests.bp,
        mailer.bp,
    ):
        app.register_api(api)
    for blueprint in (
        bp,
        health.bp,
        reports.bp,
        views.bp,
        including.bp,
        mailed.bp,
        kiosk.bp,
        downloads.bp,
        preview.bp,
        inbox.bp,
        unsubscribing.bp,
        preferences.bp,
        alerts.bp,
        privacy_views.bp,
    ):
        app.register_blueprint(blueprint)
    scripts.use(app, root)
    words.use(app.jinja_env)
    look.use(app.jinja_env)
    pages.use(app)
    problems.use(app)
    requests = app.extensions["regportal.requests"] = Requests()
    studio = app.extensions["regportal.studio"] = Mounted(app, root)
    wsgi: WSGIApplication = requests.counting(_Below(Front(app, studio), settings.path))
    if settings.proxy_hops:
        hops = settings.proxy_hops
        wsgi = ProxyFix(wsgi, x_for=hops, x_proto=hops, x_host=hops)
    app.__dict__["wsgi_app"] = wsgi  # Flask's own way to add middleware is to overwrite a method
    return app


class _Below:
    """Serves everything below the path of BASE_URL, whether or not the proxy takes it off."""

    def __init__(self, app: "WSGIApplication", path: str) -> None:
        """Take the application, and the path without a slash at its end."""
        self._app, self._path = app, path

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Move the path from what is asked to where we are."""
        asked = environ.get("PATH_INFO", "")
        if self._path and (asked + "/").startswith(f"{self._path}/"):
            environ["PATH_INFO"] = asked[len(self._path) :]
        environ["SCRIPT_NAME"] = self._path
        return self._app(environ, start_response)


def web_root() -> Path:
    """Return the folder of templates/ and static/: in a checkout its root, else in the package."""
    package = Path(__file__).parents[1]
    inside = package / "_web"
    return inside if inside.is_dir() else package.parent


@bp.get("/theme.css")
def theme() -> Response:
    """Return the site's colours and type as custom properties."""
    chosen = current.site().theme
    lines = "".join(f"  --rp-{name}: {value};\n" for name, value in chosen.model_dump().items())
    response = make_response(f":root {{\n{lines}}}\n")
    response.content_type = "text/css; charset=utf-8"
    return response


@bp.get("/favicon.ico")
def no_icon() -> Response:
    """Answer browsers that ask for an icon by themselves: there is none."""
    return make_response("", 204)
