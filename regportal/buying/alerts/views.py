"""The pages on which a reader says how often he is told, and that it was not they."""

from datetime import UTC, datetime

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.buying.alerts import doubting
from regportal.buying.alerts.actions import choose
from regportal.buying.alerts.links import reader_called
from regportal.buying.alerts.models import Choice
from regportal.buying.alerts.words import did_marked, object_of, one_line
from regportal.buying.reading import model_of
from regportal.errors import BadRequestError
from regportal.forms.pages import around_page, locale_of
from regportal.identity import limits, wire
from regportal.store import current
from regportal.store.words import N_, moment_shown, translated

bp = Blueprint("alerts", __name__)


@bp.get("/alerts/<token>")
def shown(token: str) -> Response:
    """Show how often this reader is told, and the other ways."""
    site = current.site()
    with current.store().read() as session:
        reader = reader_called(session, token, current.settings().keys)
        chosen: str = reader.choice or site.alerts.send
    is_off = site.alerts.send == "off"
    locale = locale_of(site)
    page = render_template(
        "buying/alerts.html",
        title=translated(N_("Mails about your opportunities"), locale),
        choice="off" if is_off else chosen,
        is_off=is_off,
        saved=request.args.get("saved") == "yes",
        action=url_for("alerts.chosen", token=token),
        **around_page(site, locale),
    )
    return make_response(page)


@bp.post("/alerts/<token>")
def chosen(token: str) -> BaseResponse:
    """
    Keep what was chosen, or stop at a mail program's press (RFC 8058).

    A mail program comes from anywhere; the page's own form says by its Origin that it is ours.
    """
    now = datetime.now(UTC)
    limits.check("unsubscribes", now=now)
    if wire.is_one_click(request):
        _choose(token, Choice.OFF, now)
        answer = make_response("You will get no more of these e-mails.\n")
        answer.content_type = "text/plain; charset=utf-8"
        return answer
    wire.check_origin(request, current.site())
    pressed = wire.only(wire.read_form(request), "choice")
    if pressed not in list(Choice):
        raise BadRequestError(N_("Please press one of the buttons."))
    _choose(token, Choice(pressed), now)
    return redirect(url_for("alerts.shown", token=token, saved="yes"), 303)


@bp.get("/alerts/wrong/<token>")
def doubted(token: str) -> Response:
    """Show what would be taken back, and the button that does it."""
    site, published, settings = current.site(), current.published(), current.settings()
    locale, now = locale_of(site), datetime.now(UTC)
    with current.store().read() as session:
        doubt = doubting.doubted(
            session, published, token, keys=settings.keys, pepper=settings.pepper_text, now=now
        )
        deed, zone = doubt.interaction, model_of(published)[0].zone
        what = object_of(published, deed.object, settings.origin, locale)
        about = {
            "did": did_marked(deed.type, doubt.contact.address.shown, what, locale),
            "when": moment_shown(deed.occurred_at, locale, zone),
            "opportunity": one_line(doubt.opportunity.name or doubt.opportunity.external_id),
        }
    is_closed = doubt.state is doubting.State.CLOSED
    page = render_template(
        "buying/doubt.html",
        title=translated(N_("Was it somebody else?"), locale),
        state=doubt.state.value,
        about=None if is_closed else about,
        action=url_for("alerts.undone", token=token),
        **around_page(site, locale),
    )
    return make_response(page, 410 if is_closed else 200)


@bp.post("/alerts/wrong/<token>")
def undone(token: str) -> BaseResponse:
    """Take back what the reader was told of: the link is the secret, Origin says it is our page."""
    now = datetime.now(UTC)
    limits.check("decisions", now=now)
    wire.check_origin(request, current.site())
    if wire.only(wire.read_form(request), "choice") != "undo":
        raise BadRequestError(N_("Please press one of the buttons."))
    published, settings = current.published(), current.settings()
    current.store().write(
        lambda session: doubting.undo(
            session, published, token, keys=settings.keys, pepper=settings.pepper_text, now=now
        )
    )
    current.wake("weigh")
    return redirect(url_for("alerts.doubted", token=token), 303)


def _choose(token: str, chosen: Choice, now: datetime) -> None:
    """Keep what a reader chose, and look at what waits for him."""
    keys = current.settings().keys

    def work(session: Session) -> None:
        choose(session, reader_called(session, token, keys), chosen, now=now)

    current.store().write(work)
    current.wake("alert")
