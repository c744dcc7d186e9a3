"""The form of one moment: what it asks, and what came back."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa
from flask import request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, EmailField, Field

from regportal.consent.schema import Newsletter
from regportal.errors import BadRequestError
from regportal.forms.actions import Sent, content_of
from regportal.forms.asking import csrf_token, write_ask
from regportal.forms.fields import LONGEST, GateForm, answer_field, value_of
from regportal.forms.models import Outcome, Shown
from regportal.forms.rules import ASK_LIFE, Ask, Known, plan
from regportal.forms.schema import Gate, Question
from regportal.forms.visiting import Visiting, country_of
from regportal.identity.addresses import Address, read_address
from regportal.identity.wire import only
from regportal.store import current
from regportal.store.documents import Published, said
from regportal.store.facts import add, table_of
from regportal.store.ids import uuid7
from regportal.store.words import N_


def fresh_ask(visiting: Visiting) -> Ask:
    """Plan what to ask, and count that it was shown."""
    gate, published, known = visiting.around.gate, visiting.around.published, visiting.known
    planned = plan(
        gate,
        visiting.around.asset,
        [published.one(Question, key) for key in gate.questions],
        [published.one(Newsletter, key) for key in gate.newsletters],
        _fitting(visiting, known),
        visiting.now,
    )
    ask = ask_of(
        visiting,
        email=planned.email,
        question=planned.question,
        newsletter=planned.newsletter,
    )
    shown = Shown(
        id=uuid.UUID(ask.nonce),
        gate=gate.key,
        asked_email=ask.email,
        question=ask.question,
        wording=ask.wording,
        newsletter=ask.newsletter,
        visitor_id=visiting.visitor.id if visiting.visitor else None,
        shown_at=visiting.now,
    )
    if request.method != "HEAD" and "Sec-Purpose" not in request.headers:
        current.store().note(lambda session: add(session, shown))
    return ask


def _fitting(visiting: Visiting, known: Known) -> Known:
    """Forget an address this gate does not take: it asks for another."""
    claim = visiting.claim
    if claim is None or visiting.around.gate.addresses == "any":
        return known
    fault = _unfit(visiting.around.gate, claim.address)
    return Known(passed_over=known.passed_over, decided=known.decided) if fault else known


def ask_of(
    visiting: Visiting,
    *,
    email: bool,
    question: Question | None = None,
    newsletter: Newsletter | None = None,
) -> Ask:
    """Write down what a form asks."""
    locale = visiting.locale
    return Ask(
        nonce=str(uuid7()),
        gate=visiting.around.gate.key,
        email=email,
        question=question.key if question else None,
        required=question is not None and visiting.around.gate.answer == "required",
        wording=said(question.label, locale) if question else None,
        newsletter=newsletter.key if newsletter else None,
        newsletter_wording=said(newsletter.wording, locale) if newsletter else None,
        visitor=visiting.browser,
        locale=locale,
        expires=int((visiting.now + ASK_LIFE).timestamp()),
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """What has to be put right first, and in which field of the form (``email``, ``q-…``)."""

    field: str
    says: str


def form_for(
    visiting: Visiting,
    ask: Ask,
    given: Mapping[str, Sequence[str]] | None = None,
    fault: Fault | None = None,
) -> GateForm:
    """Make the form that asks this, with what was typed and what is wrong with it."""
    country = country_of(visiting) if ask.question else None
    kind = _kind_of_form(
        visiting.around.published, ask.email, ask.question, ask.newsletter, ask.locale, country
    )
    data = MultiDict([(name, one) for name, many in (given or {}).items() for one in many])
    form = kind(formdata=data if given else None)
    keys = current.settings().keys
    form.ask.data = write_ask(ask, keys)
    form.csrf_token.data = csrf_token(ask.visitor, keys)
    for field in form:
        if fault is not None and field.name == fault.field:
            complain(field, fault.says)
    return form


@lru_cache(maxsize=256)
def _kind_of_form(
    published: Published,
    email: bool,  # noqa: FBT001 - the ask says so
    question: str | None,
    newsletter: str | None,
    locale: str,
    country: str | None,
) -> type[GateForm]:
    """Return the class of forms that ask this: made once a publication, for it is slow."""

    class Asking(GateForm):
        """What every form that asks this has."""

    asked = published.find(Question, question) if question else None
    if email:
        Asking.email = EmailField(N_("Your e-mail address"), render_kw={"maxlength": 254})
    if asked is not None:
        Asking.question = answer_field(asked, locale, country)
    if newsletter is not None and published.find(Newsletter, newsletter):
        Asking.newsletter = BooleanField(name=f"n-{newsletter}")
    return Asking


def check_asked(fields: Mapping[str, list[str]], ask: Ask) -> None:
    """Refuse an answer to what was not asked; raise BadRequestError."""
    asked = {f"q-{ask.question}"} if ask.question else set()
    asked |= {f"n-{ask.newsletter}"} if ask.newsletter else set()
    unasked = [name for name in fields if name.startswith(("q-", "n-")) and name not in asked]
    if unasked or ("email" in fields and not ask.email):
        raise BadRequestError(N_("This form answers something that was not asked."))


def read_sent(visiting: Visiting, ask: Ask, fields: Mapping[str, list[str]]) -> Sent | Fault:
    """Read a form against what was asked; say what has to be put right first."""
    address = value = None
    declined = False
    given = fields.get(f"q-{ask.question}", [])
    if ask.email:
        try:
            address = address_from(visiting.around.gate, only(fields, "email"))
        except ValueError as error:
            return Fault("email", str(error))
    question = visiting.around.question(ask.question)
    if question is not None:
        try:
            if "decline" not in fields:
                value = value_of(question, given, ask.locale, country_of(visiting))
        except ValueError as error:
            return Fault(f"q-{question.key}", str(error))
        declined = value is None
        if declined and ask.required:
            return Fault(f"q-{question.key}", N_("Please answer this one."))
    return Sent(
        ask=ask,
        content=content_of(fields),
        address=address,
        value=value,
        original=" | ".join(given)[:LONGEST] if value is not None else None,
        declined=declined,
        wants_newsletter=only(fields, f"n-{ask.newsletter}") == "yes",
        remember=visiting.may_remember and only(fields, "remember") == "yes",
    )


def complain(field: Field, says: str) -> None:
    """Say beside a field why it cannot be taken."""
    field.errors = [*field.errors, says]


def address_from(gate: Gate, typed: str) -> Address:
    """Read the address; raise ValueError with one sentence where it cannot be taken."""
    if not typed.strip():
        raise ValueError(N_("Please give your e-mail address."))
    address = read_address(typed)
    fault = _unfit(gate, address)
    if fault is not None:
        raise ValueError(fault)
    return address


def _unfit(gate: Gate, address: Address) -> str | None:
    """Say why a gate does not take an address; a function of what was typed, of nothing else."""
    if gate.addresses == "business" and not address.is_business:
        return N_("Please give the address you use at work.")
    if gate.addresses == "no-disposable" and address.is_disposable:
        return N_("Please give an address that will still be yours next month.")
    return None


SETTLE = (
    sa.update(table_of(Shown))
    .where(Shown.id == sa.bindparam("nonce"), Shown.outcome.is_(None))
    .values(outcome=sa.bindparam("became"), settled_at=sa.bindparam("now"))
)


def settle_shown(session: Session, sent: Sent, *, now: datetime) -> None:
    """Count what became of the form, once."""
    ask, outcome = sent.ask, Outcome.PASSED
    if ask.question is not None:
        outcome = Outcome.DECLINED if sent.declined else Outcome.ANSWERED
    elif ask.email:
        outcome = Outcome.ANSWERED
    became = {"nonce": uuid.UUID(ask.nonce), "became": outcome, "now": now}
    session.connection().execute(SETTLE, became)
