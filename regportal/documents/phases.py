"""What a buying model speaks of must be there: categories, questions, scores."""

from typing import get_args

from regportal.buying.lint import conditions_in
from regportal.buying.schema import Buying, Condition, Prefix
from regportal.buying.scores.schema import FieldName, Score
from regportal.documents.house import OF_ASSETS, Finds, House
from regportal.documents.sentences import shown, there_is_no
from regportal.library.schema import Asset
from regportal.store.schema import Site, span

FIELDS = (*get_args(FieldName), "account.domain", "account.external_id", "account.name")
"""What is known of a contact, and of the account that the CRM told of."""


def unknown(buying: Buying, house: House) -> Finds:
    """Yield what no condition can ask for, because the other documents do not have it."""
    for index, phase in enumerate(buying.phases):
        for name, group in (("enter", phase.enter), ("exit", phase.exit)):
            for path, condition in conditions_in(group) if group else ():
                for below, says in _condition(condition, house):
                    yield ("phases", index, name, *path, *below), says


def _condition(condition: Condition, house: House) -> Finds:
    """Yield what a single condition asks for that cannot be."""
    yield from _categories(condition, house)
    if condition.event in OF_ASSETS and house.knows_all_assets():
        yield from _too_often(condition, house)
    if condition.answer:
        yield from _answer(condition, house)
    yield from _score(condition, house)
    if condition.field:
        says = house.one_of(condition.field.name, FIELDS)
        if says:
            yield ("field", "name"), says


def _score(condition: Condition, house: House) -> Finds:
    """Let a condition ask for a score that there is, and for one of its thresholds."""
    asked = condition.score
    if asked is None:
        return
    if ("score", asked.name) not in house.named:
        yield ("score", "name"), there_is_no("score", asked.name, house.keys("score"))
        return
    found = house.documents.get(("score", asked.name))
    if isinstance(found, Score) and asked.at_least not in found.thresholds.values():
        levels = ", ".join(f"{name} ({at})" for name, at in found.levels) or "it has none"
        yield (
            ("score", "at_least"),
            f"{asked.at_least} is no threshold of {shown(asked.name)}: {levels}",
        )


def _categories(condition: Condition, house: House) -> Finds:
    """Let a condition count what some asset is, where assets are what is counted."""
    several = condition.where is not None and not isinstance(condition.where.category, str)
    for index, category in enumerate(condition.categories):
        says = house.no_category(condition.event or "", category)
        if says:
            yield ("where", "category", *((index,) if several else ())), says


def _too_often(condition: Condition, house: House) -> Finds:
    """Let a condition ask for no more downloads than are counted: one a thing and visit."""
    site = house.documents.get(("site", "site"))
    if condition.event != "download" or condition.by == "distinct_contacts":
        return
    if not isinstance(site, Site):
        return
    things = sum(_is_asked(condition, asset) for asset in house.assets())
    most = things * (condition.window // span(site.visit) + 1)
    if 0 < most < condition.count.at_least:
        says = (
            f"is more than is counted: a download counts once a visit and thing, {most} times in"
            f" {condition.within}"
        )
        yield ("count", "at_least"), says


def _is_asked(condition: Condition, asset: Asset) -> bool:
    """Return whether the download of an asset counts for a condition."""
    where = condition.where
    if where is None:
        return True
    return all(
        asked is None
        or (name.startswith(asked.prefix) if isinstance(asked, Prefix) else name in _listed(asked))
        for name, asked in ((asset.category, where.category), (asset.key, where.object))
    )


def _listed(told: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one or several as several."""
    return (told,) if isinstance(told, str) else told


def _answer(condition: Condition, house: House) -> Finds:
    """Let a condition ask for an answer that somebody can give."""
    asked = condition.answer
    if asked is None:
        return
    says = house.no_question(asked.question)
    if says:
        yield ("answer", "question"), says
        return
    question = house.question(asked.question)
    if question is None:
        return
    wanted = {"equals": (asked.equals,) if asked.equals else (), "in": asked.values or ()}
    for name, values in wanted.items():
        for index, value in enumerate(values):
            fault = house.impossible(question, value)
            if fault:
                yield ("answer", name, *((index,) if name == "in" else ())), fault
    if (asked.at_least, asked.at_most) != (None, None) and question.type != "number":
        yield ("answer",), f"{shown(asked.question)} is not a question of type number"
