"""How the Studio calls what is known of people."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from babel.dates import format_date, format_timedelta
from babel.numbers import format_currency, format_decimal

from regportal.buying.asking import NOUNS
from regportal.buying.labels import labels_of, title
from regportal.buying.reading import label, model_of
from regportal.buying.voice import Voice
from regportal.consent.schema import Newsletter
from regportal.forms.fields import shown_value
from regportal.forms.schema import Gate, Question
from regportal.identity.wire import browser_shown
from regportal.insight.person import is_sensitive
from regportal.privacy.saying import METHODS as TOLD
from regportal.store.documents import Published, said
from regportal.store.words import N_, locale_of_dates, translated

ASSURANCE: Mapping[str, str] = {
    "verified": N_("proven"),
    "claimed": N_("only claimed"),
    "imported": N_("from a file"),
    "crm": N_("from the CRM"),
    "anonymous": N_("nobody's"),
}
"""How sure we are of a contact, an answer, or whose something is."""
CONSENT: Mapping[str, str] = {
    "pending": N_("waits for a yes"),
    "confirmed": N_("gets it"),
    "imported": N_("gets it"),
    "paused": N_("paused"),
    "withdrawn": N_("stopped"),
    "refused": N_("refused"),
    "expired": N_("ran out"),
    "suppressed": N_("blocked: mail came back, or was reported"),
    "erased": N_("erased"),
}
METHODS: Mapping[str, str] = {
    **TOLD,
    "preference page": N_("on the person's own page"),
    "one-click": N_("by the person's mail program"),
}
JOINED: Mapping[str, str] = {
    "administrator": N_("a colleague says that it is the same person's"),
    "proof": N_("the person has proven both"),
    "crm": N_("the CRM says that it is the same person's"),
}
PARTS: Mapping[str, str] = {
    "profile": N_("who somebody is"),
    "behaviour": N_("what somebody did"),
    "temporal": N_("how lately"),
    "social": N_("what colleagues did"),
}
"""What a score is made of."""
REACHED: Mapping[str, str] = {
    "shown": N_("only looked"),
    "begun": N_("began to fill it in"),
    "given": N_("sent"),
    "carried": N_("sent, and taken to a telephone"),
}
"""How far somebody came at a stand."""
OUTCOMES: Mapping[str, str] = {
    "answered": N_("answered"),
    "declined": N_("declined"),
    "passed": N_("nothing was asked"),
}
"""What became of a form that was sent."""
CAUSES: Mapping[str, str] = {
    "event": N_("what somebody did"),
    "timer": N_("time that passed"),
    "crm": N_("the CRM"),
    "override": N_("a colleague"),
    "merge": N_("records that became one"),
    "rules": N_("new rules"),
}
"""What moved an opportunity."""
SECOND = timedelta(seconds=1)
AMOUNT, CURRENCY = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?"), re.compile("[A-Z]{3}")
"""What a CRM tells is written as money where it is some: it may tell anything."""


@dataclass(frozen=True)
class Sayer:
    """Says to a page what things are called, in one language."""

    published: Published
    locale: str

    @cached_property
    def voice(self) -> Voice:
        """Return who speaks of phases, deeds and scores."""
        model, _ = model_of(self.published)
        return Voice(model.zone, self.locale, labels_of(self.published))

    @property
    def phases(self) -> Mapping[str, str]:
        """Return what the phases of the published model are called, in their order."""
        model, _ = model_of(self.published)
        return {one.id: self.phase(one.id) for one in model.phases}

    def phase(self, name: str) -> str:
        """Return what people call a phase; those of the house have a name in each language."""
        model, _ = model_of(self.published)
        return translated(label(self.published, model, name), self.locale)

    def deed(self, kind: str) -> str:
        """Return what a deed is called; one that a site has named, as it is named."""
        forms = NOUNS.get(kind)
        return self.voice.counts(forms, 1) if forms else kind.removeprefix("custom:")

    def title(self, name: str) -> str:
        """Return what people call an object: an asset's title, or the address of a page."""
        return title(self.published, name)

    def score(self, key: str) -> str:
        """Return what a score is called."""
        return self.voice.labels.get(("score", key), key)

    def gate(self, key: str | None) -> str:
        """Return what a gate is called; as it is named where it is published no more."""
        gate = self.published.find(Gate, key) if key else None
        return said(gate.headline, self.locale) if gate else key or ""

    def newsletter(self, key: str) -> str:
        """Return what a newsletter is called; as it is named where it is published no more."""
        newsletter = self.published.find(Newsletter, key)
        return said(newsletter.title, self.locale) if newsletter else key

    def question(self, key: str) -> str:
        """Return what a question asks; as it is named where it is published no more."""
        return self.voice.labels.get(("question", key), key)

    def questions(self, keys: Iterable[str]) -> str:
        """Return what several questions ask, in one phrase."""
        return self.voice.listed(map(self.question, keys))

    def asked(self, of: str) -> str:
        """Return what a form asks: the address, or a question."""
        return translated(N_("E-mail address"), self.locale) if of == "email" else self.question(of)

    def outcome(self, name: str) -> str:
        """Return what became of a form."""
        return translated(OUTCOMES[name], self.locale)

    def reached(self, name: str) -> str:
        """Return how far somebody came at a stand."""
        return translated(REACHED[name], self.locale)

    def cause(self, name: str) -> str:
        """Return what moved an opportunity."""
        return translated(CAUSES.get(name, name), self.locale)

    def answer(self, question: str, value: Any) -> str:
        """Return an answer as people read it; of a sensitive question only that there is one."""
        asked = self.published.find(Question, question)
        if value is None and not is_sensitive(self.published, question):
            return ""
        return shown_value(asked, value, self.locale)

    def reason(self, because: str) -> str:
        """Return a sentence of ours: why a question was asked, what an experiment came to."""
        return translated(because, self.locale)

    def roles(self, names: Iterable[str]) -> str:
        """Return what the parts of somebody in a purchase are called."""
        return self.voice.listed(map(self.voice.role, names))

    def points(self, value: float) -> str:
        """Return how much something is worth, to a tenth."""
        return format_decimal(round(value, 1), locale=locale_of_dates(self.locale))

    def sure(self, assurance: str) -> str:
        """Return how sure we are."""
        return translated(ASSURANCE[assurance], self.locale)

    def consent(self, state: str) -> str:
        """Return what somebody allows."""
        return translated(CONSENT[state], self.locale)

    def method(self, name: str) -> str:
        """Return how somebody said what he allows."""
        return translated(METHODS.get(name, name), self.locale)

    def joined(self, by: str) -> str:
        """Return who says that two addresses are one person's."""
        return translated(JOINED[by.partition(":")[0]], self.locale)

    def part(self, name: str) -> str:
        """Return what a part of a score is."""
        return translated(PARTS[name], self.locale)

    def browser(self, name: str) -> str:
        """Return what a browser is called."""
        return browser_shown(name, self.locale)

    def ago(self, at: datetime, now: datetime) -> str:
        """Return how long ago something was."""
        return format_timedelta(min(at - now, -SECOND), add_direction=True, locale=self.locale)

    def amount(self, number: str, currency: str | None) -> str:
        """Return what an opportunity is worth, as people write it; what is unclear, as told."""
        if not AMOUNT.fullmatch(number) or not CURRENCY.fullmatch(currency or ""):
            return f"{number} {currency or ''}".strip()
        return format_currency(Decimal(number), currency or "", locale=self.locale)

    def day(self, on: date) -> str:
        """Return a day that the CRM named, as people write it: no clock moves it."""
        return format_date(on, "long", locale=locale_of_dates(self.locale))

    def moment(self, text: str | None) -> str:
        """Return when something was of which a program is told; empty where it was not."""
        return self.voice.moment(datetime.fromisoformat(text)) if text else ""
