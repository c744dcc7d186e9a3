"""Everything we keep of a person, as their own page shows it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from regportal.connectors.schema import Connector
from regportal.consent.actions import subject_of_contact
from regportal.consent.proof import proven_lines
from regportal.consent.schema import Newsletter
from regportal.forms.answered import answers_of
from regportal.forms.fields import shown_value
from regportal.forms.known import never_asked
from regportal.forms.models import Answer
from regportal.forms.others import Reach, reach_of
from regportal.forms.schema import Gate, Question
from regportal.forms.showing import AT_MOST, shown_claims
from regportal.identity.actions import count_open_claims
from regportal.identity.models import Claim, ClaimState
from regportal.identity.visitors import browsers_of
from regportal.identity.wire import browser_shown
from regportal.privacy.deeds import moves, timeline
from regportal.privacy.exporting import recipients
from regportal.privacy.proving import OWN_PAGE
from regportal.privacy.reader import Reader, Row
from regportal.privacy.saying import CONSENT, METHODS, SURE
from regportal.privacy.traces import own_traces
from regportal.store.documents import said
from regportal.store.words import N_
from regportal.tracking.actions import seen_of_contacts

STATES: Mapping[ClaimState, str] = {
    ClaimState.OPEN: N_("waits for your answer"),
    ClaimState.CONFIRMED: N_("confirmed by you"),
    ClaimState.REJECTED: N_("not you: its answers are deleted"),
    ClaimState.EXPIRED: N_("ended by itself"),
}
TOLD: Mapping[str, str] = {
    "contact": N_("who you are, and what you answered"),
    "consent": N_("what you allow"),
    "interaction": N_("what you did"),
    "score": N_("how interested we think you are"),
    "mail": N_("letters to you"),
}


def everything(reader: Reader, *, before: datetime | None = None) -> Row:
    """Return what a fresh proof lets a person see: all of it; of the deeds a page at a time."""
    seen = seen_of_contacts(reader.session, [one.id for one in reader.contacts])
    return {
        "addresses": addresses(reader),
        "answers": answers(reader),
        "timeline": timeline(reader, seen, before),
        "claims": claims(reader),
        "consents": consents(reader),
        "recipients": told(reader),
        "moves": moves(reader, {str(one.id): one for one in seen}),
        "browsers": browsers(reader),
    }


def to_erase(reader: Reader) -> Row:
    """Return how much there is of a person, and who was told: all that erasing asks about."""
    given = sa.select(sa.func.count(sa.distinct(Answer.question))).where(
        Answer.contact_id.in_([one.id for one in reader.contacts])
    )
    return {
        "answers": reader.session.scalar(given) or 0,
        "deeds": len(seen_of_contacts(reader.session, [one.id for one in reader.contacts])),
        "recipients": told(reader),
    }


def addresses(reader: Reader) -> list[Row]:
    """Return every address, and how we know it."""
    return [
        {
            "email": one.email,
            "main": number == 0,
            "since": reader.when(one.first_seen),
            "sure": reader.says(SURE[one.assurance.value]),
        }
        for number, one in enumerate(reader.contacts)
    ]


def answers(reader: Reader) -> list[Row]:
    """Return every question that was answered, the newest answer first, with its history."""
    theirs = Answer.contact_id.in_([one.id for one in reader.contacts])
    by_question: dict[str, list[Row]] = defaultdict(list)
    for answer, wording, _ in answers_of(reader.session, theirs):
        by_question[answer.question].append(_answer(reader, answer, wording))
    never = never_asked(reader.session, reader.contacts[0].id)
    found = []
    for key in dict.fromkeys((*by_question, *sorted(never))):
        question = reader.published.find(Question, key)
        given = by_question.get(key, [])
        holds = next((one for one in given if one["holds"]), given[0] if given else None)
        found.append(
            {
                "key": key,
                "label": said(question.label, reader.locale) if question else key,
                "why": said(question.why, reader.locale) if question and question.why else None,
                "now": holds,
                "before": [one for one in given if one is not holds],
                "editable": question is not None,
                "never": key in never,
            }
        )
    return found


def _answer(reader: Reader, answer: Answer, wording: str | None) -> Row:
    """Return one answer as it is shown."""
    question = reader.published.find(Question, answer.question)
    gate = reader.published.find(Gate, answer.gate or "")
    value = shown_value(question, answer.value, reader.locale)
    declined = reader.says(N_("You would rather not say."))
    hides = question is not None and question.sensitive
    return {
        "value": declined if answer.declined else value,
        "typed": answer.original if not hides and answer.original != value else None,
        "when": reader.when(answer.answered_at),
        "where": said(gate.headline, reader.locale) if gate else _place(reader, answer.gate),
        "wording": wording,
        "sure": reader.says(SURE[answer.assurance.value]),
        "holds": not answer.declined and answer.assurance.value != "claimed",
    }


def _place(reader: Reader, gate: str | None) -> str | None:
    """Return where an answer was given, where that was no gate that is published now."""
    return reader.says(N_("Your own page")) if gate == OWN_PAGE else gate


def claims(reader: Reader) -> Row:
    """
    Return the newest times that somebody gave one of these addresses, and what became of it.

    Those that wait for an answer come first. Strangers make as many as they like, so that only
    some are shown; the rest can be said no to at once.
    """
    theirs = sa.and_(Claim.match_key.in_(reader.match_keys), Claim.gate != OWN_PAGE)
    waits_first = sa.case((Claim.state == ClaimState.OPEN, 0), else_=1)
    found = reader.session.scalars(
        sa.select(Claim)
        .where(theirs)
        .order_by(waits_first, Claim.opened_at.desc(), Claim.id.desc())
        .limit(AT_MOST)
    ).all()
    shown = shown_claims(
        reader.session, reader.published, found, locale=reader.locale, pepper=reader.pepper
    )
    reach = {
        key: reach_of(reader.session, reader.proven.match_key, key) for key in reader.match_keys
    }
    in_all = reader.session.scalar(sa.select(sa.func.count()).select_from(Claim).where(theirs)) or 0
    return {
        "rows": [
            {
                "id": str(claim.id),
                "shown": one
                if reach[claim.match_key] is Reach.ALL
                else replace(one, newsletters=[]),
                "open": claim.state == ClaimState.OPEN,
                "may_confirm": reach[claim.match_key] is not Reach.NO,
                "state": reader.says(STATES[claim.state]),
                "email": claim.email,
            }
            for claim, one in zip(found, shown, strict=True)
        ],
        "more": in_all - len(found),
        "open": count_open_claims(reader.session, reader.match_keys),
        "until": reader.now.isoformat(),
    }


def consents(reader: Reader) -> list[Row]:
    """Return every line of the ledger about the person, newest first, with its evidence."""
    subjects = [subject_of_contact(one.id) for one in reader.contacts]
    found = []
    for line, wording, evidence, network in proven_lines(reader.session, subjects):
        newsletter = reader.published.find(Newsletter, line.newsletter)
        found.append(
            {
                "id": str(line.id),
                "title": said(newsletter.title, reader.locale) if newsletter else line.newsletter,
                "state": reader.says(CONSENT[line.state.value]),
                "when": reader.when(line.at),
                "how": reader.says(METHODS.get(line.method, "%(method)s"), method=line.method),
                "wording": wording,
                "address": evidence.address if evidence is not None else None,
                "network": network.network if network is not None else None,
            }
        )
    return found


def told(reader: Reader) -> list[Row]:
    """Return who was told what, and when last."""
    traces = own_traces(
        reader.session,
        reader.contacts,
        reader.match_keys,
        pepper=reader.pepper,
    )
    by_recipient: dict[str, dict[str, Row]] = defaultdict(dict)
    for one in recipients(reader.session, traces):
        topic = one["what"].partition(".")[0]
        what = by_recipient[one["recipient"]].setdefault(topic, {"times": 0, "last": ""})
        what["times"] += one["times"]
        what["last"] = max(what["last"], one["last"] or "")
    connectors = {one.key: one.type for one in reader.published.all(Connector)}
    return [
        {
            "name": reader.says(N_("Our own letters")) if key == "mail" else key,
            "type": connectors.get(key),
            "what": [
                {
                    "says": reader.says(TOLD.get(topic, "%(topic)s"), topic=topic),
                    "times": row["times"],
                    "last": reader.when(datetime.fromisoformat(row["last"])),
                }
                for topic, row in sorted(topics.items())
            ],
        }
        for key, topics in sorted(by_recipient.items())
    ]


def browsers(reader: Reader) -> list[Row]:
    """Return the browsers in which the person is known now."""
    rows = browsers_of(reader.session, [one.id for one in reader.contacts])
    return [
        {
            "id": visitor.id,
            "name": browser_shown(visitor.family or name, reader.locale),
            "seen": reader.when(visitor.last_seen),
            "remembered": visitor.remembered,
        }
        for visitor, name in rows
    ]
