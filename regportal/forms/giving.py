"""The page after the gate: the file, or word of a mail, and what can still be said there."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Response, g, make_response, render_template, url_for
from sqlalchemy.orm import Session
from wtforms import EmailField, StringField

from regportal.consent.schema import Newsletter
from regportal.forms.actions import Sent
from regportal.forms.asking import csrf_token
from regportal.forms.fields import GateForm
from regportal.forms.pages import around_page, asset_shown, category_shown, gate_shown
from regportal.forms.proving import waits_for_code
from regportal.forms.rules import related
from regportal.forms.schema import Gate
from regportal.forms.showing import AT_MOST, Shown, shown_claims
from regportal.forms.visiting import Visiting, is_fresh, is_proven
from regportal.identity.actions import count_open_claims, open_claims_of
from regportal.identity.browser import objects
from regportal.identity.codes import show_again
from regportal.identity.models import VisitorState
from regportal.identity.rules import masked, typo_hint
from regportal.library.actions import live_grant, token_of
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import said
from regportal.store.words import N_, translated

REFRESH = 1  # seconds until the file starts by itself
NEXT = 15  # seconds until a kiosk is ready for the next visitor


@dataclass(frozen=True, slots=True)
class Given:
    """What the page after the gate hands over: a download, or word of a mail."""

    download: str | None
    starts: bool = True
    """Whether it starts by itself: not a second time, and no film."""
    plays: bool = False
    """Whether it is a film that this browser can play: not one without cookies."""
    until: datetime | None = None
    """When a film ends to play: then one press at the gate gives it anew."""


class SmallForm(GateForm):
    """The buttons after the gate, and another address."""

    email = EmailField(N_("Another address"))
    code = StringField(N_("The code from the mail"), render_kw={"inputmode": "numeric"})


def given_here(session: Session, visiting: Visiting) -> Given | None:
    """Return what this visitor was given at this gate, or None where nothing (any more)."""
    visitor = visiting.visitor
    if visitor is None or visiting.claim is None:
        return None
    asset = visiting.around.asset.key
    granted = live_grant(session, visitor_id=visitor.id, asset=asset, now=visiting.now)
    if granted is not None and not visiting.by_mail:
        plays = visiting.around.asset.plays and not granted.single
        starts = granted.started_at is None and not plays
        until = granted.start_by if plays else None
        token = token_of(granted, visiting.around.keys)
        return Given(token, starts=starts, plays=plays, until=until)
    return Given(None) if visiting.by_mail and visitor.state == VisitorState.CLAIMED else None


def done_page(
    session: Session,
    visiting: Visiting,
    given: Given,
    form: SmallForm | None = None,
    status: int = 200,
) -> Response:
    """Render the page after the gate."""
    asset, claim, locale = visiting.around.asset, visiting.claim, visiting.locale
    download, code = None, _code(session, visiting)
    if given.download and asset.content:
        url = url_for("downloads.download", token=given.download, **visiting.frame.query)
        download = {"url": url, "name": asset.content.name, "size": asset.content.size}
    g.plays = given.plays
    starts = download is not None and given.starts and status == HTTPStatus.OK
    page = render_template(
        "forms/done.html",
        title=said(asset.title, locale),
        asset=asset_shown(asset, locale),
        gate=gate_shown(visiting.around.gate, locale),
        download=download,
        starts=starts,
        plays=given.plays,
        until=given.until,
        gate_url=_gate_url(visiting),
        links=not given.plays or asset.show == "both",
        records=given.plays and _records(visiting),
        external_url=asset.url if given.download else None,
        mailed=None if given.download else _mailed(visiting),
        code=code,
        mail_owed=code is not None or not is_proven(visiting),
        code_shown=_code_shown(session, visiting),
        proven_now=is_fresh(visiting),
        shows_others=_shows_others(visiting),
        own_page_url=url_for("privacy.me") if is_proven(visiting) else None,
        form=form or small_buttons(visiting),
        recognised=claim is not None,
        masked=masked(claim.email) if claim else None,
        not_you_url=_url("not_you", visiting),
        others=_others(session, visiting),
        others_in_all=_others_in_all(session, visiting),
        related=_related(visiting),
        **around_page(visiting.around.site),
    )
    response = make_response(page, status)
    if starts and download is not None:
        response.headers["Refresh"] = f"{REFRESH}; url={download['url']}"
    return response


def kiosk_page(visiting: Visiting, sent: Sent) -> Response:
    """Say that the file is on its way, and be ready for whoever comes next."""
    gate_url = _gate_url(visiting)
    page = render_template(
        "forms/kiosk.html",
        title=said(visiting.around.asset.title, visiting.locale),
        asset=asset_shown(visiting.around.asset, visiting.locale),
        gate=gate_shown(visiting.around.gate, visiting.locale),
        masked=masked(sent.address.email) if sent.address else "",
        gate_url=gate_url,
        **around_page(visiting.around.site),
    )
    response = make_response(page)
    response.headers["Refresh"] = f"{NEXT}; url={gate_url}"
    return response


def small_buttons(visiting: Visiting) -> SmallForm:
    """Make the small forms of the page after the gate."""
    form = SmallForm(formdata=None)
    form.csrf_token.data = csrf_token(visiting.browser, current.settings().keys)
    return form


def _records(visiting: Visiting) -> bool:
    """Return whether the visitor allowed it that what he watches is recorded."""
    tracks = visiting.visitor is not None and visiting.visitor.tracks
    return tracks and not objects(visiting.around.site)


def _mailed(visiting: Visiting) -> dict[str, str | None]:
    """Return what the page says of the mail that is on its way."""
    email = visiting.claim.email if visiting.claim else ""
    return {
        "masked": masked(email) if email else translated(N_("your address"), visiting.locale),
        "hint": typo_hint(email) if email else None,
        "resend_url": _url("resend", visiting),
        "change_url": _url("change", visiting),
    }


def _code(session: Session, visiting: Visiting) -> dict[str, str | None] | None:
    """Return what the page says of the code it takes, or None where there is none to type."""
    if visiting.visitor is None or visiting.claim is None or visiting.is_new:
        return None
    waits = waits_for_code(session, visiting.visitor, visiting.claim)
    if waits is None:
        return None
    newsletter = visiting.around.published.find(Newsletter, waits) if waits != "claim" else None
    return {
        "action": _url("code", visiting),
        "newsletter": said(newsletter.title, visiting.locale) if newsletter else None,
    }


def _code_shown(session: Session, visiting: Visiting) -> str | None:
    """Return the code for the browser that asked, where it was another one; never in a frame."""
    visitor, claim = visiting.visitor, visiting.claim
    if not is_fresh(visiting) or visitor is None or claim is None or visiting.frame.origin:
        return None
    keys = visiting.around.keys
    return show_again(session, claim, visitor, keys, now=visiting.now)


def _shows_others(visiting: Visiting) -> bool:
    """
    Return whether other claims of the address are shown: never in a frame (security.md T-09).

    And only where it was proven a moment ago: what else was given with it is nobody's to read who
    finds the browser open. Otherwise the page leads to the own page, whether there are any or not.
    """
    return is_fresh(visiting) and visiting.frame.origin is None


def _others(session: Session, visiting: Visiting) -> list[dict[str, Shown | str]]:
    """Return the newest open claims of the address, each with where it is decided."""
    if visiting.claim is None or not _shows_others(visiting):
        return []
    claims = open_claims_of(session, {visiting.claim.match_key}, most=AT_MOST)
    shown = shown_claims(
        session,
        visiting.around.published,
        claims,
        locale=visiting.locale,
        pepper=current.settings().pepper_text,
    )
    return [
        {"claim": one, "action": _url("other", visiting, claim=claim.id)}
        for claim, one in zip(claims, shown, strict=True)
    ]


def _others_in_all(session: Session, visiting: Visiting) -> int:
    """Return how many there are, shown or not."""
    if visiting.claim is None or not _shows_others(visiting):
        return 0
    return count_open_claims(session, {visiting.claim.match_key})


def _related(visiting: Visiting) -> list[dict[str, str]]:
    """Return two other assets of the same topics, with the gates they stand behind."""
    published, locale = visiting.around.published, visiting.locale
    gates = {one.asset: one.key for one in reversed(published.all(Gate))}
    offered = [one for one in published.all(Asset) if one.key in gates]
    return [
        {
            "title": said(one.title, locale),
            "category": category_shown(one.category, locale),
            "url": url_for("forms.gate", key=gates[one.key], **visiting.frame.spoken),
        }
        for one in related(visiting.around.asset, offered, visiting.known.taken)
    ]


def _gate_url(visiting: Visiting) -> str:
    """Return the gate itself, framed where we are."""
    return url_for("forms.gate", key=visiting.around.gate.key, **visiting.frame.query)


def _url(endpoint: str, visiting: Visiting, **values: Any) -> str:
    """Return an address beside this gate, framed where we are."""
    values = {**values, **visiting.frame.query}
    return url_for(f"forms.after.{endpoint}", key=visiting.around.gate.key, **values)
