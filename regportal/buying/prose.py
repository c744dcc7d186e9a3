"""A buying model as prose: what enters each phase and what ends it, in sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from regportal.buying.asking import Teller
from regportal.buying.lint import unreached, ways_of
from regportal.buying.schema import Buying, Condition, Enter, Phase
from regportal.buying.vocabulary import COMBINED, Prefix
from regportal.buying.voice import Voice
from regportal.buying.words import Deed, Ground, called, sentence
from regportal.store.words import N_, NN_

HEADS = {
    "any": N_("one of these is enough:"),
    "all": N_("all of these must hold:"),
    "none": N_("none of these may hold:"),
}
"""What stands above several conditions."""
ENTERS = N_("An opportunity enters %(phase)s as soon as this holds:")
BEGINS = N_("Every opportunity begins here.")
NEVER = N_("No rule leads here.")
FALLEN = N_("Whoever is here fell back to it: nobody arrives from below.")
LEAVES = N_("It falls back to %(phase)s as soon as this holds:")
STAYS = N_("It stays here for at least %(span)s.")
LASTS = N_("It never falls back from here by itself.")
SOMEBODY, SOME_DAY = "ann@example.com", datetime(2026, 3, 4, 10, 12, tzinfo=UTC)
OTHERS = (SOMEBODY, "bob@example.com", "cy@example.com")
"""Who does what in an example."""


@dataclass(frozen=True, slots=True)
class Told:
    """Several conditions under one head."""

    head: str
    lines: "tuple[str | tuple[Told, ...], ...]"
    """A sentence each; where several are put together, what those are."""


@dataclass(frozen=True, slots=True)
class PhaseTold:
    """One phase, in sentences."""

    key: str
    label: str
    enters: str
    entry: tuple[Told, ...]
    leaves: str
    """Where it falls back to; or that it does not."""
    exit: tuple[Told, ...]
    beside: tuple[str, ...]
    """What else must hold."""
    example: str
    """Why an opportunity is here, as it would be told (in English, as every reason is)."""


def model_told(
    model: Buying, teller: Teller, titles: Mapping[str, str] | None = None
) -> Iterator[PhaseTold]:
    """
    Yield each phase of a model in sentences; ``titles`` are of assets by their category.

    >>> call = Condition(event="call", within="7d")
    >>> phases = (Phase(id="cold"), Phase(id="warm", enter=Enter(any=(call,))))
    >>> cold, warm = model_told(Buying(phases=phases), Teller())
    >>> cold.enters, warm.enters, warm.entry[0].lines
    ('Every opportunity begins here.', 'An opportunity enters Warm as soon as this holds:', ('a
    call within 7 days',))
    >>> warm.example
    'Warm since 4 Mar 2026 10:12: ann@example.com talked on the phone about something (1 needed in
    7 days)'
    """
    for place, phase in enumerate(model.phases):
        yield _phase(model, place, phase, teller, titles or {})


def name_of(model: Buying, phase: str, voice: Voice) -> str:
    """Return what people call a phase, in their language."""
    return voice.says(called(model, phase, voice.locale))


def group_told(group: Enter | Condition, teller: Teller) -> tuple[Told, ...]:
    """Return the conditions of an entry or exit, in sentences."""
    found = []
    for how in COMBINED:
        lines = tuple(
            teller.asked(each) if each.kind else group_told(each, teller)
            for each in getattr(group, how)
        )
        is_alone = len(lines) == 1 and how != "none"
        if lines:
            found.append(Told("" if is_alone else teller.voice.says(HEADS[how]), lines))
    return tuple(found)


def example(
    model: Buying, phase: Phase, teller: Teller, titles: Mapping[str, str] | None = None
) -> str:
    """Return why an opportunity could be in a phase, as the reason of a move would say it."""
    ways = ways_of(phase.enter) if phase.enter else []
    if not ways:
        return ""
    plain = Teller(Voice(labels=teller.voice.labels), teller.title_of)
    grounds = [
        _ground(each, titles or {}, plain) if wanted else plain.asked(each, unwanted=True)
        for each, wanted in ways[0]
    ]
    return sentence(called(model, phase.id), SOME_DAY, grounds, model.zone)


def _ground(condition: Condition, titles: Mapping[str, str], teller: Teller) -> Ground | str:
    """Return how a condition could come to hold."""
    if not condition.event:
        return teller.asked(condition)
    named = condition.where.object if condition.where else None
    if isinstance(named, Prefix):
        what = f"{named.prefix}…"
    elif named:
        what = teller.title_of(named if isinstance(named, str) else named[0])
    else:
        kinds = condition.categories
        what = next((titles[one] for one in kinds if one in titles), kinds[0] if kinds else "")
    least = condition.count.at_least
    who = OTHERS if condition.by == "distinct_contacts" else (SOMEBODY,)
    deeds = tuple(
        Deed(who[number % len(who)], condition.event, what or "something")
        for number in range(least)
    )
    return Ground(deeds, least, condition.within, condition.share)


def _phase(
    model: Buying, place: int, phase: Phase, teller: Teller, titles: Mapping[str, str]
) -> PhaseTold:
    """Return one phase in sentences."""
    voice = teller.voice
    label = name_of(model, phase.id, voice)
    if phase.enter:
        enters = voice.says(ENTERS, phase=label)
    else:
        lost = NEVER if place in {*unreached(model)} else FALLEN
        enters = voice.says(lost if place else BEGINS)
    if phase.exit and place:
        down = phase.falls_to or model.phases[place - 1].id
        leaves = voice.says(LEAVES, phase=name_of(model, down, voice))
    else:
        leaves = voice.says(LASTS) if place else ""
    return PhaseTold(
        key=phase.id,
        label=label,
        enters=enters,
        entry=group_told(phase.enter, teller) if phase.enter else (),
        leaves=leaves,
        exit=group_told(phase.exit, teller) if phase.exit else (),
        beside=tuple(_beside(phase, voice)),
        example=example(model, phase, teller, titles),
    )


def _beside(phase: Phase, voice: Voice) -> Iterator[str]:
    """Yield what a phase asks beside its conditions."""
    if not phase.min_stay.startswith("0"):
        yield voice.says(STAYS, span=voice.long(phase.min_stay))
    group = phase.group
    if group is None:
        return
    if group.quorum is not None:
        forms = NN_(
            "At least %(num)d person must have come as far by himself.",
            "At least %(num)d people must have come as far by themselves.",
        )
        yield voice.counts(forms, group.quorum)
    elif group.any_role is not None:
        roles = voice.either([voice.role(one) for one in group.any_role])
        yield voice.says(
            N_("Somebody in the part of %(role)s must have come as far by himself."), role=roles
        )
    elif group.weighted is not None:
        weights = voice.listed(f"{voice.role(one)} {many}" for one, many in group.weighted.items())
        yield voice.says(
            N_("Those who have come as far by themselves must weigh %(least)d (%(weights)s)."),
            least=group.at_least,
            weights=weights,
        )
