"""What is different between two wordings of a document, in plain sentences."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regportal.documents.plans import Body, Change, Difference, Name, differences
from regportal.documents.rule_changes import rule_changes
from regportal.store.words import N_, Sentence

SHOWN = 80


def told(change: Change) -> Iterator[str]:
    """
    Yield what is different in a document, a sentence each; of rules condition by condition.

    They are our own words with values in them: `store.words.translated` says them in a language.
    """
    for one in change.differences:
        if (change.name[0], one.key) == ("buying", "phases"):
            yield from rule_changes(one.before, one.after)
        else:
            yield from _sentences(one)


def between(name: Name, before: Body, after: Body) -> list[str]:
    """
    Return what is different between two wordings of one document, a sentence each.

    >>> old = {"headline": "Prices", "questions": ["country", "size"], "per_visit": 1}
    >>> new = {"headline": "All prices", "questions": ["size", "company"], "text": "Two pages."}
    >>> for line in between(("gate", "prices"), old, new):
    ...     print(line)
    headline: "Prices" becomes "All prices"
    questions: "company" is new
    questions: "country" is gone
    per_visit: 1 is gone
    text: "Two pages." is new
    """
    return [*told(Change(name, after, differences(before, after)))]


def _sentences(one: Difference) -> Iterator[str]:
    """Yield what is different under one key."""
    if one.before is None:
        yield Sentence(N_("%(key)s: %(value)s is new"), key=one.key, value=value_shown(one.after))
    elif one.after is None:
        yield Sentence(N_("%(key)s: %(value)s is gone"), key=one.key, value=value_shown(one.before))
    elif _are_words(one.before) and _are_words(one.after):
        yield from _listed(one.key, one.before, one.after)
    elif _is_order(one.before, one.after):
        order = ", ".join(one.after)
        yield Sentence(N_("%(key)s: stands in another order: %(order)s"), key=one.key, order=order)
    else:
        yield Sentence(
            N_("%(key)s: %(before)s becomes %(after)s"),
            key=one.key,
            before=value_shown(one.before),
            after=value_shown(one.after),
        )


def _listed(key: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Yield what came to a list and what went, and whether the rest stands otherwise."""
    for word in after:
        if word not in before:
            yield Sentence(N_("%(key)s: %(value)s is new"), key=key, value=value_shown(word))
    for word in before:
        if word not in after:
            yield Sentence(N_("%(key)s: %(value)s is gone"), key=key, value=value_shown(word))
    if [word for word in before if word in after] != [word for word in after if word in before]:
        order = ", ".join(after)
        yield Sentence(N_("%(key)s: stands in another order: %(order)s"), key=key, order=order)


def _are_words(value: Any) -> bool:
    """Return whether a value is a list of words."""
    return isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)


def _is_order(before: Any, after: Any) -> bool:
    """Return whether only the order of keys is another one."""
    return isinstance(before, Mapping) and before == after


def value_shown(value: Any) -> str:
    """
    Return a value on one line, cut where it is long.

    >>> value_shown({"en": "Prices"}), len(value_shown("x" * 500))
    ('{"en": "Prices"}', 80)
    """
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
