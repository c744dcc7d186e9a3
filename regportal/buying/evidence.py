"""Why a phase moved, as it is kept: the conditions that held, and keys; no names, no answers."""

import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from regportal.buying.counting import Met
from regportal.buying.rules import Step
from regportal.buying.schema import Condition
from regportal.buying.vocabulary import percent
from regportal.buying.voice import ENGLISH, Voice
from regportal.buying.words import Deed, Ground, come_as_far, ground_of


def kept(because: Iterable[Met]) -> list[dict[str, Any]]:
    """
    Return the evidence of a step as JSON: one object for each condition.

    One about interactions says which (``event``, ``category``, ``at_least``, ``within``,
    ``interactions``, and ``watched`` where it asks how much of a film). Any other is the
    ``condition`` as the document has it, with whose it is (``people``), or ``absent`` where it must
    not hold, and does not.

    >>> silent = Condition.model_validate({"quiet": {"for": "30d"}})
    >>> kept([Met(silent)])
    [{'condition': {'quiet': {'for': '30d'}}, 'interactions': [], 'people': []}]
    """
    return [_kept(met) for met in because]


def _kept(met: Met) -> dict[str, Any]:
    """Return one condition as it is kept."""
    if met.condition.event and not met.absent:
        watched = met.condition.watched
        return {
            "event": met.condition.event,
            "category": list(met.condition.categories) or None,
            "at_least": met.condition.count.at_least,
            "within": met.condition.within,
            "interactions": [str(sign) for sign in met.signs],
        } | ({"watched": watched} if watched else {})
    told = {
        "condition": met.condition.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "interactions": [],
        "people": [str(who) for who, _ in met.told if who != ""],
    }
    return told | {"absent": True} if met.absent else told


def kept_step(step: Step | None) -> list[dict[str, Any]]:
    """Return the evidence of a step, and who of the group had come as far where that was asked."""
    if step is None:
        return []
    group = [{"group": [str(who) for who in step.group], "interactions": []}]
    return [*kept(step.because), *(group if step.group else ())]


def kept_override(override: uuid.UUID, ends: str | None = None) -> list[dict[str, Any]]:
    """Return as evidence that somebody said so over the rules, or how that ended."""
    return [{"override": str(override), "ends": ends, "interactions": []}]


def kept_denials(words: Iterable[uuid.UUID]) -> list[dict[str, Any]]:
    """Return as evidence the words by which something became nobody's."""
    return [{"denial": str(word), "interactions": []} for word in words]


def people_in(evidence: Iterable[Mapping[str, Any]]) -> list[uuid.UUID]:
    """Return who is behind conditions that are about people, not about what they did."""
    return [uuid.UUID(one) for part in evidence for one in part.get("people", ())]


def named_in(evidence: Iterable[Mapping[str, Any]]) -> list[uuid.UUID]:
    """Return everybody whom the words of evidence name beside those who did what it counts."""
    told = [*evidence]
    group = [uuid.UUID(one) for part in told for one in part.get("group", ())]
    return [*people_in(told), *group]


def grounds(
    evidence: Iterable[Mapping[str, Any]],
    deeds: Mapping[str, Deed],
    name_of: Callable[[Hashable], str],
    word_of: Callable[[Mapping[str, Any]], str],
    voice: Voice = ENGLISH,
) -> list[Ground | str]:
    """
    Return what is kept in words; what is no longer there to be named is left out.

    ``word_of`` says what is kept of what people said.
    """
    return [
        word_of(part)
        if "override" in part or "denial" in part
        else _ground(part, deeds, name_of, voice)
        for part in evidence
    ]


def _ground(
    part: Mapping[str, Any],
    deeds: Mapping[str, Deed],
    name_of: Callable[[Hashable], str],
    voice: Voice,
) -> Ground | str:
    """Return one condition in words, or that others have come as far."""
    if "group" in part:
        return come_as_far([name_of(who) for who in part["group"]], voice)
    if "condition" not in part:
        done = tuple(deeds[each] for each in part["interactions"] if each in deeds)
        return Ground(done, part["at_least"], part["within"], percent(part.get("watched")))
    condition = Condition.model_validate(part["condition"])
    met = Met(
        condition,
        told=tuple((each, "") for each in part["people"]),
        absent=part.get("absent", False),
    )
    return ground_of(met, lambda sign: deeds[str(sign)], name_of, voice)
