"""Why a gate asks and offers what it does, and not another thing: a sentence each."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from regportal.consent.schema import Newsletter
from regportal.forms.planner import Plan, told
from regportal.forms.rules import OFFERS, Closed, Known, Withheld, closed, may_ask, withheld
from regportal.forms.schema import Gate, Question
from regportal.library.schema import Asset
from regportal.store.words import N_, Sentence

ADDRESS_FIRST = N_("the address comes first, and nothing is asked beside it")
TAKEN = N_("the file was taken in this visit: it is one click away")
NOT_WANTED = N_("he does not want to be asked this again")
OTHER_TOPICS = N_("it shares no topic with this file")
DECIDED = N_("he has decided on it")
LATER = N_("one newsletter is offered at a time")
ALL_ANSWERED = N_("no question of this gate is open")


def question_chosen(planned: Plan, gate: Gate, asset: Asset, known: Known) -> str:
    """Return why this question is asked, or why none is."""
    if planned.email:
        return N_("who he is, is not known yet")
    question = planned.question
    if question is None:
        return _budget(gate, asset, known) or ALL_ANSWERED
    because = planned.because.as_kept() if planned.because else {}
    if gate.planner == "value":
        return told(because)
    answered = known.answers.get(question.key)
    if answered is not None:
        says = N_("answered on %(day)s, and asked again after %(span)s")
        day, again = answered[1].date().isoformat(), question.ask_again_after or ""
        return Sentence(says, day=day, span=again)
    if question.key in known.declines:
        says = N_("declined so far: %(times)d; last on %(day)s, and asked again after %(span)s")
        times, last = known.declines[question.key]
        again = question.declined.again_after
        return Sentence(says, times=times, day=last.date().isoformat(), span=again)
    return told(because)


def questions_passed(
    planned: Plan,
    gate: Gate,
    asset: Asset,
    questions: Sequence[Question],
    known: Known,
    now: datetime,
) -> Iterator[tuple[str, str]]:
    """Yield each question that is not asked now, and why."""
    rest = ADDRESS_FIRST if planned.email else _budget(gate, asset, known)
    if gate.planner == "value" and planned.question:
        says = N_("it promises less than %(question)s")
        rest = Sentence(says, question=planned.question.key)
    for question in questions:
        if question is planned.question:
            rest = rest or Sentence(N_("it comes after %(question)s"), question=question.key)
            continue
        why = closed(question, known, now)
        if why is not None and not planned.email:
            yield question.key, _closed(question, why, known)
        elif rest is not None:
            yield question.key, rest


def newsletters_passed(
    planned: Plan, asset: Asset, newsletters: Sequence[Newsletter], known: Known
) -> Iterator[tuple[str, str]]:
    """Yield each newsletter that is not offered now, and why."""
    for letter in newsletters:
        if letter is not planned.newsletter:
            why = withheld(letter, asset, known)
            yield letter.key, LATER if why is None else _withheld(why)


def _budget(gate: Gate, asset: Asset, known: Known) -> str | None:
    """Return why nothing more is asked in this visit; None: something may be."""
    if may_ask(gate, asset, known):
        return None
    if asset.key in known.taken:
        return TAKEN
    says = N_("this visit has had its questions: %(most)d")
    return Sentence(says, most=gate.per_visit)


def _closed(question: Question, why: Closed, known: Known) -> str:
    """Return why a question is not open."""
    match why:
        case Closed.ANSWERED:
            day = known.answers[question.key][1].date().isoformat()
            return Sentence(N_("answered on %(day)s"), day=day)
        case Closed.DECLINED:
            says = N_("declined on %(day)s, and not asked again within %(span)s")
            day = known.declines[question.key][1].date().isoformat()
            return Sentence(says, day=day, span=question.declined.again_after)
        case Closed.DECLINED_OFTEN:
            says = N_("declined as often as it may be asked: %(times)d")
            return Sentence(says, times=known.declines[question.key][0])
        case Closed.CONDITION if question.when is not None:
            asked = question.when.answer
            says = N_("asked only where %(question)s is %(values)s")
            return Sentence(says, question=asked.question, values=", ".join(asked.values))
        case _:
            return NOT_WANTED


def _withheld(why: Withheld) -> str:
    """Return why a newsletter is not offered."""
    if why is Withheld.PASSED_OVER:
        return Sentence(N_("its box was left empty %(times)d times, which is enough"), times=OFFERS)
    return OTHER_TOPICS if why is Withheld.TOPICS else DECIDED
