"""A score as prose: what gives points, how they fade, and what its thresholds are called."""

from collections.abc import Iterator
from dataclasses import dataclass

from regportal.buying.asking import Teller
from regportal.buying.schema import Condition
from regportal.buying.scores.schema import Deed, DeedGroup, Limits, Score, Trait
from regportal.buying.voice import Voice
from regportal.store.schema import said
from regportal.store.words import N_, NN_

POINTS = NN_("%(num)d point for %(what)s", "%(num)d points for %(what)s")
FADING = N_("%(what)s (at most %(most)d points; half of them are gone after %(span)s):")
RECENCY = N_(
    "At most %(most)d points for having been here lately; half of them are gone after %(span)s."
)
MOMENTUM = N_("At most %(most)d points for doing more this week than in the weeks before.")
SOCIAL = N_("At most %(most)d points for what colleagues of the same company do.")
LEVEL = N_("%(name)s from %(least)d on")


@dataclass(frozen=True, slots=True)
class Part:
    """Points of one sort."""

    head: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoreTold:
    """One score, in sentences."""

    key: str
    label: str
    parts: tuple[Part, ...]
    beside: tuple[str, ...]
    levels: tuple[str, ...]


def score_told(score: Score, teller: Teller) -> ScoreTold:
    """
    Return a score in sentences.

    >>> deeds = {"group": "reading", "half_life": "14d", "at_most": 40}
    >>> deeds["points"] = [{"event": "download", "points": 10, "max": {"24h": 2}}]
    >>> told = score_told(Score(key="fit", behaviour=[deeds], thresholds={"hot": 30}), Teller())
    >>> told.parts[0].head
    'Reading (at most 40 points; half of them are gone after 14 days):'
    >>> told.parts[0].lines, told.levels
    (('10 points for a download, at most 2 in 24 hours',), ('hot from 30 on',))
    """
    voice = teller.voice
    parts = []
    if score.profile:
        traits = tuple(_trait(one, teller) for one in score.profile.points)
        parts.append(Part(voice.says(N_("Who somebody is:")), traits))
    parts += [_group(one, teller) for one in score.behaviour]
    return ScoreTold(
        key=score.key,
        label=said(score.label, voice.locale) if score.label else score.key,
        parts=tuple(parts),
        beside=tuple(_beside(score, voice)),
        levels=tuple(voice.says(LEVEL, name=name, least=at) for name, at in score.levels),
    )


def _trait(trait: Trait, teller: Teller) -> str:
    """Return what one trait gives."""
    asks = (trait.answer or trait.field).model_dump(by_alias=True, exclude_none=True)  # type: ignore[union-attr] # one of them is there
    condition = Condition.model_validate({"answer" if trait.answer else "field": asks})
    return teller.voice.counts(POINTS, trait.points, what=teller.asked(condition))


def _group(group: DeedGroup, teller: Teller) -> Part:
    """Return what deeds of one group give."""
    voice = teller.voice
    name = said(group.label, voice.locale) if group.label else group.group.capitalize()
    span = voice.long(group.half_life)
    head = voice.says(FADING, what=name, most=group.at_most, span=span)
    return Part(head, tuple(_deed(one, teller) for one in group.points))


def _deed(deed: Deed, teller: Teller) -> str:
    """Return what one deed gives, and how often."""
    where = {"category": deed.where.category} if deed.where else None
    told = {"event": deed.event, "where": where, "watched": deed.watched}
    what = teller.done(Condition.model_validate(told))
    line = teller.voice.counts(POINTS, deed.points, what=what)
    return line if deed.limits is None else _limited(line, deed.limits, teller.voice)


def _limited(line: str, limits: Limits, voice: Voice) -> str:
    """Return a line with how often the same counts."""
    for most, span in ((limits.a_day, "24h"), (limits.a_week, "7d")):
        if most is not None:
            often = N_("%(line)s, at most %(most)d in %(span)s")
            line = voice.says(often, line=line, most=most, span=voice.long(span))
    return line


def _beside(score: Score, voice: Voice) -> Iterator[str]:
    """Yield what gives points beside traits and deeds."""
    temporal = score.temporal
    if temporal and temporal.recency:
        span = voice.long(temporal.recency.half_life)
        yield voice.says(RECENCY, most=temporal.recency.at_most, span=span)
    if temporal and temporal.momentum:
        yield voice.says(MOMENTUM, most=temporal.momentum.at_most)
    if score.social:
        yield voice.says(SOCIAL, most=score.social.at_most)
