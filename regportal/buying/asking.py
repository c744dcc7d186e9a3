"""What a rule asks for, and what is still missing of it, in words that people read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from regportal.buying.facts import when
from regportal.buying.lacking import Behind, Lack, Missing
from regportal.buying.schema import Condition, Prefix
from regportal.buying.words import in_words, moment_in_words

NOUNS = {
    "page_view": "page view",
    "price_lookup": "price lookup",
    "video_watch": "video play",
    "form": "filled-in form",
}
"""What a deed is called, where that is not its type."""
PLURALS = {"search": "searches", "reply": "replies"}
PREPOSITIONS = {"search": "for", "reply": "to"} | dict.fromkeys(
    ("form", "call", "meeting", "ticket"), "about"
)


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells what is missing, with moments of a zone."""

    zone: tzinfo = UTC
    title_of: Callable[[str], str] = str
    """What people call an asset or a page."""

    def tell(self, missing: Missing) -> str:
        """
        Return what is missing, in words.

        >>> from regportal.buying.lacking import Lacks
        >>> teller = Teller()
        >>> call = Lack(Condition.model_validate({"event": "call", "within": "7d"}))
        >>> silent = Lack(Condition.model_validate({"quiet": {"for": "30d"}}))
        >>> teller.tell(Lacks("all", (call, Lacks("any", (silent, call)))))
        'a call within 7 days (0 of 1), and [nobody does anything for 30 days, or a call within
        7 days (0 of 1)]'
        """
        if isinstance(missing, Behind):
            return _behind(missing)
        if isinstance(missing, Lack):
            return self._unwanted(missing) if missing.unwanted else self._lack(missing)
        glue = ", or " if missing.how == "any" else ", and "
        parts = (
            self.tell(part) if isinstance(part, (Lack, Behind)) else f"[{self.tell(part)}]"
            for part in missing.parts
        )
        return glue.join(parts)

    def moment(self, at: datetime) -> str:
        """Return a moment as people say it."""
        return moment_in_words(at, self.zone)

    def _lack(self, lack: Lack) -> str:
        """Return what is missing of a condition that must hold."""
        condition, until = lack.condition, lack.until
        if condition.quiet and until is not None:
            return f"nobody does anything until {self.moment(when(until))}"
        if not condition.event:
            return self.asked(condition)
        least = condition.count.at_least
        counted = f"{lack.have} of {least}"
        if lack.spent is not None:
            counted += f"; what was done until {self.moment(when(lack.spent))} is spent"
        if until is None:
            return f"{self.asked(condition)} ({counted})"
        number = least - lack.have
        whom = {"same_contact": " by the same person", "distinct_contacts": " by somebody else"}
        return (
            f"{number} more {_noun(condition, number)}{self._about(condition)}"
            f"{whom.get(condition.by, '')} until {self.moment(when(until))} ({counted})"
        )

    def _unwanted(self, lack: Lack) -> str:
        """Return what must end, and when it does."""
        condition = lack.condition
        asked = self.asked(condition)
        several = condition.count.at_least > 1
        if condition.quiet:
            return "somebody does something"
        if condition.role:
            return asked.replace("somebody", "nobody", 1)
        if condition.event and several:
            said = f"fewer than {asked}"
        elif condition.event or condition.answer or condition.score:
            said = f"no {asked.partition(' ')[2]}"
        else:
            said = f"not {asked}"
        if lack.until is None:
            return said
        there = "are so many" if several else "is such a one"
        return f"{said} (there {there} until {self.moment(when(lack.until))})"

    # --- one condition ---

    def asked(self, condition: Condition) -> str:
        """
        Return what a condition asks for.

        >>> taken = {"event": "download", "where": {"category": ["order-form", "contract"]}}
        >>> often = {"event": "price_lookup", "count": {"at_least": 3}, "by": "same_contact"}
        >>> known = {"answer": {"question": "timeframe", "in": ["0-3m", "3-6m"], "within": "9d"}}
        >>> lately = {"crm": {"stage": "Recycled", "within": "30d"}}
        >>> held = {"field": {"name": "country", "in": ["DE", "AT"]}}
        >>> for told in (taken, often | {"within": "14d"}, known, lately, held, {"role": "user"}):
        ...     print(Teller().asked(Condition.model_validate(told)))
        a download of an order form or a contract within 730 days
        3 price lookups by one person within 14 days
        an answer to timeframe (0-3m or 3-6m) that is not older than 9 days
        the stage Recycled in the CRM for less than 30 days
        country: AT or DE
        somebody in the part of user
        """
        if condition.event:
            return f"{self._done(condition)} within {in_words(condition.within)}"
        return TOLD[str(condition.kind)](condition)

    def _done(self, condition: Condition) -> str:
        """Return what must have been done, how often and by whom."""
        least = condition.count.at_least
        noun = _noun(condition, least)
        often = one(noun) if least == 1 else f"{least} {noun}"
        whom = {"same_contact": " by one person", "distinct_contacts": " by different people"}
        by = whom.get(condition.by, "") if least > 1 else ""
        return f"{often}{self._about(condition)}{by}"

    def _about(self, condition: Condition) -> str:
        """Return what it must be about, with a blank before it."""
        where = condition.where
        if where is None:
            return ""
        told = ""
        if isinstance(where.category, Prefix):
            told = f"a category that begins with {where.category.prefix}"
        elif where.category is not None:
            told = either([one(name.replace("-", " ")) for name in condition.categories])
        things = where.object
        if isinstance(things, Prefix):
            named = f"what begins with {things.prefix}"
        else:
            listed = (things,) if isinstance(things, str) else things or ()
            named = either([self.title_of(each) for each in listed])
        about = f"{told} ({named})" if told and named else told or named
        return f" {PREPOSITIONS.get(str(condition.event), 'of')} {about}"


def either(names: Sequence[str]) -> str:
    """
    Return several of which one will do.

    >>> either(["a", "b", "c"]), either(["a"]), either([])
    ('a, b or c', 'a', '')
    """
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def one(noun: str) -> str:
    """
    Return one of something.

    >>> one("order form"), one("contract")
    ('an order form', 'a contract')
    """
    return f"{'an' if noun[:1].lower() in {*'aeiou'} else 'a'} {noun}"


def _noun(condition: Condition, number: int) -> str:
    """Return what a deed is called, once or several times."""
    kind = str(condition.event)
    noun = NOUNS.get(kind, kind.removeprefix("custom:"))
    return noun if number == 1 else PLURALS.get(kind, f"{noun}s")


def _silence(condition: Condition) -> str:
    """Return for how long nobody must do anything."""
    told = condition.quiet
    assert told is not None  # noqa: S101 - TOLD is asked by kind
    return f"nobody does anything for {in_words(told.span)}"


def _answer(condition: Condition) -> str:
    """Return which answer a condition asks for."""
    told = condition.answer
    assert told is not None  # noqa: S101 - TOLD is asked by kind
    bounds = {"at least": told.at_least, "at most": told.at_most}
    ranged = " and ".join(f"{how} {limit}" for how, limit in bounds.items() if limit is not None)
    said = either(sorted(told.wanted or ())) or ranged
    young = f" that is not older than {in_words(told.within)}" if told.within else ""
    return f"an answer to {told.question}{f' ({said})' if said else ''}{young}"


def _score(condition: Condition) -> str:
    """Return how high somebody's score must be."""
    told = condition.score
    assert told is not None  # noqa: S101 - TOLD is asked by kind
    return f"a score of at least {told.at_least} in {told.name}"


def _field(condition: Condition) -> str:
    """Return what must be known of somebody."""
    told = condition.field
    assert told is not None  # noqa: S101 - TOLD is asked by kind
    return f"{told.name}: {either(sorted(told.wanted or ())) or 'anything known'}"


def _stage(condition: Condition) -> str:
    """Return where the seller must stand."""
    told = condition.crm
    assert told is not None  # noqa: S101 - TOLD is asked by kind
    lately = f" for less than {in_words(told.within)}" if told.within else ""
    stages = f" {either(sorted(told.stages))}" if told.stages else ""
    return f"the stage{stages} in the CRM{lately}"


def _role(condition: Condition) -> str:
    """Return which part somebody must have."""
    roles = (condition.role,) if isinstance(condition.role, str) else condition.role or ()
    return f"somebody in the part of {either(roles)}"


TOLD: dict[str, Callable[[Condition], str]] = {
    "quiet": _silence,
    "answer": _answer,
    "score": _score,
    "field": _field,
    "crm": _stage,
    "role": _role,
}


def _behind(behind: Behind) -> str:
    """Return how many more must come as far."""
    quorum, missing = behind.quorum, behind.steps
    if quorum.roles is not None:
        return f"{either(_parts(quorum.roles))} must come as far by himself"
    counted = f"({behind.have} of {quorum.least}"
    if quorum.weights is not None:
        weights = ", ".join(
            f"{role.replace('_', ' ')} {weight}" for role, weight in quorum.weights.items()
        )
        whom = f"people who weigh {missing} more"
        return f"{whom} must come as far by themselves {counted}: {weights})"
    more = "more " if behind.have else ""
    if missing == 1:
        return f"1 {more}person must come as far by himself {counted})"
    return f"{missing} {more}people must come as far by themselves {counted})"


def _parts(roles: Iterable[str]) -> list[str]:
    """Return somebody in each of these parts."""
    return [one(role.replace("_", " ")) for role in sorted(roles)]
