"""The four windows of the demo: Acme's own site, the mailbox, the CRM, and the story."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from regportal.cli.demo.crm import Crm
from regportal.cli.demo.mailbox import mails
from regportal.cli.demo.notebook import Notebook
from regportal.cli.demo.story import STEPS, done
from regportal.errors import DeliveryError, RefusedError, UnsignedError

LONGEST = 256 * 1024  # bytes of one message

acme = Blueprint("acme", __name__)
around = Blueprint("demo", __name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the windows look at and act on."""

    portal: str
    web: Path
    mail: Path
    notebook: Notebook
    crm: Crm
    gates: Callable[[], Sequence[tuple[str, str]]]
    """Every gate that is published: key and headline."""
    age: Callable[[], None]
    """Lets a day pass for regportal."""
    studio: Callable[[], str]
    """Where the Studio is entered now."""


def create_pages(stage: Stage) -> Flask:
    """Return the application of the second origin."""
    app = Flask(
        "regportal-demo",
        template_folder=str(stage.web / "templates"),
        static_folder=str(stage.web / "static"),
    )
    app.config["TRUSTED_HOSTS"] = ["localhost", "127.0.0.1"]
    app.config["MAX_CONTENT_LENGTH"] = LONGEST
    app.extensions["demo.stage"] = stage
    app.before_request(_only_from_here)
    app.after_request(_strictly)
    app.context_processor(_bar)
    app.register_blueprint(acme)
    app.register_blueprint(around)
    return app


def the_stage() -> Stage:
    """Return the stage of this demo."""
    found: Stage = current_app.extensions["demo.stage"]
    return found


# --- Acme's own site ---


@acme.get("/")
def home() -> str:
    """Show the widgets, and a gate for the buyer's guide."""
    return render_template("demo/acme/home.html", here="home")


@acme.get("/customers")
def customers() -> str:
    """Show a customer's story, and a plain link to the whole of it."""
    return render_template("demo/acme/customers.html", here="customers")


@acme.get("/prices")
def prices() -> str:
    """Show a few prices, and a gate for all of them."""
    return render_template("demo/acme/prices.html", here="prices")


@acme.get("/downloads")
def downloads() -> str:
    """Show every gate there is, also those that were made in the Studio a minute ago."""
    return render_template("demo/acme/downloads.html", here="downloads", gates=the_stage().gates())


@acme.get("/privacy")
def privacy() -> str:
    """Say what becomes of what one types here."""
    return render_template("demo/acme/privacy.html", here="privacy")


# --- the windows around it ---


@around.get("/story")
def story() -> str:
    """Show the five steps."""
    ticks = done(the_stage().crm.book())
    following = next((place for place, ticked in enumerate(ticks) if not ticked), None)
    steps = list(zip(STEPS, ticks, strict=True))
    way_in = the_stage().studio()
    return render_template(
        "demo/story.html", here="story", steps=steps, now=following, studio=way_in
    )


@around.get("/mailbox")
def mailbox() -> str:
    """Show the mails."""
    return render_template("demo/mailbox.html", here="mailbox", mails=mails(the_stage().mail))


@around.get("/crm")
def crm(trouble: str | None = None) -> str:
    """Show what the CRM knows."""
    book = the_stage().crm.book()
    return render_template("demo/crm.html", here="crm", book=book, trouble=trouble)


@around.post("/crm/in")
def message() -> ResponseReturnValue:
    """Take a signed message of regportal's."""
    try:
        the_stage().crm.take(dict(request.headers), request.get_data(), now=datetime.now(UTC))
    except UnsignedError:
        return "", 401
    except RefusedError:
        return "", 400
    return "", 204


@around.post("/crm/deals")
def deal() -> ResponseReturnValue:
    """Open an opportunity with a contact."""
    email = request.form.get("email", "")
    book = the_stage().crm.book()
    if not any(person.email == email for person in book.people()):
        abort(400)
    if not book.deals_of(email):
        try:
            the_stage().crm.open_deal(email, now=datetime.now(UTC))
        except DeliveryError as error:
            return crm(f"{error}. Please try again."), 502
    return redirect(url_for("demo.crm"), 303)


@around.post("/tomorrow")
def tomorrow() -> ResponseReturnValue:
    """Let a day pass."""
    the_stage().age()
    the_stage().notebook.add("day")
    back = urlsplit(request.referrer or "").path
    pages = {
        rule.rule for rule in current_app.url_map.iter_rules() if "GET" in (rule.methods or ())
    }
    return redirect(back if back in pages else url_for("demo.story"), 303)


# --- what holds on all of them ---


def _only_from_here() -> None:
    """Refuse what another site's page sends; a webhook has no origin, but a signature."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin not in {None, request.host_url.rstrip("/")}:
        abort(403)


def _bar() -> dict[str, object]:
    """Give every page what the bar at its top shows."""
    stage = the_stage()
    lines = stage.notebook.lines()
    return {
        "portal": stage.portal,
        "begun": next((line["at"] for line in lines if line["kind"] == "begun"), ""),
        "day": 1 + sum(line["kind"] == "day" for line in lines),
        "mail_count": len(mails(stage.mail)),
        "done_count": sum(done(stage.crm.book())),
    }


def _strictly(response: Response) -> Response:
    """Let these pages do what a careful company's site lets them, and no more."""
    portal = the_stage().portal
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' {portal}; style-src 'self'; img-src 'self';"
        f" connect-src 'self' {portal}; frame-src {portal}; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
