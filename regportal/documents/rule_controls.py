"""
The controls of a rule's sentence, and the rule that their values say.

A control is called by its path in the phase (``enter.any[0].within.number``), so that whatever is
wrong there can be said beside it. What is written, faults and all, is what was sent: a draft holds
it until somebody has put it right. A condition whose controls say the same as before stays as it
was written.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from regportal.buying.vocabulary import COMBINED, EVENTS, KINDS
from regportal.documents.rule_sent import NUMBER, Sent

Body = dict[str, Any]
SPAN = re.compile(r"([0-9]+)(s|m|h|d|mo)")
EVENT_NAMES = tuple(EVENTS.removeprefix("^(").partition("|custom:")[0].split("|"))
"""What a contact can do, but for what a site has named itself."""
OWN = "custom:"
SEVERAL = "several"
"""What a condition is about that puts others together."""
KINDS_CHOSEN = (*KINDS, SEVERAL)
EVER = "730d"
"""Within which a deed counts where nothing is said."""
BEGUN: Mapping[str, Body] = MappingProxyType(
    {
        "event": {"event": "download", "within": "90d"},
        "quiet": {"quiet": {"for": "30d"}},
        "answer": {"answer": {"question": "", "known": True}},
        "score": {"score": {"name": "", "at_least": ""}},
        "field": {"field": {"name": "country", "known": True}},
        "crm": {"crm": {"stage": ""}},
        "role": {"role": "decision maker"},
        SEVERAL: {"any": [{"event": "download", "within": "90d"}]},
    }
)
"""What a new condition says first."""


# --- from controls to what is written ---


def phase_written(sent: Sent, before: Mapping[str, Any], locale: str) -> Body:
    """Return a phase as its controls say it; its key, and what has no control, stay."""
    phase = {
        name: value
        for name, value in before.items()
        if name not in {"label", "enter", "exit", "falls_to", "min_stay", "group"}
    }
    label = sent.text("label")
    worded = before.get("label")
    if isinstance(worded, Mapping):
        phase["label"] = {**worded, language_of(worded, locale): label}
    elif label:
        phase["label"] = label
    for name in ("enter", "exit"):
        if tree := _tree(sent, name, before.get(name) or {}):
            phase[name] = tree
    if sent.text("falls_to"):
        phase["falls_to"] = sent.text("falls_to")
    stay = sent.span("min_stay")
    if stay is not None and not stay.startswith("0"):
        phase["min_stay"] = stay
    elif "min_stay" in before and str(before["min_stay"]).startswith("0"):
        phase["min_stay"] = before["min_stay"]
    if group := _group(sent, before.get("group") or {}):
        phase["group"] = group
    return phase


def language_of(worded: Mapping[str, Any], locale: str) -> str:
    """
    Return in which language a text is edited: one's own, where it is written in that.

    >>> language_of({"en": "Warm", "de": "Warm"}, "de"), language_of({"en": "Warm"}, "ar")
    ('de', 'en')
    """
    return locale if locale in worded else next(iter(worded), locale)


def _tree(sent: Sent, path: str, before: Any) -> Body:
    """Return the conditions of an entry, an exit or a condition that puts others together."""
    how = "all" if sent.text(f"{path}.how") == "all" else "any"
    tree: Body = {}
    for name in COMBINED:
        told = [
            _condition(sent, f"{path}.{name}[{place}]", _at(before, name, place))
            for place in sent.places(f"{path}.{name}")
        ]
        if told:
            tree.setdefault(name if name == "none" else how, []).extend(told)
    return tree


def _at(before: Any, name: str, place: int) -> Any:
    """Return what was written at a place of a list, if anything was."""
    listed = before.get(name) if isinstance(before, Mapping) else None
    return listed[place] if isinstance(listed, list | tuple) and place < len(listed) else None


def _condition(sent: Sent, path: str, before: Any) -> Body:
    """Return one condition; as it was written before where its controls say the same."""
    kind = sent.text(f"{path}.kind")
    if kind == SEVERAL:
        tree = _tree(sent, path, before)
        return tree or {"any": [begun("event")]}
    new = _single(sent, path, kind)
    if isinstance(before, Mapping) and kind_of(before) == kind:
        shown = Sent(controls(before, path))
        if _single(shown, path, kind) == new:
            return dict(before)
    return new


def _single(sent: Sent, path: str, kind: str) -> Body:
    """Return a condition that is about one thing."""
    if kind not in READ or not sent.has(f"{path}.{kind}.is"):
        return begun(kind)  # it was about something else when the page was made
    return READ[kind](sent, path, f"{path}.{kind}")


def _quiet(sent: Sent, _path: str, at: str) -> Body:
    """Return a condition about silence."""
    return {"quiet": {"for": sent.span(f"{at}.for") or ""}}


def _answer(sent: Sent, _path: str, at: str) -> Body:
    """Return a condition about an answer."""
    told: Body = {"question": sent.text(f"{at}.question"), **_values(sent, f"{at}.in")}
    for name in ("at_least", "at_most"):
        told[name] = sent.number(f"{at}.{name}")
    told["within"] = sent.span(f"{at}.within")
    plain = _said(told)
    return {"answer": plain if len(plain) > 1 else {**plain, "known": True}}


def _score(sent: Sent, _path: str, at: str) -> Body:
    """Return a condition about a score: its name and the threshold stand in one control."""
    name, _, least = sent.text(f"{at}.name").rpartition(" ")
    return {"score": {"name": name, "at_least": int(least) if NUMBER.fullmatch(least) else least}}


def _field(sent: Sent, _path: str, at: str) -> Body:
    """Return a condition about what is known."""
    values = _values(sent, f"{at}.in") or {"known": True}
    return {"field": {"name": sent.text(f"{at}.name"), **values}}


def _crm(sent: Sent, _path: str, at: str) -> Body:
    """Return a condition about the stage in the CRM."""
    stages = _one_or_more(sent.listed(f"{at}.stage"))
    return {"crm": _said({"stage": stages, "within": sent.span(f"{at}.within")})}


def _role(sent: Sent, _path: str, at: str) -> Body:
    """Return a condition about a part in the purchase."""
    return {"role": _one_or_more(sent.listed(f"{at}.is")) or ""}


def _event(sent: Sent, path: str, at: str) -> Body:
    """Return a condition about what somebody did."""
    event = sent.text(f"{at}.is")
    if event == OWN:
        event = f"{OWN}{sent.text(f'{at}.own')}"
    where: Body = {}
    for name in ("category", "object"):
        prefix, listed = sent.text(f"{at}.{name}.prefix"), sent.listed(f"{at}.{name}")
        if listed or prefix:
            where[name] = _one_or_more(listed) if listed else {"prefix": prefix}
    told: Body = {"event": event, "where": where or None}
    least = sent.number(f"{path}.count")
    told["count"] = None if least in (None, 1) else {"at_least": least}
    told["within"] = sent.span(f"{path}.within")
    by = sent.text(f"{path}.by")
    told["by"] = None if by in {"", "any_contact"} else by
    share = sent.text(f"{path}.watched")
    told["watched"] = f"{share}%" if share and event == "video_watch" else None
    if told["within"] == EVER:
        told["within"] = None
    return _said(told)


READ: Mapping[str, Callable[[Sent, str, str], Body]] = MappingProxyType(
    {
        "event": _event,
        "quiet": _quiet,
        "answer": _answer,
        "score": _score,
        "field": _field,
        "crm": _crm,
        "role": _role,
    }
)
"""How a condition about each is read."""


def _values(sent: Sent, path: str) -> Body:
    """Return one value, or several of which one will do; nothing where any will."""
    listed = sent.listed(path)
    if not listed:
        return {}
    return {"equals": listed[0]} if len(listed) == 1 else {"in": listed}


def _one_or_more(listed: Sequence[str]) -> str | list[str] | None:
    """Return a list as it is written: one alone, several as a list."""
    return None if not listed else listed[0] if len(listed) == 1 else [*listed]


def _said(told: Body) -> Body:
    """Leave out what nobody said."""
    return {name: value for name, value in told.items() if value is not None}


def _group(sent: Sent, before: Mapping[str, Any]) -> Body:
    """Return how many must have come as far."""
    way = sent.text("group.way")
    if way == "quorum":
        return {"quorum": sent.number("group.quorum") or 2}
    if way == "any_role":
        return {"any_role": sent.listed("group.any_role") or [""]}
    if way != "weighted":
        return {}
    told = {
        sent.text(f"group.weighted[{place}].role"): sent.number(f"group.weighted[{place}].weight")
        for place in sent.places("group.weighted")
    }
    weights = {role: 1 if weight is None else weight for role, weight in told.items() if role}
    least = sent.number("group.at_least")
    before_least = before.get("at_least")
    return {
        "weighted": weights or {"decision maker": 1},
        "at_least": least if least is not None else before_least or 1,
    }


def begun(kind: str) -> Body:
    """
    Return a new condition about something, which is to be said in more words.

    >>> begun("quiet"), begun("event")
    ({'quiet': {'for': '30d'}}, {'event': 'download', 'within': '90d'})
    """
    return deepcopy(BEGUN.get(kind, BEGUN["event"]))


# --- from what is written to controls ---


def kind_of(condition: Any) -> str:
    """Return what a condition is about, also where more is wrong with it."""
    told = condition if isinstance(condition, Mapping) else {}
    return next((name for name in KINDS if told.get(name) is not None), SEVERAL)


def controls(condition: Mapping[str, Any], path: str) -> list[tuple[str, str]]:
    """
    Return the controls of a condition about one thing, with what stands in them.

    >>> told = {"event": "download", "where": {"category": ["quote", "price-list"]}}
    >>> for name, text in controls(told | {"within": "45d"}, "enter.any[0]"):
    ...     print(name, "=", text)
    enter.any[0].kind = event
    enter.any[0].event.is = download
    enter.any[0].event.own =
    enter.any[0].event.category = quote
    enter.any[0].event.category = price-list
    enter.any[0].count = 1
    enter.any[0].within.number = 45
    enter.any[0].within.unit = d
    enter.any[0].by = any_contact
    """
    kind = kind_of(condition)
    at, told = f"{path}.{kind}", condition.get(kind)
    found = [(f"{path}.kind", kind)]
    if kind == "event":
        return found + _event_controls(condition, path, at)
    if kind == "role":
        return found + [(f"{at}.is", one) for one in listed(told)]
    found.append((f"{at}.is", "1"))
    told = told if isinstance(told, Mapping) else {}
    if kind == "quiet":
        return found + _span_controls(f"{at}.for", told.get("for"))
    if kind == "score":
        return [*found, (f"{at}.name", f"{told.get('name', '')} {told.get('at_least', '')}")]
    plain = ("question", "name", "at_least", "at_most")
    found += [(f"{at}.{name}", str(told[name])) for name in plain if told.get(name) is not None]
    for name in ("equals", "in"):
        found += [(f"{at}.in", one) for one in listed(told.get(name))]
    found += [(f"{at}.stage", one) for one in listed(told.get("stage"))]
    return found + (_span_controls(f"{at}.within", told["within"]) if told.get("within") else [])


def _event_controls(condition: Mapping[str, Any], path: str, at: str) -> list[tuple[str, str]]:
    """Return the controls of a condition about what somebody did."""
    event = str(condition.get("event", ""))
    is_own = event not in EVENT_NAMES
    found = [(f"{at}.is", OWN if is_own else event)]
    found.append((f"{at}.own", event.removeprefix(OWN) if is_own else ""))
    where = condition.get("where")
    for name in ("category", "object"):
        chosen = where.get(name) if isinstance(where, Mapping) else None
        if isinstance(chosen, Mapping):
            found.append((f"{at}.{name}.prefix", str(chosen.get("prefix", ""))))
        else:
            found += [(f"{at}.{name}", one) for one in listed(chosen)]
    count = condition.get("count")
    least = count.get("at_least", 1) if isinstance(count, Mapping) else 1
    found.append((f"{path}.count", str(least)))
    found += _span_controls(f"{path}.within", condition.get("within", EVER))
    found.append((f"{path}.by", str(condition.get("by", "any_contact"))))
    if condition.get("watched") is not None:
        found.append((f"{path}.watched", str(condition["watched"]).removesuffix("%")))
    return found


def _span_controls(path: str, told: Any) -> list[tuple[str, str]]:
    """Return the controls of a length of time."""
    number, unit = span_parts(told)
    return [(f"{path}.number", number), (f"{path}.unit", unit)]


def span_parts(told: Any) -> tuple[str, str]:
    """
    Return the number and the unit of a length of time, also of one that is none.

    >>> span_parts("45d"), span_parts("soond"), span_parts(None)
    (('45', 'd'), ('soon', 'd'), ('', 'd'))
    """
    text = "" if told is None else str(told)
    found = SPAN.fullmatch(text)
    if found:
        return found[1], found[2]
    return text.removesuffix("d"), "d"


def listed(told: Any) -> list[str]:
    """Return one or several as several."""
    if told is None:
        return []
    return [str(one) for one in told] if isinstance(told, list | tuple) else [str(told)]
