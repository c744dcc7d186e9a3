"""A gate as part of somebody else's page: what his server puts in, the same for everybody."""

from flask import Blueprint, Response, make_response, render_template

from regportal.forms.pages import asset_shown, gate_shown, language_asked
from regportal.forms.schema import Gate
from regportal.forms.teaser import gated, teaser
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Site

bp = Blueprint("including", __name__)


@bp.get("/g/<key>/include")
def include(key: str) -> Response:
    """
    Return the gate's element with headline, text and link inside.

    Nothing in it depends on who asks, nor on what his browser speaks: any cache may keep it.
    Where there is no such gate the answer is empty: an error page has no place inside a page.
    """
    published = current.published()
    gate = published.find(Gate, key)
    if gate is None:
        return make_response("", 404, {"Cache-Control": "no-store"})
    asked = language_asked()
    site, asset = Site.of(published), published.one(Asset, gate.asset)
    locale = asked or site.locale
    fragment = render_template(
        "forms/include.html",
        gate=key,
        lang=asked,
        **gate_shown(gate, locale),
        gated=gated(gate),
        teaser=teaser(gate, asset, site, locale),
        asset=asset_shown(asset, locale),
        portal=current.settings().base_url,
    )
    return make_response(fragment)
