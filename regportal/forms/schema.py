"""What marketers write down about gates and questions."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from regportal.store.schema import (
    Document,
    Key,
    Prose,
    Site,
    Span,
    Text,
    paragraphs,
    refuse_twice,
    said,
)

QuestionType = Literal[
    "text",
    "choice",
    "choices",
    "yes-no",
    "number",
    "date",
    "phone",
    "company",
    "job-title",
    "country",
    "region",
    "timeframe",
]
Planner = Literal["order", "value"]
Code = Annotated[str, Field(min_length=1, max_length=64)]
TIMEFRAMES = ("0-3m", "3-6m", "6-12m", "later")
"""What a question of that type lets one choose from, where it names nothing else."""


class Answered(BaseModel):
    """That another question was answered with one of these values."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    question: Key
    values: Annotated[tuple[Code, ...], Field(alias="in", min_length=1)]


class When(BaseModel):
    """What must hold before a question is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    answer: Answered


class Declined(BaseModel):
    """What happens after somebody would rather not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    again_after: Span = "90d"
    at_most: Annotated[int, Field(ge=1, le=20)] = 3


class Question(Document):
    """One thing we may ask, at every gate that lists it."""

    kind: ClassVar[str] = "question"
    label: Text
    type: QuestionType
    why: Text | None = None
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    purpose: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    choices: dict[Code, Text] | None = None
    ask_again_after: Span | None = None
    sensitive: bool = False
    expected: Annotated[int, Field(ge=1, le=99)] | None = None
    declined: Declined = Declined()
    crm_field: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,79}$")] | None = None
    when: When | None = None

    @model_validator(mode="after")
    def _choices_where_they_belong(self) -> Self:
        """Refuse a choice with nothing to choose from; other types bring their own."""
        needs = self.type in {"choice", "choices"}
        if needs and not self.choices:
            raise ValueError(f"a question of type {self.type} needs choices")
        if self.choices and not needs and self.type != "timeframe":
            raise ValueError(f"a question of type {self.type} has no choices")
        return self


class Gate(Document):
    """What stands before an asset."""

    kind: ClassVar[str] = "gate"
    asset: Key
    headline: Text
    text: Text | None = None
    abstract: Prose | None = None
    questions: tuple[Key, ...] = ()
    planner: Planner = "order"
    newsletters: tuple[Key, ...] = ()
    delivery: Literal["instant", "mail"] = "instant"
    addresses: Literal["any", "business", "no-disposable"] = "any"
    per_visit: Annotated[int, Field(ge=0, le=20)] = 1
    answer: Literal["optional", "required"] = "optional"
    kiosk: bool | None = None

    def abstract_in(self, locale: str) -> list[str]:
        """Return the paragraphs of its abstract in a language; none where it has no abstract."""
        return paragraphs(said(self.abstract, locale)) if self.abstract else []

    def stands_at_kiosk(self, site: Site) -> bool:
        """Return whether it stands open to passers-by: no cookies, and the file goes by mail."""
        return site.kiosk if self.kiosk is None else self.kiosk

    def hands_over(self, site: Site, *, proven: bool) -> bool:
        """
        Return whether a browser gets the file itself, not only word of a mail.

        This alone decides it: when a form is sent, on the page after it, and for every byte.
        """
        return proven or (self.delivery == "instant" and not self.stands_at_kiosk(site))


class Arm(BaseModel):
    """One of the ways that an experiment compares; the first is what stands without it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: Key
    label: Text | None = None
    why: Text | None = None
    questions: tuple[Key, ...] | None = None
    planner: Planner | None = None

    @property
    def changes(self) -> frozenset[str]:
        """Return what is different in it."""
        return frozenset(self.model_fields_set - {"key"})


class Experiment(Document):
    """Two or more wordings of a question, or orders of a gate, shown side by side."""

    kind: ClassVar[str] = "experiment"
    question: Key | None = None
    gate: Key | None = None
    arms: Annotated[tuple[Arm, ...], Field(min_length=2, max_length=6)]
    matures: Span = "7d"
    sure: Annotated[int, Field(ge=80, le=99)] = 95
    guard: Annotated[int, Field(ge=1, le=50)] = 5

    @property
    def control(self) -> Arm:
        """Return the arm that the others are compared with."""
        return self.arms[0]

    @model_validator(mode="after")
    def _compares(self) -> Self:
        """Refuse an experiment with nothing to compare, or with two things at once."""
        if (self.question is None) == (self.gate is None):
            raise ValueError("needs either question or gate")
        refuse_twice("arms", "arms", "key", [arm.key for arm in self.arms])
        if self.control.changes:
            raise ValueError("the first of its arms is what stands without it: only a key")
        about = OF_QUESTION if self.question is not None else OF_GATE
        for arm in self.arms[1:]:
            if not arm.changes or not arm.changes <= about:
                names = " or ".join(sorted(about))
                raise ValueError(f"the arm {arm.key!r} needs {names}, and nothing else")
        return self


OF_QUESTION = frozenset({"label", "why"})
OF_GATE = frozenset({"questions", "planner"})
