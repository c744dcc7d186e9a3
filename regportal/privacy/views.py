"""A person's own page: see it, correct it, take it, be forgotten. GET changes nothing."""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, redirect, request, stream_with_context, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from regportal.consent.models import ConsentState
from regportal.errors import BadRequestError, NotHereError
from regportal.forms import wire
from regportal.forms.after import decision_in
from regportal.forms.claiming import owe_mail
from regportal.forms.deciding import decide_other
from regportal.forms.fields import answer_field, value_of
from regportal.forms.forming import complain
from regportal.forms.news import answers_of_contact
from regportal.forms.schema import Question
from regportal.forms.visiting import bare_sender, country_told
from regportal.identity import browser, limits
from regportal.identity.actions import choose as keep_choice
from regportal.identity.actions import claim_of, end_visitor, sign_out_everywhere
from regportal.identity.addresses import Address, read_address
from regportal.identity.models import Contact, Visitor
from regportal.identity.people import contacts_of
from regportal.identity.rules import masked
from regportal.identity.tokens import fresh_token
from regportal.privacy.choosing import Decided, choose, evidence_here, newsletters_shown
from regportal.privacy.correcting import ask_again, correct, never_ask, not_me
from regportal.privacy.erasing import PERSON, erase, sweep, whom_of
from regportal.privacy.exporting import export_csv, export_json
from regportal.privacy.models import Leads
from regportal.privacy.owner import (
    Here,
    NotFreshError,
    here,
    page,
    sent,
    small_form,
    wait_until_settled,
)
from regportal.privacy.proving import find_link, press, request_link
from regportal.privacy.reading import Reader, everything
from regportal.store import current
from regportal.store.documents import Published, said
from regportal.store.words import N_

bp = Blueprint("privacy", __name__)

TITLE = N_("Your data")


bp.before_request(wait_until_settled)


@bp.errorhandler(NotFreshError)
def prove_first(error: NotFreshError) -> BaseResponse:
    """Lead whoever has to prove his address (again) to where he can."""
    del error
    return redirect(url_for("privacy.me"), 303)


@bp.get("/me")
def me() -> Response:
    """Show what this browser may see: all, the newsletters and choices, or how to prove oneself."""
    with current.store().read() as session:
        asking = here(session)
        owner = asking.owner
        if owner is None:
            return page("prove", TITLE, asking)
        published = current.published(session)
        about: dict[str, Any] = {
            "fresh": owner.fresh,
            "masked": masked(owner.contact.email),
            "email": owner.contact.email if owner.fresh else None,
            "newsletters": newsletters_shown(
                session, published, owner.contact, locale=asking.locale, proven=True, now=asking.now
            ),
            "remembered": owner.visitor.remembered,
            "tracks": owner.visitor.tracks,
            "objects": browser.objects(current.site(session)),
            "done": request.args.get("done"),
        }
        if owner.fresh:
            reader = Reader(session, published, owner.contacts, asking.locale, _pepper())
            about |= everything(reader, before=_before())
        return page("me", TITLE, asking, **about)


@bp.post("/me")
def ask_for_link() -> BaseResponse:
    """
    Owe a link to an address; the answer is the same for every address there is.

    Only a row is written. Whether anything is kept under it the worker finds out.
    """
    with current.store().read() as session:
        asking, fields = sent(session)
    limits.check("own-page")
    if asking.owner is not None and "email" not in fields:
        address = asking.owner.contact.address
    else:
        typed = wire.only(fields, "email")
        try:
            address = read_address(typed)
        except ValueError as fault:
            return _typed_again("prove", TITLE, asking, typed, fault)
    _owe_link(asking, address)
    return redirect(url_for("privacy.asked"), 303)


@bp.get("/me/asked")
def asked() -> Response:
    """Say that a link is on its way, if we know the address."""
    with current.store().read() as session:
        return page("asked", TITLE, here(session))


@bp.get("/me/<string(length=43):token>")
def link(token: str) -> Response:
    """Show the one button that proves this browser."""
    with current.store().read() as session:
        asking = here(session)
        try:
            found = find_link(session, token, now=asking.now)
        except NotHereError:
            return page("used", N_("This link"), asking, status=404)
        if found.used_at is not None:
            return page("used", N_("This link"), asking, status=410)
        leads, shown = found.leads.value, masked(found.email)
    return page("open", TITLE, asking, leads=leads, masked=shown, action=request.path)


@bp.post("/me/<string(length=43):token>")
def press_link(token: str) -> BaseResponse:
    """
    Take the press: it proves the browser in which it was pressed.

    The link is the secret here, and Origin says that our page was pressed.
    """
    wire.check_origin(request, current.site())
    wire.read_form(request)
    limits.check("decisions")
    published, keys, pepper = current.published(), current.settings().keys, _pepper()
    with current.store().read() as session:
        asking = here(session)
    sender = bare_sender(browser.jar().token or fresh_token(), asking.locale)
    try:
        pressed = current.store().write(
            lambda session: press(
                session,
                published,
                token,
                sender,
                keys=keys,
                pepper=pepper,
                now=asking.now,
            )
        )
    except NotHereError:
        return page("used", N_("This link"), asking, status=410)
    current.wake("weigh", "deliver")
    done = "address" if pressed.leads is Leads.ADDRESS else None
    response = _to_me(done)
    browser.keep(response, pressed.token, remembered=pressed.remembered)
    return response


@bp.post("/me/newsletters")
def newsletters() -> BaseResponse:
    """Stop, pause, go on, less often, or yes: one newsletter."""
    with current.store().read() as session:
        asking, fields = sent(session)
        contact = asking.proven.contact
        published = current.published(session)
    limits.check("changes")
    decided = Decided(
        newsletter=wire.only(fields, "newsletter"),
        choice=wire.only(fields, "choice"),
        locale=asking.locale,
        proven=True,
    )
    evidence = evidence_here(contact)
    visitor_id = asking.proven.visitor.id

    def work(session: Session) -> None:
        his = session.get_one(Contact, contact.id)
        line = choose(session, published, his, decided, evidence, now=asking.now)
        claim = claim_of(session, session.get_one(Visitor, visitor_id))
        if line is not None and line.state == ConsentState.PENDING and claim is not None:
            key = line.newsletter
            owe_mail(session, claim, claim.gate, key, visitor_id=visitor_id, now=asking.now)

    current.store().write(work)
    current.wake("deliver")
    return _to_me("newsletters", "newsletters")


@bp.post("/me/choices")
def choices() -> BaseResponse:
    """Take whether this browser is recognised later, and whether visits are linked."""
    with current.store().read() as session:
        asking, fields = sent(session)
        visitor = asking.proven.visitor.id
        site = current.site(session)
        may_ask = site.remember == "ask" and not browser.objects(site)
    limits.check("changes")
    recognise_later = may_ask and wire.only(fields, "recognise") == "yes"
    track = may_ask and wire.only(fields, "track") == "yes"
    signals = wire.signals_of(request)
    current.store().write(
        lambda session: keep_choice(
            session,
            session.get_one(Visitor, visitor),
            recognise_later=recognise_later,
            track=track,
            signals=signals,
            now=asking.now,
        )
    )
    response = _to_me("choices", "choices")
    browser.keep(response, asking.token, remembered=recognise_later)
    return response


@bp.post("/me/answers/<key>")
def answer(key: str) -> BaseResponse:
    """Take another answer to a question, judged as at a gate."""
    with current.store().read() as session:
        asking, fields = sent(session)
        owner = asking.fresh
        published = current.published(session)
        question = published.one(Question, key)
        country = _country(session, published, owner.contact)
    limits.check("changes")
    given = fields.get(f"q-{key}", [])
    try:
        value = value_of(question, given, asking.locale, country)
    except ValueError as fault:
        return _edit(asking, question, country, given=given, fault=str(fault))
    if value is None:
        says = N_("Please give an answer.")
        return _edit(asking, question, country, given=given, fault=says)
    current.store().write(
        lambda session: correct(
            session,
            published,
            session.get_one(Contact, owner.contact.id),
            question,
            value,
            given,
            visitor_id=owner.visitor.id,
            locale=asking.locale,
            now=asking.now,
        )
    )
    current.wake("deliver")
    return _to_me("answers", "answers")


@bp.get("/me/answers/<key>")
def edit_answer(key: str) -> BaseResponse:
    """Ask one question anew, with the answer that holds."""
    with current.store().read() as session:
        asking = here(session)
        contact = asking.fresh.contact
        published = current.published(session)
        question = published.one(Question, key)
        country = _country(session, published, contact)
        held = answers_of_contact(session, contact).get(key)
    values = held.value if held is not None else []
    given = [str(one) for one in (values if isinstance(values, list) else [values])]
    return _edit(asking, question, country, given=given)


@bp.post("/me/never/<key>")
def never(key: str) -> BaseResponse:
    """Do not ask this again; or do."""
    with current.store().read() as session:
        asking, fields = sent(session)
        owner = asking.proven
        current.published(session).one(Question, key)
    limits.check("changes")
    again = wire.only(fields, "choice") == "ask"
    contacts, contact = owner.contacts, owner.contact

    def work(session: Session) -> None:
        if again:
            ask_again(session, contacts, key)
        else:
            never_ask(session, contact, key, now=asking.now)

    current.store().write(work)
    return _to_me("answers", "answers")


@bp.post("/me/deeds/<uuid:deed>")
def deny_deed(deed: uuid.UUID) -> BaseResponse:
    """Say of one interaction: this was not me."""
    with current.store().read() as session:
        asking, _ = sent(session)
        contacts = asking.fresh.contacts
    limits.check("changes")
    current.store().write(lambda session: not_me(session, contacts, deed, now=asking.now))
    current.wake("weigh", "deliver")
    return _to_me("deeds", "deeds")


@bp.post("/me/claims/<uuid:claim>")
def decide_claim(claim: uuid.UUID) -> BaseResponse:
    """Say of an open claim of one's address: yes, this was me; or no, delete this."""
    with current.store().read() as session:
        asking, fields = sent(session)
        visitor = asking.fresh.visitor.id
        published = current.published(session)
    limits.check("decisions")
    choice, pepper = decision_in(fields), _pepper()
    seen = wire.only(fields, "seen")
    current.store().write(
        lambda session: decide_other(
            session, published, claim, visitor, choice, seen=seen, pepper=pepper, now=asking.now
        )
    )
    current.wake("settle", "weigh", "deliver")
    return _to_me("claims", "claims")


@bp.post("/me/address")
def change_address() -> BaseResponse:
    """Owe the new mailbox a link: pressed, it becomes the main address."""
    with current.store().read() as session:
        asking, fields = sent(session)
        contact = asking.fresh.contact
    limits.check("own-page")
    typed = wire.only(fields, "email")
    try:
        address = read_address(typed)
    except ValueError as fault:
        return _typed_again("address", N_("Another address"), asking, typed, fault)
    _owe_link(asking, address, leads=Leads.ADDRESS, contact_id=contact.id)
    return redirect(url_for("privacy.asked"), 303)


@bp.get("/me/address")
def new_address() -> BaseResponse:
    """Ask for the new address."""
    with current.store().read() as session:
        asking = here(session)
        shown = asking.fresh.contact.email
    return page("address", N_("Another address"), asking, email=shown)


@bp.post("/me/sign-out")
def leave() -> BaseResponse:
    """Let no browser be this person's any more; or only not this one."""
    with current.store().read() as session:
        asking, fields = sent(session)
        owner = asking.proven
    everywhere = wire.only(fields, "choice") == "everywhere"

    def work(session: Session) -> None:
        end_visitor(session.get_one(Visitor, owner.visitor.id), now=asking.now)
        if everywhere:
            sign_out_everywhere(session, owner.contact.person_id, asking.now)

    current.store().write(work)
    response = redirect(url_for("privacy.me"), 303)
    browser.forget(response)
    return response


@bp.get("/me/export.json")
def as_json() -> BaseResponse:
    """Hand over everything as JSON."""
    return _export("json", "application/json")


@bp.get("/me/export.csv")
def as_csv() -> BaseResponse:
    """Hand over everything as one table."""
    return _export("csv", "text/csv")


@bp.get("/me/receipt")
def as_receipt() -> BaseResponse:
    """Hand over what was allowed, an address a record, as consent receipts (JSON-LD)."""
    from regportal.privacy.receipts import CONTEXT, receipt  # noqa: PLC0415 - it loads fonts

    with current.store().read() as session:
        asking = here(session)
        site = current.site(session)
        graph = [
            receipt(session, contact, None, site, now=asking.now)
            for contact in asking.fresh.contacts
        ]
    told = graph[0] if len(graph) == 1 else {"@context": CONTEXT, "@graph": graph}
    response = Response(json.dumps(told, ensure_ascii=False, indent=2))
    response.content_type = "application/ld+json; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="receipt.jsonld"'
    return response


@bp.get("/me/erase")
def erase_page() -> BaseResponse:
    """Say what will happen, and ask once."""
    with current.store().read() as session:
        asking = here(session)
        owner = asking.fresh
        reader = Reader(
            session, current.published(session), owner.contacts, asking.locale, _pepper()
        )
        about = everything(reader)
    return page("erase", N_("Delete everything"), asking, email=owner.contact.email, **about)


@bp.post("/me/erase")
def erase_me() -> BaseResponse:
    """Forget this person, and let everybody who was told of him do the same."""
    with current.store().read() as session:
        asking, fields = sent(session)
        contact = asking.fresh.contact
        published = current.published(session)
    if wire.only(fields, "choice") != "erase":
        raise BadRequestError(N_("Please press one of the buttons."))
    limits.check("changes")
    pepper = _pepper()

    def work(session: Session) -> dict[str, Any]:
        whom = whom_of(contacts_of(session, session.get_one(Contact, contact.id).person_id))
        report = erase(session, published, whom, pepper=pepper, by=PERSON, now=asking.now)
        return {"id": str(report.id), "at": report.at, "told": dict(report.told)}

    report = current.store().write(work)
    sweep(current.store())
    current.wake("weigh", "deliver")
    response = page("erased", N_("Deleted"), asking, report=report)
    browser.forget(response)
    return response


def _export(kind: str, media_type: str) -> BaseResponse:
    """Stream the export, while the database is read."""
    with current.store().read() as session:
        asking = here(session)
        contacts = [one.id for one in asking.fresh.contacts]
        site = current.site(session)
    limits.check("changes")
    make = export_json if kind == "json" else export_csv
    pepper = _pepper()

    def pieces() -> Iterator[str]:
        with current.store().read() as session:
            theirs = [session.get_one(Contact, one) for one in contacts]
            yield from make(session, site, whom_of(theirs), pepper=pepper, now=asking.now)

    name = f"my-data-{asking.now:%Y-%m-%d}.{kind}"
    return Response(
        stream_with_context(pieces()),
        content_type=f"{media_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _edit(
    asking: Here, question: Question, country: str | None, *, given: list[str], fault: str = ""
) -> Response:
    """Render the page that asks one question anew."""
    form = small_form(asking)
    kind = type(
        "Editing", (type(form),), {"question": answer_field(question, asking.locale, country)}
    )
    data = MultiDict([(f"q-{question.key}", one) for one in given])
    asked = kind(formdata=data if given else None)
    asked.csrf_token.data = form.csrf_token.data
    if fault:
        complain(asked.question, fault)
    shown = {
        "key": question.key,
        "label": said(question.label, asking.locale),
        "why": said(question.why, asking.locale) if question.why else None,
        "type": question.type,
    }
    status = 422 if fault else 200
    return page("answer", N_("Change your answer"), asking, status, form=asked, question=shown)


def _country(session: Session, published: Published, contact: Contact) -> str | None:
    """Return the country the person told us, for regions and telephone numbers."""
    held = answers_of_contact(session, contact)
    return country_told(published, {key: one.value for key, one in held.items()})


def _typed_again(
    template: str, title: str, asking: Here, typed: str, fault: ValueError
) -> Response:
    """Render a page with the address that was typed, and why it cannot be taken."""
    form = small_form(asking)
    form.email.data = typed
    complain(form.email, str(fault))
    return page(template, title, asking, status=422, form=form)


def _owe_link(
    asking: Here,
    address: Address,
    leads: Leads = Leads.PAGE,
    contact_id: uuid.UUID | None = None,
) -> None:
    """Owe the letter."""
    name = browser.browser_name(request)
    current.store().write(
        lambda session: request_link(
            session,
            address,
            leads=leads,
            contact_id=contact_id,
            locale=asking.locale,
            browser=name,
            now=asking.now,
        )
    )
    current.wake("deliver")


def _to_me(done: str | None = None, place: str | None = None) -> BaseResponse:
    """Go to the own page, and say there what was done."""
    return redirect(url_for("privacy.me", done=done, _anchor=place), 303)


def _before() -> datetime | None:
    """Return before when the timeline is to begin; None for a time nobody can read."""
    try:
        found = datetime.fromisoformat(request.args.get("before", ""))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _pepper() -> str:
    """Return what keyed hashes of addresses are keyed with."""
    return current.settings().pepper_text
