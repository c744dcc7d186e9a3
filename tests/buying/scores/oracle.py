"""A score by its definition, worked out from every sign each time: slow, and plain to see."""

import math

from regportal.store.schema import span

DAY = 86_400.0


def counted(deed, signs):
    """The moments of the signs that count for a rule: the first ones, where there is a limit."""
    caps = []
    if deed.limits:
        caps = [(deed.limits.a_day, DAY), (deed.limits.a_week, 7 * DAY)]
    found = []
    for _, _, at, *_ in concerned(deed, signs):
        if all(
            most is None or sum(at - length < one <= at for one in found) < most
            for most, length in caps
        ):
            found.append(at)
    return found


def concerned(deed, signs):
    """The signs a line is about, oldest first; of films those by which so much was seen."""
    about = [
        sign
        for sign in sorted(signs, key=lambda sign: (sign[2], sign[3]))
        if sign[0] == deed.event and (not deed.categories or sign[1] in deed.categories)
    ]
    if deed.watched is None:
        return about
    least = int(deed.watched.removesuffix("%"))
    ever = [share_seen(about[: place + 1]) for place in range(len(about))]
    return [
        sign
        for place, sign in enumerate(about)
        if ever[place] >= least
        and all(
            ever[before] < least for before in range(place) if about[before][4][0] == sign[4][0]
        )
    ]


def share_seen(signs):
    """How much was seen, until the last of these signs, of the film that it is about."""
    thing = signs[-1][4][0]
    films = [film for *_, (name, film) in signs if name == thing]
    lengths = [film.length for film in films if film.length]
    if not lengths:
        return 0
    seconds = {at for film in films for cut, end in film.stretches for at in range(cut, end, 1000)}
    return 100 * 1000 * len([at for at in seconds if at < lengths[-1]]) / lengths[-1]


def faded(given, at, half_life):
    return math.fsum(points * 2 ** ((when - at) / half_life) for points, when in given)


def fixed(score, kind):
    """What a profile of nothing but an address gives."""
    if score.profile is None:
        return 0
    given = sum(one.points for one in score.profile.points if one.field.equals == kind)
    return min(score.profile.at_most, max(score.profile.at_least, given))


def parts(score, fixed, signs, at):
    """Profile, behaviour and temporal part of a score at a moment after every sign."""
    behaviour, lately, touched = 0.0, [], []
    for group in score.behaviour:
        length = span(group.half_life).total_seconds()
        given = [(deed.points, when) for deed in group.points for when in counted(deed, signs)]
        gained = faded([one for one in given if one[0] > 0], at, length)
        lost = faded([(-one[0], one[1]) for one in given if one[0] < 0], at, length)
        behaviour += min(group.at_most, gained) - lost
        lately += [one for one in given if one[0] > 0]
        touched += [
            sign[2] for deed in group.points for sign in concerned(deed, signs) if deed.points > 0
        ]
    if not score.behaviour:
        lately, touched = [(1, sign[2]) for sign in signs], [sign[2] for sign in signs]
    temporal = 0.0
    if score.temporal and score.temporal.recency and touched:
        length = span(score.temporal.recency.half_life).total_seconds()
        temporal += score.temporal.recency.at_most * 2 ** ((max(touched) - at) / length)
    if score.temporal and score.temporal.momentum:
        pulse = faded(lately, at, 7 * DAY) / max(1.0, faded(lately, at, 28 * DAY))
        temporal += score.temporal.momentum.at_most * pulse
    return float(fixed), behaviour, temporal


def total(score, fixed, signs, at):
    return min(100.0, max(0.0, sum(parts(score, fixed, signs, at))))
