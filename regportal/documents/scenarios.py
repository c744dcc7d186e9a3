"""A person who comes again and again, as somebody imagines it: who, when, and what he does."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from regportal.buying.vocabulary import not_for_ever
from regportal.documents import nodes
from regportal.documents.nodes import Listing, Node, Scalar, path_text
from regportal.errors import DocumentError, Fault, Place
from regportal.forms.fields import choices_of
from regportal.forms.schema import Question
from regportal.store.documents import Published
from regportal.store.faults import plain
from regportal.store.schema import Key, Span

MOST = 60
WEEKLY = "7d"
SOME_DAY = date(2026, 1, 1)
SOMEBODY = "visitor@company.example"
"""Whose address it is, where nobody says."""
Who = Literal["anonymous", "known", "on-opportunity"]
Text = Annotated[str, Field(max_length=2000)]


class Coming(BaseModel):
    """One time he comes to a gate, and what he does there."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    gate: Key | None = None
    """None: the first one of the site."""
    after: Annotated[Span, AfterValidator(not_for_ever)] = WEEKLY
    """How long after the time before; within a visit, less than it may idle."""
    does: Literal["answer", "decline", "leave"] = "answer"
    """Sends the form with an answer or without one, or goes away."""
    newsletter: bool = False
    """Whether he ticks the box, if there is one."""
    confirm: bool = True
    """Whether he opens the link of the mail, if one was sent."""


class Scenario(BaseModel):
    """Who comes, and what he does each time; without words, somebody who answers all."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    who: Who = "anonymous"
    email: Annotated[str, Field(min_length=3, max_length=254)] = SOMEBODY
    remember: bool = True
    """Whether he lets his browser be remembered."""
    role: Annotated[str, Field(max_length=100)] = ""
    """His part in the opportunity."""
    answers: Annotated[dict[Key, Text | tuple[Text, ...]], Field(max_length=200)] = {}
    """What he answers; to any other question what one may answer."""
    visits: Annotated[tuple[Coming, ...], Field(min_length=1, max_length=MOST)]

    def answer_to(self, question: Question, published: Published, country: str | None) -> list[str]:
        """Return what he types or chooses."""
        given = self.answers.get(question.key)
        if given is not None:
            return [given] if isinstance(given, str) else [*given]
        return [usual_answer(question, published, country)]


def usual(visits: int = 6, gate: str | None = None, who: Who = "anonymous") -> Scenario:
    """Return somebody who answers whatever he is asked, once a week."""
    return Scenario(who=who, visits=(Coming(gate=gate),) * visits)


def usual_answer(question: Question, published: Published, country: str | None) -> str:
    """Return what one may answer: where another question depends on it, so that it is asked."""
    for other in published.all(Question):
        if other.when is not None and other.when.answer.question == question.key:
            return other.when.answer.values[0]
    choices = choices_of(question, "en", country)
    if question.type == "country":
        return "DE"
    if choices:
        return choices[0][0]
    return {
        "number": "100",
        "date": SOME_DAY.isoformat(),
        "phone": "+49 30 123456",
        "company": "Example Ltd",
        "job-title": "Head of Purchasing",
    }.get(question.type, "An example")


def read_scenario(path: Path) -> Scenario:
    """Return the scenario of a YAML file; raise DocumentError with every fault and its line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        says = f"cannot be read: {error.strerror or error}"
        raise DocumentError(Fault(Place(path.name, 1, "file"), says)) from error
    root, faults = nodes.parse(content, path.name)
    if faults:
        raise DocumentError(*faults)
    try:
        return Scenario.model_validate(_value(root))
    except ValidationError as error:
        raise DocumentError(
            *(
                Fault(
                    Place(path.name, nodes.line_of(root, fault["loc"]), path_text(fault["loc"])),
                    plain(fault),
                )
                for fault in error.errors()
            )
        ) from error


def _value(node: Node) -> Any:
    """Return what a node says: texts, but for what stands there plainly as true or false."""
    if isinstance(node, Scalar):
        return {"true": True, "false": False}.get(node.text, node.text) if node.plain else node.text
    if isinstance(node, Listing):
        return [_value(item) for item in node.items]
    entries: Mapping[str, Node] = getattr(node, "entries", {})
    return {key: _value(below) for key, below in entries.items()}
