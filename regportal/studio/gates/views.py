"""The gates: all of them, and one with its lines for a page, its versions and its drafts."""

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, current_app, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.documents import history
from regportal.documents.drafts import Piece
from regportal.documents.planning import published_now
from regportal.embedding.builds import present
from regportal.embedding.snippets import snippet_of
from regportal.forms.pages import asset_shown
from regportal.forms.schema import Gate
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Published, Site, said
from regportal.store.words import N_
from regportal.studio.deciding import due_shown, version_shown
from regportal.studio.gates import deciding, drafting, stands, uploads
from regportal.studio.gates.checking import Verdict, check
from regportal.studio.gates.drafting import beginning, gates_drafted
from regportal.studio.gates.fields import Page
from regportal.studio.gates.ways import ways_of
from regportal.studio.policies import may, page

OTHERS = N_("Somebody is writing on this gate already: here is the draft.")

bp = Blueprint("gates", __name__)
for inside in (drafting.bp, deciding.bp, stands.bp, uploads.bp):
    bp.register_blueprint(inside)


@bp.get("/gates")
@page(Permission.GATES)
def everything() -> str:
    """List every gate that holds, and every draft of one."""
    with current.store().read() as reading:
        drafted = gates_drafted(reading)
    published = current.published()
    site = published.find(Site, "site")
    locale = site.locale if site else g.locale
    return render_template(
        "studio/gates/all.html",
        gates=[_line(published, gate) for gate in published.all(Gate)],
        drafts=[(draft, written.about(locale), written.gate.key) for draft, written in drafted],
        due=due_shown,
        has_site=site is not None,
    )


@bp.get("/gates/<key>")
@page(Permission.GATES)
def gate(key: str) -> ResponseReturnValue:
    """Show one gate."""
    return _gate_page(key)


@bp.post("/gates/<key>/check")
@page(Permission.GATES)
def look_at_page(key: str) -> ResponseReturnValue:
    """Look whether a page really shows this gate."""
    current.published().one(Gate, key)
    form = Page()
    if not form.validate_on_submit():
        return _gate_page(key, form), 422
    return _gate_page(key, form, check(form.url.data or "", key))


@bp.post("/gates/<key>/edit")
@page(Permission.GATES)
def edit(key: str) -> ResponseReturnValue:
    """Begin a draft that changes a gate, or go on with the one there is."""
    start = beginning()

    def begin(writing: Session) -> tuple[str, bool]:
        for draft, written in gates_drafted(writing):
            if written.gate.key == key:
                return str(draft.id), True
        return str(start(writing, _held(writing, key))), False

    current.published().one(Gate, key)
    draft_id, is_there = current.store().write(begin)
    if is_there:
        flash(OTHERS, "info")
    return redirect(url_for("gates.drafts.about", draft_id=draft_id), 303)


@bp.post("/gates/<key>/versions/<int(max=1000000):number>")
@page(Permission.GATES)
def back_to(key: str, number: int) -> ResponseReturnValue:
    """Begin a draft that says what an older version did; published, it holds once more."""
    start = beginning()

    def begin(writing: Session) -> str:
        older = history.older(writing, Gate.kind, key, number)
        _, held = published_now(writing)
        name = (Asset.kind, str(older.body["asset"]))
        asset = held.get(name)
        if asset is None:
            last = history.versions(writing, *name)[0].number
            piece = history.older(writing, *name, last)
        else:
            piece = Piece(*name, asset.body, asset.number)
        return str(start(writing, [piece, older]))

    draft_id = current.store().write(begin)
    return redirect(url_for("gates.deciding.look", draft_id=draft_id), 303)


@dataclass(frozen=True, slots=True)
class Line:
    """One gate as a list shows it."""

    key: str
    headline: str
    asset: str
    type: str
    questions: int
    newsletters: int


def _line(published: Published, gate: Gate) -> Line:
    """Return one gate as a list shows it."""
    asset = asset_shown(published.one(Asset, gate.asset), g.locale)
    return Line(
        gate.key,
        said(gate.headline, g.locale),
        asset["title"],
        asset["type"],
        len(gate.questions),
        len(gate.newsletters),
    )


def _gate_page(key: str, form: Page | None = None, verdict: Verdict | None = None) -> str:
    """Render one gate, with what was found on a page."""
    published, settings = current.published(), current.settings()
    gate, site = published.one(Gate, key), Site.of(published)
    scripts = Path(current_app.root_path) / "static" / "js"
    snippet = snippet_of(settings.base_url, settings.origin, present(scripts), published, key)
    with current.store().read() as reading:
        versions = history.versions(reading, Gate.kind, key)
        drafted = [draft for draft, written in gates_drafted(reading) if written.gate.key == key]
    address = f"{settings.base_url}/g/{key}"
    return render_template(
        "studio/gates/gate.html",
        gate=_line(published, gate),
        address=address,
        ways=ways_of(snippet, address, said(gate.headline, site.locale), key),
        policy=snippet.policy,
        origins=site.origins,
        versions=[version_shown(one) for one in versions],
        drafts=drafted,
        form=form or Page(formdata=None, data={"url": next(iter(site.origins), "")}),
        verdict=verdict,
        may_stand=may(Permission.STANDS),
    )


def _held(session: Session, key: str) -> list[Piece]:
    """Return a gate that holds, and its asset, to write on."""
    _, held = published_now(session)
    gate = held[Gate.kind, key]
    names = ((Asset.kind, str(gate.body["asset"])), (Gate.kind, key))
    return [Piece(*name, held[name].body, held[name].number) for name in names]
