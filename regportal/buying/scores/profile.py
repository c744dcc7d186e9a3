"""What somebody's profile gives: points for what he told us, none for what we do not know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from regportal.buying.scores.rules import OF_TYPE
from regportal.buying.scores.schema import AnswerIs, FieldIs, Profile
from regportal.buying.scores.titles import level_of
from regportal.identity.addresses import read_address


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a person: his answers by question, and fields by their names."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)

    def of(self, asks: AnswerIs | FieldIs) -> Any:
        """Return what is known of what is asked; None: nothing."""
        known = self.answers if isinstance(asks, AnswerIs) else self.fields
        return known.get(asks.subject)


class Line(NamedTuple):
    """What one line of a profile came to; ``known`` is None where nobody told us."""

    subject: str
    points: int
    known: Any
    fits: bool


def facts_of(email: str, answers: Sequence[tuple[str, str, Any]]) -> Facts:
    """
    Return what is known of a person: his address, and (question, its type, value), oldest first.

    >>> facts = facts_of("ann@acme.example", [("role", "job-title", "Head of Sales")])
    >>> facts.fields["level"], facts.fields["address"], facts.answers
    ('director', 'business', {'role': 'Head of Sales'})
    """
    fields = {name: says for _, kind, value in answers for name, says in fields_of(kind, value)}
    fields["address"] = address_kind(email)
    known = {name: value for name, value in fields.items() if value is not None}
    return Facts({question: value for question, _, value in answers}, known)


def fields_of(kind: str, value: Any) -> Iterator[tuple[str, Any]]:
    """
    Yield what an answer to a question of a type says under standard names.

    >>> [*fields_of("job-title", "Head of Sales")], [*fields_of("number", 7)]
    ([('job-title', 'Head of Sales'), ('level', 'director')], [])
    """
    if kind in OF_TYPE:
        yield kind, value
    if kind == "job-title":
        yield "level", level_of(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def address_kind(email: str) -> str | None:
    """
    Return what kind of address it is.

    >>> [address_kind(f"ann@{domain}") for domain in ("acme.example", "gmail.com", "yopmail.com")]
    ['business', 'free', 'disposable']
    """
    try:
        address = read_address(email)
    except ValueError:  # from a CRM that takes anything
        return None
    if address.is_disposable:
        return "disposable"
    return "free" if address.is_free else "business"


def lines_of(profile: Profile | None, facts: Facts) -> list[Line]:
    """Return every line of a profile, with what is known of it."""
    found = []
    for trait in profile.points if profile else ():
        known = facts.of(trait.asks)
        found.append(Line(trait.asks.subject, trait.points, known, _fits(trait.asks, known)))
    return found


def points_of(profile: Profile | None, facts: Facts) -> int:
    """
    Return what a profile gives; what nobody told us gives nothing and takes nothing.

    >>> rule = {"field": {"name": "level", "in": ["director", "vp"]}, "points": 20}
    >>> profile = Profile.model_validate({"points": [rule]})
    >>> points_of(profile, Facts(fields={"level": "vp"})), points_of(profile, Facts())
    (20, 0)
    """
    if profile is None:
        return 0
    given = sum(one.points for one in profile.points if _fits(one.asks, facts.of(one.asks)))
    return max(profile.at_least, min(profile.at_most, given))


def unknown_in(profile: Profile | None, facts: Facts) -> list[str]:
    """Return what a profile asks for and nobody told us, each once."""
    unknown = [line.subject for line in lines_of(profile, facts) if line.known is None]
    return list(dict.fromkeys(unknown))


def _fits(asks: AnswerIs | FieldIs, known: Any) -> bool:
    """
    Return whether what is known is what is asked for.

    >>> _fits(AnswerIs(question="seats", at_least=100), 250)
    True
    >>> _fits(AnswerIs(question="uses", equals="erp"), ["crm", "erp"])
    True
    """
    if known is None:
        return False
    if asks.known:
        return True
    if isinstance(asks, AnswerIs) and not asks.wanted:
        return _between(asks, known)
    values = known if isinstance(known, list) else [known]
    return any(str(value) in asks.wanted for value in values)


def _between(asks: AnswerIs, known: Any) -> bool:
    """Return whether an answer is a number within the bounds."""
    if isinstance(known, bool) or not isinstance(known, int | float):
        return False
    return (asks.at_least is None or known >= asks.at_least) and (
        asks.at_most is None or known <= asks.at_most
    )
