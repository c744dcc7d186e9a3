"""The form of one moment: what it asks, and what came back."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
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
from regportal.forms.addressing import address_from, fitting
from regportal.forms.arms import Arms, at_gate, gate_in, question_in
from regportal.forms.asking import csrf_token, write_ask
from regportal.forms.fields import LONGEST, GateForm, answer_field, value_of
from regportal.forms.models import Exposure, Outcome, Shown, ShownTo
from regportal.forms.planner import Because, Grounds, Plan, plan
from regportal.forms.rules import ASK_LIFE, Ask, Known
from regportal.forms.schema import Experiment, Gate, Question
from regportal.forms.visiting import Visiting, country_of
from regportal.identity import wire
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Published, said
from regportal.store.facts import add, add_once, table_of
from regportal.store.ids import uuid7
from regportal.store.words import N_
from regportal.tracking.judging import (
    AHEAD,
    RULES,
    by_request,
    of_own_staff,
    strictest,
    visitors_own,
)
from regportal.tracking.models import Judged


def fresh_ask(visiting: Visiting, *, by_call: bool = False) -> Ask:
    """
    Plan what to ask, and count that it was shown, and to whom.

    ``by_call`` says that a server may ask for its visitor: then its own name says nothing.
    """
    gate, (ask, because) = visiting.around.gate, _planned_ask(visiting)
    if request.method == "HEAD":
        return ask
    agent, purpose = wire.agent_of(request), wire.purpose_of(request)
    asked = ShownTo(
        id=uuid.UUID(ask.nonce),
        agent=visitors_own(agent) if by_call else agent,
        purpose=purpose,
        visitor_id=visiting.visitor.id if visiting.visitor else None,
    )
    is_staff = _is_own_staff(visiting)
    judgement = strictest(of_own_staff(yes=is_staff), by_request(asked.agent, purpose or ""))
    shown = Shown(
        id=asked.id,
        gate=gate.key,
        asked_email=ask.email,
        question=ask.question,
        wording=ask.wording,
        because=because.as_kept() if because else None,
        newsletter=ask.newsletter,
        visitor_id=asked.visitor_id,
        shown_at=visiting.now,
        judged=judgement.judged,
        judged_because=judgement.because,
        judged_by=judgement.rules,
    )
    # who is known for our own staff need not be told by a name again
    rows = (shown,) if is_staff else (shown, asked)
    exposures = [*_exposures(visiting, shown)]

    def keep(session: Session) -> None:
        """Write what was shown, and what somebody met for the first time."""
        add(session, *rows)
        for one in exposures:
            add_once(session, one)

    current.store().note(keep)
    return ask


def _exposures(visiting: Visiting, shown: Shown) -> Iterator[Exposure]:
    """Yield which ways of experiments this form showed."""
    published, met = visiting.around.published, dict(visiting.arms)
    if shown.question is None or shown.visitor_id is None:
        return
    for one in at_gate(published, visiting.around.gate):
        if one.key in met and one.question in {None, shown.question}:
            version = published.version(Experiment, one.key)
            yield Exposure(
                id=Exposure.id_of(one.key, version, shown.visitor_id),
                experiment=one.key,
                version=version,
                visitor_id=shown.visitor_id,
                arm=met[one.key],
                shown_id=shown.id,
                at=shown.shown_at,
            )


def _planned_ask(visiting: Visiting) -> tuple[Ask, Because | None]:
    """Plan what to ask, and say why this question; nothing is counted."""
    published, claim, arms = visiting.around.published, visiting.claim, visiting.arms
    gate = visiting.around.gate
    address = claim.address if claim and gate.addresses != "any" else None
    known = fitting(gate, address, visiting.known)
    planned = next_of(published, gate, known, visiting.grounds, arms, now=visiting.now)
    ask = ask_of(
        visiting,
        email=planned.email,
        question=planned.question,
        newsletter=planned.newsletter,
    )
    return ask, planned.because


def next_of(
    published: Published,
    gate: Gate,
    known: Known,
    grounds: Grounds,
    arms: Arms = (),
    *,
    now: datetime,
) -> Plan:
    """Return what a gate asks next of whom so much is known, and who meets these arms."""
    gate = gate_in(published, gate, arms)
    questions = [question_in(published, key, arms) for key in gate.questions]
    newsletters = [published.one(Newsletter, key) for key in gate.newsletters]
    asset = published.one(Asset, gate.asset)
    return plan(gate, asset, questions, newsletters, known, now, grounds)


def _is_own_staff(visiting: Visiting) -> bool:
    """Return whether the company's own people stand there."""
    claim = visiting.claim
    if claim is not None and claim.own_staff:
        return True
    return wire.is_own_staff(request, visiting.around.site, claim.email if claim else None)


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
        visiting.around.published,
        ask.email,
        ask.question,
        ask.newsletter,
        ask.locale,
        country,
        visiting.arms,
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
    arms: Arms,
) -> type[GateForm]:
    """Return the class of forms that ask this: made once a publication, for it is slow."""

    class Asking(GateForm):
        """What every form that asks this has."""

    named = published.find(Question, question) if question else None
    asked = question_in(published, named.key, arms) if named else None
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
            address = address_from(visiting.around.gate, wire.only(fields, "email"))
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
        wants_newsletter=wire.only(fields, f"n-{ask.newsletter}") == "yes",
        remember=visiting.may_remember and wire.only(fields, "remember") == "yes",
    )


def complain(field: Field, says: str) -> None:
    """Say beside a field why it cannot be taken."""
    field.errors = [*field.errors, says]


SETTLE = (
    sa.update(table_of(Shown))
    .where(Shown.id == sa.bindparam("nonce"), Shown.outcome.is_(None))
    .values(outcome=sa.bindparam("became"), settled_at=sa.bindparam("now"))
)
WAS_AHEAD = Shown.judged_because.in_(AHEAD.values())
BY_PERSON = SETTLE.values(
    judged=sa.case((WAS_AHEAD, Judged.PERSON), else_=Shown.judged),
    judged_because=sa.case((WAS_AHEAD, sa.null()), else_=Shown.judged_because),
)
"""Whoever sends a form that was fetched ahead has seen it since."""
BY_MACHINE = SETTLE.values(
    judged=Judged.MACHINE, judged_because=sa.bindparam("betrayed_by"), judged_by=RULES
)
FORGOTTEN = sa.delete(table_of(ShownTo)).where(ShownTo.id == sa.bindparam("nonce"))
"""Where the form said who sent it, no name is needed to judge it by again."""


def settle_shown(session: Session, sent: Sent, machine: str | None, *, now: datetime) -> None:
    """Count what became of the form, once, and who it was; ``machine`` is why it was none."""
    ask, outcome = sent.ask, Outcome.PASSED
    if ask.question is not None:
        outcome = Outcome.DECLINED if sent.declined else Outcome.ANSWERED
    elif ask.email:
        outcome = Outcome.ANSWERED
    connection, its = session.connection(), {"nonce": uuid.UUID(ask.nonce)}
    became = {**its, "became": outcome, "now": now}
    if machine is None:
        connection.execute(BY_PERSON, became)
    elif connection.execute(BY_MACHINE, {**became, "betrayed_by": machine}).rowcount:
        connection.execute(FORGOTTEN, its)
