"""A stand over HTTP: its page, its worker, what it sends; and the file on a telephone."""

import uuid
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    render_template,
    request,
    url_for,
)

from regportal.errors import BadRequestError, StaleError, UnsignedError
from regportal.forms.claiming import Around, House, Sender, Sent, content_of
from regportal.forms.forming import Fault, check_asked, form_for, read_sent
from regportal.forms.pages import around_page, asset_shown, frequency_shown, gate_shown, locale_of
from regportal.forms.schema import Gate
from regportal.forms.visiting import Visiting
from regportal.identity import limits, wire
from regportal.kiosk import actions
from regportal.kiosk.codes import code_of
from regportal.kiosk.models import Stand
from regportal.kiosk.pages import MOST, count_left, read_left
from regportal.kiosk.rules import Sheet, given_at, is_fresh
from regportal.kiosk.sheets import (
    ask_at,
    languages_at,
    nobody_at,
    nonce_of,
    read_sheet,
    sheet_of,
    write_sheet,
)
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import said
from regportal.store.headers import nonce
from regportal.store.problem import problem
from regportal.store.tokens import derived_token
from regportal.store.words import N_, autonym, direction, translated

bp = Blueprint("kiosk", __name__)

MARK = "kiosk"
"""The campaign's source by which visits at a stand are known."""
OLD = N_("This page had been open for too long. Here it is anew.")
MOST_WAITING = 1_000


@bp.get("/kiosk/<uuid:stand_id>")
def page(stand_id: uuid.UUID) -> Response:
    """Show what a stand asks: the same to everybody; it sets no cookie and reads none."""
    now = datetime.now(UTC)
    with current.store().read() as session:
        stand = actions.find_stand(session, stand_id)
        around = None if stand.closed_at else _around(stand)
    if around is None:
        return make_response(
            _render("kiosk/closed.html", stand=stand, title=N_("This stand is closed")), 410
        )
    visiting = nobody_at(around, locale_of(around.site), now=now)
    ask = ask_at(visiting)
    question = around.question(ask.question)
    newsletter = around.newsletter(ask.newsletter)
    shown = None
    if newsletter is not None:
        shown = {
            "title": said(newsletter.title, ask.locale),
            "wording": ask.newsletter_wording,
            "frequency": frequency_shown(newsletter, ask.locale),
        }
    asked = None
    if question is not None:
        asked = {
            "key": question.key,
            "label": ask.wording,
            "why": said(question.why, ask.locale) if question.why else None,
            "type": question.type,
            "required": ask.required,
        }
    html = render_template(
        "kiosk/page.html",
        title=said(around.gate.headline, ask.locale),
        gate=gate_shown(around.gate, ask.locale),
        asset=asset_shown(around.asset, ask.locale),
        stand=stand,
        form=form_for(visiting, ask),
        question=asked,
        newsletter=shown,
        languages=[
            {"key": one, "name": autonym(one), "dir": direction(one)}
            for one in languages_at(around, ask)
        ],
        sheet=write_sheet(sheet_of(stand, ask, now=now), around.keys),
        nonce=nonce(),
        **around_page(around.site, ask.locale),
    )
    return make_response(html)


@bp.get("/kiosk/worker.js")
def worker() -> Response:
    """Return what lets a stand's page be opened without a line; it is asked for each time."""
    script = Path(current_app.static_folder or "") / "js" / "kiosk-worker.js"
    return Response(script.read_bytes(), content_type="text/javascript; charset=utf-8")


@bp.post("/kiosk/<uuid:stand_id>/forms")
def send(stand_id: uuid.UUID) -> Response:
    """
    Take one form, or word that the tablet is there (without a key of a form), and who came there.

    Whoever sends it shows the stand's key. The same form sent again has one effect.
    """
    wire.check_own(request)
    stand = _stand_of_request(stand_id)
    fields = wire.read_form(request)
    now = datetime.now(UTC)
    waiting = min(_number(fields, "waiting"), MOST_WAITING)
    current.store().note(lambda session: actions.hear(session, stand.id, waiting, now=now))
    if "key" not in fields:
        left = read_left(fields.get("page", [])[:MOST])
        if left:
            current.store().write(lambda session: count_left(session, stand, left, now=now))
        return jsonify({})
    settings = current.settings()
    sheet = read_sheet(wire.only(fields, "sheet"), settings.keys)
    around = _around(stand)
    if sheet.stand != str(stand.id) or sheet.gate != stand.gate:
        raise BadRequestError(N_("This form belongs to another page."))
    if not is_fresh(sheet, now):
        raise StaleError(OLD)
    ask = sheet.asks(nonce_of(sheet, wire.only(fields, "key")))
    check_asked(fields, ask)
    visiting = nobody_at(around, sheet.locale, now=now)
    sent = read_sent(visiting, ask, fields)
    if isinstance(sent, Fault):
        g.locale = sheet.locale
        return problem(422, translated(sent.says, sheet.locale), field=sent.field)
    given = given_at(timedelta(seconds=_number(fields, "waited")), sheet.issued_at, now)
    sender = _sender(stand, visiting, sheet, sent, waited=now - given)
    told = _told(sent, fields)
    token = current.store().write(
        lambda session: actions.take(session, stand, around, told, sender, given=given, now=now)
    )
    current.wake("weigh", "deliver")
    return _taken(token)


@bp.get("/t/<token>")
def carried(token: str) -> Response:
    """Show what a telephone may take over, and a button; nothing of who asked for it."""
    now = datetime.now(UTC)
    with current.store().read() as session:
        found = actions.find_carrying(session, token, now=now)
        around = _house().at(found.claim.gate) if found else None
    if around is None:
        return _over()
    return _phone_page(around, action=url_for("kiosk.carry", token=token))


@bp.post("/t/<token>")
def carry(token: str) -> Response:
    """Hand the file to whoever presses first: once, and without a cookie."""
    wire.check_own(request)
    now = datetime.now(UTC)
    limits.check("phones", now=now)
    house = _house()
    with current.store().read() as session:
        found = actions.find_carrying(session, token, now=now)
        around = house.at(found.claim.gate) if found else None
    if around is None or not around.gate.hands_over(around.site, proven=False):
        return _over()
    sender = Sender(token="", keeps_cookies=False, browser="", locale=locale_of(around.site))
    download = current.store().write(
        partial(actions.carry, around=around, token=token, sender=sender, now=now)
    )
    current.wake("weigh")
    if download is None:
        return _over()
    url = around.asset.url or url_for("downloads.download", token=download)
    return _phone_page(around, download=url)


def _house() -> House:
    """Return the documents that hold, and the keys."""
    return House(current.published(), current.site(), current.settings().keys)


def _around(stand: Stand) -> Around:
    """
    Return a stand's gate as it is there: a kiosk's, whatever it is on other pages.

    Raises NotHereError where it is published no more.
    """
    house = _house()
    gate = house.published.one(Gate, stand.gate)
    asset = house.published.one(Asset, gate.asset)
    at_stand = gate.model_copy(update={"kiosk": True})
    return Around(house.published, house.site, house.keys, at_stand, asset)


def _stand_of_request(stand_id: uuid.UUID) -> Stand:
    """Return the stand whose key a request carries; raises UnsignedError and TooManyError."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    try:
        with current.store().read() as session:
            given = secret.strip() if kind.lower() == "bearer" else ""
            stand = actions.check_key(session, stand_id, given)
    except UnsignedError:
        limits.check("keys")
        raise
    limits.check("stand", str(stand_id))
    return stand


def _number(fields: dict[str, list[str]], name: str) -> int:
    """Return a number that the tablet says; nothing where it is none."""
    text = wire.only(fields, name)
    return int(text) if text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 - thirty years


def _told(sent: Sent, fields: dict[str, list[str]]) -> Sent:
    """
    Return what a form says, as it is known again however long it waited.

    A question that is left empty was passed over; nobody pressed that he would rather not say.
    """
    same = {name: many for name, many in fields.items() if name not in {"waited", "waiting"}}
    return Sent(
        ask=sent.ask,
        content=content_of(same),
        address=sent.address,
        value=sent.value,
        original=sent.original,
        wants_newsletter=sent.wants_newsletter,
    )


def _sender(
    stand: Stand, visiting: Visiting, sheet: Sheet, sent: Sent, *, waited: timedelta
) -> Sender:
    """Say where a form came from: the stand, whose tablet is nobody's browser."""
    site = visiting.around.site
    email = sent.address.email if sent.address else None
    signals = {**wire.signals_of(request), "stand": stand.name}
    if waited:
        signals["waited"] = f"{int(waited.total_seconds())} s"
    return Sender(
        token=derived_token(visiting.around.keys, "at a stand", sent.ask.nonce.encode()),
        keeps_cookies=False,
        browser=stand.name,
        locale=sheet.locale,
        own_staff=wire.is_ignored(site, None, email),  # the tablet may be in the company's network
        parameters={"utm_source": MARK, "utm_campaign": stand.name},
        network=wire.network_of(request),
        agent_hash=wire.agent_hash(request),
        signals=signals,
    )


def _taken(token: str | None) -> Response:
    """Tell the tablet that a form is taken, and what a telephone may read."""
    if token is None:
        return jsonify({"phone": None})
    url = current.settings().origin + url_for("kiosk.carried", token=token)
    return jsonify({"phone": {"url": url, "code": asdict(code_of(url))}})


def _phone_page(
    around: Around, *, action: str | None = None, download: str | None = None
) -> Response:
    """Render what a telephone shows: a button, and then the file."""
    locale = locale_of(around.site)
    return make_response(
        _render(
            "kiosk/phone.html",
            title=said(around.asset.title, locale),
            asset=asset_shown(around.asset, locale),
            action=action,
            download=download,
            elsewhere=around.asset.url is not None,
        )
    )


def _over() -> Response:
    """Say that a code opens nothing (any more), whyever: it never says which."""
    return make_response(_render("kiosk/phone.html", title=N_("This code is used up")), 410)


def _render(template: str, **values: object) -> str:
    """Render a page in the language of whoever reads it."""
    around = around_page(current.site())
    title = values.get("title")
    if isinstance(title, str):
        values["title"] = around["_"](title)
    return render_template(template, **{"title": around["site"]["name"], **values, **around})
