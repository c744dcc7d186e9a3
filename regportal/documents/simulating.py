"""
What a person would meet who comes again and again: the portal's own rules, without a visitor.

Nothing is read but documents, and nothing is kept: what to ask is decided by `forms.planner.plan`,
what an answer means by `forms.fields.value_of`, phases and scores by the code of the worker
(tests/documents/test_simulating.py walks the same way through a real portal).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from regportal.buying.worth import worths
from regportal.consent.schema import Newsletter
from regportal.documents.following import Following, Standing
from regportal.documents.memory import Memory, Said
from regportal.documents.reasons import newsletters_passed, question_chosen, questions_passed
from regportal.documents.scenarios import Coming, Scenario
from regportal.errors import BadRequestError
from regportal.forms.addressing import address_from, fitting
from regportal.forms.fields import country_told, value_of
from regportal.forms.planner import Grounds, Plan, Turnout, plan
from regportal.forms.schema import Gate, Question
from regportal.identity.addresses import Address
from regportal.library.schema import Asset
from regportal.store.documents import Published, Site, span
from regportal.store.words import N_, SOURCE, Sentence
from regportal.tracking.rules import goes_on

Turnouts = Mapping[tuple[str, str], Turnout]
Reasons = tuple[tuple[str, str], ...]
"""Keys, each with the sentence that says why it is not."""


@dataclass(frozen=True, slots=True)
class Met:
    """What he meets when he comes once, what he does, and what follows of it."""

    number: int
    at: datetime
    gate: str
    visit: int
    """The visit it belongs to, counted from 1; several gates may be opened in one."""
    came_as: str
    """How sure it was who he is when he came: ``none``, ``claimed`` or ``verified``."""
    email: bool
    """Whether the form asks for his address."""
    question: str | None
    why: str | None
    """Why this question, or why none."""
    not_asked: Reasons
    newsletter: str | None
    not_offered: Reasons
    did: str
    """``answered``, ``declined``, ``left``, or ``opened``: where there was nothing to answer."""
    refused: str | None
    """What the form says where it does not take what he typed."""
    gets: str | None
    """``file``, or ``mail`` where it goes by mail; None: nothing."""
    address: str
    """How sure it is afterwards."""
    known: Mapping[str, Any]
    """What he answered, by question."""
    newsletters: Sequence[str]
    """Those he asked for."""
    standing: Standing | None
    """His phase and his scores; None as long as nobody has proven his address."""


def simulate(
    published: Published,
    scenario: Scenario,
    *,
    begins: datetime,
    turnouts: Turnouts = MappingProxyType({}),
    locale: str = SOURCE,
) -> list[Met]:
    """
    Return what a person meets each time he comes, with the reasons; a function of its arguments.

    ``turnouts`` are what became of questions so far, by gate and question, for planners by value.
    Why his phase moved is said in the language ``locale``.

    Raises BadRequestError for a gate that is not published or stands at a kiosk, or where there is
    none, for an address that no gate would take, and for a time beyond all calendars.
    """
    try:
        return [*_met(published, scenario, begins, turnouts, locale)]
    except OverflowError:
        raise BadRequestError(N_("no calendar goes as far as these visits"), "after") from None


def _met(
    published: Published, scenario: Scenario, at: datetime, turnouts: Turnouts, locale: str
) -> Iterator[Met]:
    """Yield each time he comes."""
    address = _address(scenario)
    memory, visits = Memory(), 0
    following = Following(published, scenario.email, at, scenario.who, scenario.role, locale)
    if scenario.who == "known":
        memory.claim(address, at, remember=True)
        memory.prove(at)
        following.prove(at)
    site = Site.of(published)
    idle = span(site.visit)
    for number, coming in enumerate(scenario.visits, 1):
        at = at if number == 1 else at + span(coming.after)
        if memory.forgets(site, at):
            following.disown()
        going = memory.last_at is not None and goes_on(memory.last_at, at, idle)
        visits = memory.visit = visits if going else visits + 1
        time = _Time(published, scenario, coming, memory, following, at, going, turnouts)
        yield _once(time, number)


@dataclass(frozen=True, slots=True)
class _Time:
    """One time he comes."""

    published: Published
    scenario: Scenario
    coming: Coming
    memory: Memory
    following: Following
    at: datetime
    going: bool
    """Whether a visit goes on."""
    turnouts: Turnouts

    def grounds(self, gate: Gate) -> Grounds:
        """Return what a planner by value goes by, before him as he is now."""
        past = {key: one for (at, key), one in self.turnouts.items() if at == gate.key}
        known = past if self.memory.proven else {}
        return Grounds(worths(self.published), known, self.scenario.email)

    @property
    def gate(self) -> Gate:
        """Return the gate he comes to."""
        gates = self.published.all(Gate)
        found = self.published.find(Gate, self.coming.gate) if self.coming.gate else None
        if self.coming.gate is None and gates:
            found = gates[0]
        if found is None:
            named = Sentence(N_("there is no gate called %(key)s"), key=repr(self.coming.gate))
            raise BadRequestError(named if gates else N_("there is no gate"), "gate")
        if found.stands_at_kiosk(Site.of(self.published)):
            says = N_(
                "the gate %(key)s stands at a kiosk: whoever comes there is nobody we know, every"
                " time"
            )
            raise BadRequestError(Sentence(says, key=repr(found.key)), "gate")
        return found


def _once(time: _Time, number: int) -> Met:
    """Return what he meets this time, and let it have its effect."""
    gate, published, memory, at = time.gate, time.published, time.memory, time.at
    asset = published.one(Asset, gate.asset)
    known = memory.known(memory.visit if time.going else None)
    known = fitting(gate, memory.address, known)
    questions = [published.one(Question, key) for key in gate.questions]
    letters = [published.one(Newsletter, key) for key in gate.newsletters]
    planned = plan(gate, asset, questions, letters, known, at, time.grounds(gate))
    came_as = memory.state
    did, refused, gets = _acts(time, gate, asset, planned)
    if memory.address is not None:
        memory.last_seen = at
    standing = time.following.look(at)
    return Met(
        number=number,
        at=at,
        gate=gate.key,
        visit=memory.visit,
        came_as=came_as,
        email=planned.email,
        question=planned.question.key if planned.question else None,
        why=question_chosen(planned, gate, asset, known),
        not_asked=tuple(questions_passed(planned, gate, asset, questions, known, at)),
        newsletter=planned.newsletter.key if planned.newsletter else None,
        not_offered=tuple(newsletters_passed(planned, asset, letters, known)),
        did=did,
        refused=refused,
        gets=gets,
        address=memory.state,
        known=memory.values(),
        newsletters=tuple(memory.newsletters()),
        standing=standing,
    )


def _acts(
    time: _Time, gate: Gate, asset: Asset, planned: Plan
) -> tuple[str, str | None, str | None]:
    """Let him do what he does; return that, why it was not taken, and what he gets."""
    memory, coming, at = time.memory, time.coming, time.at
    if coming.does == "leave":
        return "left", None, None
    did, said = "opened", None
    try:
        if planned.email:
            address, did = address_from(gate, time.scenario.email), "answered"
            memory.claim(address, at, remember=_may_remember(time))
        elif planned.question is not None:
            said = _answer(time, gate, planned.question)
            did = "declined" if said.declined else "answered"
    except ValueError as error:
        return "left", str(error), None
    if said is not None:
        memory.said.append(said)
    if planned.newsletter is not None:
        times, taken = memory.offered.get(planned.newsletter.key, (0, False))
        memory.offered[planned.newsletter.key] = (times + 1, taken or coming.newsletter)
    memory.last_at = at
    _tell(time, said)
    memory.keep()
    hands_over = gate.hands_over(Site.of(time.published), proven=memory.proven)
    if hands_over:
        _take(time, asset)
    by_mail = planned.email or (not memory.proven and gate.delivery == "mail")
    if by_mail and coming.confirm:
        _confirm(time, asset)
    return did, None, "file" if hands_over else "mail"


def _answer(time: _Time, gate: Gate, question: Question) -> Said:
    """Return what he answers, as the form reads it; raise ValueError where it takes nothing so."""
    country = country_told(time.published, time.memory.values())
    value = None
    if time.coming.does == "answer":
        given = time.scenario.answer_to(question, time.published, country)
        value = value_of(question, given, "en", country)
    if value is None and gate.answer == "required":
        raise ValueError("Please answer this one.")
    return Said(question.key, value, value is None, time.at, time.memory.visit)


def _tell(time: _Time, said: Said | None) -> None:
    """Let phases and scores hear of an answer."""
    if said is not None and not said.declined:
        question = time.published.one(Question, said.question)
        time.following.answered(question, said.value, time.at, proven=time.memory.proven)


def _take(time: _Time, asset: Asset) -> None:
    """Let him take the asset: once a visit, however often he opens the gate."""
    taken = time.memory.taken.setdefault(time.memory.visit, set())
    if asset.key not in taken:
        taken.add(asset.key)
        time.following.took(asset, time.at, proven=time.memory.proven)


def _confirm(time: _Time, asset: Asset) -> None:
    """Let him open the link of the mail: his address is proven, and he gets what he asked for."""
    time.memory.prove(time.at)
    time.memory.keep()
    time.following.prove(time.at)
    _take(time, asset)


def _address(scenario: Scenario) -> Address:
    """Return whose address it is; raise BadRequestError where it is none."""
    try:
        return address_from(Gate(key="any", asset="any", headline="any"), scenario.email)
    except ValueError as error:
        raise BadRequestError(str(error), "email") from None


def _may_remember(time: _Time) -> bool:
    """Return whether his browser is known later: he wants it, and may be asked."""
    site = Site.of(time.published)
    return time.scenario.remember and site.remember == "ask"
