"""What a buying model speaks of must be there: categories, questions, scores."""

from collections.abc import Collection, Iterator
from typing import get_args

from regportal.buying.lint import conditions_in, unreached
from regportal.buying.schema import Buying, Condition, Prefix, named
from regportal.buying.scores.rules import check_field
from regportal.buying.scores.schema import FieldName, Score
from regportal.documents.house import OF_ASSETS, Finds, House
from regportal.documents.pages import PAGES, no_page, no_pages
from regportal.documents.sentences import nearest, shown, there_is_no
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


def never_moved(buying: Buying) -> Iterator[str]:
    """
    Yield where nothing ever moves: a model of one phase, and phases to which no rule leads.

    >>> [*never_moved(Buying.model_validate({"phases": [{"id": "a"}]}))]
    ['the buying model has one phase: nothing ever moves']
    """
    if len(buying.phases) == 1:
        yield "the buying model has one phase: nothing ever moves"
    for place in unreached(buying):
        name = shown(buying.phases[place].id)
        yield (
            f"{buying.kind}.phases[{place}]: no rule leads to {name}: it has no enter, and nothing"
            " falls there"
        )


def never_told(buying: Buying, roles: Collection[str], stages: Collection[str]) -> Iterator[str]:
    """
    Yield the roles and stages that rules ask for, and that no CRM has told of so far.

    Where it has told of none at all there is nothing to compare with.

    >>> asks = {"all": [{"event": "call"}, {"role": "decison maker"}]}
    >>> model = Buying.model_validate({"phases": [{"id": "a"}, {"id": "b", "enter": asks}]})
    >>> [*never_told(model, ["Decision Maker", "User"], [])]
    ["nobody has had the role 'decison maker' so far; did you mean 'Decision Maker'?"]
    """
    known = {named(role): role for role in roles}
    for role in dict.fromkeys(_roles_in(buying)) if known else ():
        if named(role) not in known:
            meant = known.get(nearest(named(role), known) or "")
            yield f"nobody has had the role {shown(role)} so far{_perhaps(meant)}"
    asked = (one.crm.stage for one in buying.conditions() if one.crm and one.crm.stage)
    wanted = dict.fromkeys(stage for told in asked for stage in _listed(told))
    for stage in wanted if stages else ():
        if stage not in stages:
            meant = nearest(stage, stages)
            yield f"no opportunity is in the stage {shown(stage)} now{_perhaps(meant)}"


def _perhaps(meant: str | None) -> str:
    """Return the end of a sentence: what was probably meant, if anything."""
    return f"; did you mean {shown(meant)}?" if meant else ""


def _roles_in(buying: Buying) -> Iterator[str]:
    """Yield every role that a model speaks of."""
    for condition in buying.conditions():
        if condition.role is not None:
            yield from _listed(condition.role)
    for phase in buying.phases:
        if phase.group:
            yield from (*(phase.group.any_role or ()), *(phase.group.weighted or ()))


def _condition(condition: Condition, house: House) -> Finds:
    """Yield what a single condition asks for that cannot be."""
    yield from _categories(condition, house)
    yield from _objects(condition, house)
    if condition.event in OF_ASSETS and house.knows_all_assets():
        yield from _too_often(condition, house)
    if condition.answer:
        yield from _answer(condition, house)
    yield from _score(condition, house)
    if condition.field:
        says = house.one_of(condition.field.name, FIELDS)
        if says:
            yield ("field", "name"), says
        for below, says in check_field(condition.field, house):
            yield ("field", *below), says


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


def _objects(condition: Condition, house: House) -> Finds:
    """Let a condition count what can happen to a page, or to an asset."""
    event, asked = condition.event or "", condition.where.object if condition.where else None
    if asked is None:
        return
    if isinstance(asked, Prefix):
        of_page, prefix = event in PAGES, asked.prefix
        says = no_pages(prefix, house) if of_page else house.no_assets(event, prefix)
        if says:
            yield ("where", "object", "prefix"), says
        return
    for index, name in enumerate(_listed(asked)):
        says = no_page(name, house) if event in PAGES else house.no_asset(event, name)
        if says:
            yield ("where", "object", *(() if isinstance(asked, str) else (index,))), says


def _too_often(condition: Condition, house: House) -> Finds:
    """
    Let a condition ask for no more than is counted.

    That is one download a thing and visit, and one film that was watched so far a thing and person.
    """
    things = sum(_is_asked(condition, asset) for asset in house.assets())
    if condition.watched and condition.where and condition.by == "same_contact":
        if 0 < things < condition.count.at_least:
            says = f"is more than is counted: a film counts once a person, and there are {things}"
            yield ("count", "at_least"), says
        return
    site = house.documents.get(("site", "site"))
    if condition.event != "download" or condition.by == "distinct_contacts":
        return
    if not isinstance(site, Site):
        return
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
