"""What a person decides on the own page: newsletters, answers, claims, addresses, browsers."""

import uuid
from datetime import datetime

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from regportal.consent.models import ConsentState
from regportal.errors import BadRequestError
from regportal.forms.after import decision_in
from regportal.forms.claiming import House, owe_mail
from regportal.forms.deciding import Decision
from regportal.forms.fields import answer_field, country_told, value_of
from regportal.forms.forming import complain
from regportal.forms.news import answers_of_contact
from regportal.forms.others import decide_other, deny_others
from regportal.forms.schema import Question
from regportal.forms.visiting import bare_sender
from regportal.identity import browser, limits, wire
from regportal.identity.actions import claim_of
from regportal.identity.addresses import read_address
from regportal.identity.models import Contact, Visitor
from regportal.identity.visitors import choose as keep_choice
from regportal.identity.visitors import end_visitor, sign_out_everywhere
from regportal.privacy.choosing import Decided, choose, evidence_here
from regportal.privacy.correcting import ask_again, correct, never_ask, not_me
from regportal.privacy.models import Leads
from regportal.privacy.owner import Here, here, owe_link, page, sent, small_form, to_me, typed_again
from regportal.privacy.speaking import speak
from regportal.store import current
from regportal.store.documents import Published, said
from regportal.store.words import N_

AT_ONCE, ROUNDS = 20, 10
"""How many claims one transaction rejects, and how many such ones one press."""

bp = Blueprint("changing", __name__)


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
    return to_me("newsletters", "newsletters")


@bp.post("/me/language")
def language() -> BaseResponse:
    """Write to this person in another language from now on, and show the own page in it."""
    with current.store().read() as session:
        asking, fields = sent(session)
        his = [one.id for one in asking.proven.contacts]
        published = current.published(session)
    limits.check("changes")
    chosen = wire.only(fields, "language")
    current.store().write(
        lambda session: speak(
            session, published, [session.get_one(Contact, one) for one in his], chosen
        )
    )
    return to_me("language", "language")


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
    response = to_me("choices", "choices")
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
    return to_me("answers", "answers")


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
    values = held.value if held is not None and not question.sensitive else []
    given = [str(one) for one in (values if isinstance(values, list) else [values])]
    return _edit(asking, question, country, given=given)


@bp.post("/me/never/<key>")
def never(key: str) -> BaseResponse:
    """Do not ask this again; or do."""
    with current.store().read() as session:
        asking, fields = sent(session)
        owner = asking.fresh
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
    return to_me("answers", "answers")


@bp.post("/me/deeds/<uuid:deed>")
def deny_deed(deed: uuid.UUID) -> BaseResponse:
    """Say of one interaction: this was not me."""
    with current.store().read() as session:
        asking, _ = sent(session)
        contacts = asking.fresh.contacts
    limits.check("changes")
    current.store().write(lambda session: not_me(session, contacts, deed, now=asking.now))
    current.wake("weigh", "deliver")
    return to_me("deeds", "deeds")


@bp.post("/me/claims/<uuid:claim>")
def decide_claim(claim: uuid.UUID) -> BaseResponse:
    """Say of an open claim of one's address: yes, this was me; or no, delete this."""
    with current.store().read() as session:
        asking, fields = sent(session)
        visitor = asking.fresh.visitor.id
        published, settings = current.published(session), current.settings()
    limits.check("decisions")
    choice, seen = decision_in(fields), wire.only(fields, "seen")
    house = House(published, current.site(), settings.keys)
    sender = bare_sender(asking.token, asking.locale)
    current.store().write(
        lambda session: decide_other(
            session,
            house,
            claim,
            visitor,
            choice,
            sender,
            seen=seen,
            pepper=settings.pepper_text,
            now=asking.now,
        )
    )
    current.wake("settle", "weigh", "deliver")
    return to_me("claims", "claims")


@bp.post("/me/claims")
def none_of_these() -> BaseResponse:
    """
    Say of every open claim that the page stood for: none of these was me.

    A press does so many; where there are more, the page shows them and asks again.
    """
    with current.store().read() as session:
        asking, fields = sent(session)
        visitor, contacts = asking.fresh.visitor.id, asking.fresh.contacts
        published, pepper = current.published(session), current.settings().pepper_text
    limits.check("decisions")
    if decision_in(fields) is not Decision.DENY:
        raise BadRequestError(N_("Please press one of the buttons."))
    until = _moment(wire.only(fields, "until"))
    sender = bare_sender(asking.token, asking.locale)
    keys = {one.match_key for one in contacts}

    def work(session: Session) -> int:
        return deny_others(
            session,
            published,
            keys,
            visitor,
            sender,
            until=until,
            most=AT_ONCE,
            pepper=pepper,
            now=asking.now,
        )

    for _ in range(ROUNDS):
        if current.store().write(work) < AT_ONCE:
            break
    current.wake("weigh", "deliver")
    return to_me("claims", "claims")


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
        return typed_again("address", N_("Another address"), asking, typed, fault)
    owe_link(asking, address, leads=Leads.ADDRESS, contact_id=contact.id)
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
    everywhere = wire.only(fields, "choice") == "everywhere" and not owner.left

    def work(session: Session) -> None:
        end_visitor(session, session.get_one(Visitor, owner.visitor.id), now=asking.now)
        if everywhere:
            sign_out_everywhere(session, owner.contact, asking.now)

    current.store().write(work)
    response = redirect(url_for("privacy.me"), 303)
    browser.forget(response)
    return response


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


def _moment(text: str) -> datetime:
    """Return the moment a form speaks of; raise BadRequestError where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadRequestError(N_("Please open this page again."))
    return found


def _country(session: Session, published: Published, contact: Contact) -> str | None:
    """Return the country the person told us, for regions and telephone numbers."""
    held = answers_of_contact(session, contact)
    return country_told(published, {key: one.value for key, one in held.items()})
