"""What a rule may speak of here: what the documents have, and what CRMs have told of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from regportal.buying.asking import NOUNS
from regportal.buying.scores.schema import Score
from regportal.buying.told import told_roles, told_stages
from regportal.buying.vocabulary import named
from regportal.buying.voice import ROLES, Voice
from regportal.documents.phases import FIELDS
from regportal.documents.rule_controls import OWN
from regportal.forms.languages import CATEGORIES
from regportal.forms.schema import Question
from regportal.library.schema import Asset
from regportal.store.documents import Published
from regportal.store.schema import said
from regportal.store.words import N_

Choice = tuple[str, str]
"""What is written, and what people read."""
Choices = Sequence[Choice]
BY = (
    ("any_contact", N_("by anybody, all together")),
    ("same_contact", N_("by one and the same person")),
    ("distinct_contacts", N_("by different people")),
)
UNITS = (("h", N_("hours")), ("d", N_("days")), ("mo", N_("months")))
SMALL_UNITS = {"s": N_("seconds"), "m": N_("minutes")}
KIND_NAMES = (
    ("event", N_("somebody does something")),
    ("quiet", N_("nobody does anything")),
    ("answer", N_("somebody answered a question")),
    ("score", N_("a score is high")),
    ("field", N_("something is known")),
    ("crm", N_("the stage in the CRM")),
    ("role", N_("somebody has a part")),
    ("several", N_("several conditions together")),
)
HOWS = (("any", N_("one of these is enough")), ("all", N_("all of these must hold")))
WAYS = (
    ("", N_("no matter how many")),
    ("quorum", N_("so many people")),
    ("any_role", N_("somebody in one of these parts")),
    ("weighted", N_("parts that weigh so much together")),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything there is to choose from."""

    events: Choices
    categories: Choices
    assets: Choices
    questions: Choices
    answers: Mapping[str, Choices]
    """By question what may be chosen there."""
    scores: Choices
    fields: Choices
    roles: Choices
    stages: Choices
    titles: Mapping[str, str]
    """By category what one asset of it is called."""


def offer_of(session: Session, published: Published, voice: Voice) -> Offer:
    """Return what a rule may speak of, in the language of whoever writes it."""
    locale, assets = voice.locale, published.all(Asset)
    usual = [one.replace(" ", "-") for one in CATEGORIES]
    used = {asset.category for asset in assets}
    told = {named(role): role for role in (*ROLES, *told_roles(session))}
    return Offer(
        events=[
            *((key, voice.counts(forms, 1)) for key, forms in NOUNS.items()),
            (OWN, voice.says(N_("a deed of your own systems"))),
        ],
        categories=[
            (key, voice.says(key.replace("-", " ")))
            for key in (*sorted(used), *(one for one in usual if one not in used))
        ],
        assets=[(asset.key, said(asset.title, locale)) for asset in assets],
        questions=[(one.key, said(one.label, locale)) for one in published.all(Question)],
        answers={
            one.key: [(code, said(text, locale)) for code, text in (one.choices or {}).items()]
            for one in published.all(Question)
        },
        scores=[*_thresholds(published.all(Score), locale)],
        fields=[(name, name) for name in FIELDS],
        roles=[(role, voice.role(role)) for role in told.values()],
        stages=[(stage, stage) for stage in told_stages(session)],
        titles={asset.category: said(asset.title, locale) for asset in reversed(assets)},
    )


def _thresholds(scores: Iterable[Score], locale: str) -> Iterator[Choice]:
    """Yield every threshold of every score."""
    for score in scores:
        label = said(score.label, locale) if score.label else score.key
        for name, at in score.levels:
            yield f"{score.key} {at}", f"{label}: {name} ({at})"


def with_chosen(choices: Choices, chosen: Iterable[Any]) -> list[Choice]:
    """
    Return what there is to choose from, and what is chosen although it is not there (any more).

    >>> with_chosen([("paper", "Paper")], ["papre"])
    [('papre', 'papre'), ('paper', 'Paper')]
    """
    known = {key for key, _ in choices}
    return [*((str(one), str(one)) for one in chosen if one and one not in known), *choices]
