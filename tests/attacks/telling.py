"""How well somebody who measures can tell two kinds of answers apart."""


def auc(first, second):
    """
    Return how well one number tells two kinds apart: 0.5 is not at all, 1 is always.

    The chance that of two, one of each kind, the first has the higher number (Mann and Whitney).
    """
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks, place = [0.0, 0.0], 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        for _, kind in ranked[place:end]:
            ranks[kind] += (place + 1 + end) / 2
        place = end
    return (ranks[0] - len(first) * (len(first) + 1) / 2) / (len(first) * len(second))
