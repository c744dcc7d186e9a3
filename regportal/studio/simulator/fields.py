"""The form of the simulator: who comes, how often, and what he does each time."""

from collections.abc import Sequence

from flask import g
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, Form, SelectField, ValidationError
from wtforms.form import BaseForm

from regportal.documents.scenarios import Coming, Scenario
from regportal.forms.schema import Gate
from regportal.store.documents import said
from regportal.store.words import N_
from regportal.studio.fields import choices_of

CHOOSE = N_("Please choose one of these.")
TIMES = range(1, 13)
"""How often he may come: what a page can show, and a request can work out."""
VISITS = 6
WHO = {
    "anonymous": N_("Somebody new"),
    "known": N_("Somebody we know"),
    "on-opportunity": N_("Somebody on an open opportunity"),
}
BETWEEN = {
    "5m": N_("Five minutes"),
    "1d": N_("A day"),
    "7d": N_("A week"),
    "30d": N_("A month"),
    "90d": N_("Three months"),
    "365d": N_("A year"),
}
CHANNELS = {"desktop": N_("On a computer"), "phone": N_("On a phone")}
DOES = {
    "answer": N_("Fills in the form"),
    "decline": N_("Would rather not say"),
    "leave": N_("Goes away"),
}
MAIL = {"opens": N_("Opens its link"), "ignores": N_("Leaves it unread")}
PUBLISHED = N_("What is published")
SAME = N_("The same gate")


class Choice(SelectField):
    """One of several; whatever else an address says is refused in a sentence of ours."""

    def pre_validate(self, form: BaseForm) -> None:
        """Refuse what cannot be chosen."""
        try:
            super().pre_validate(form)
        except ValidationError as error:
            raise ValidationError(CHOOSE) from error


class Visit(Form):
    """One time he comes."""

    gate = Choice(N_("At which gate"), default="")
    does = Choice(N_("What he does"), default="answer")
    newsletter = BooleanField(N_("Ticks the box"))


class Imagined(FlaskForm):
    """Who comes, how often, and what he does; it is sent by an address, and changes nothing."""

    class Meta(FlaskForm.Meta):
        """Ask for no token: an address that can be kept and shown to others has none."""

        csrf = False

    draft = Choice(N_("Documents"), default="")
    gate = Choice(N_("Gate"))
    who = Choice(N_("Who comes"), default="anonymous")
    times = Choice(N_("How often"), default=str(VISITS))
    between = Choice(N_("Time between"), default="7d")
    mail = Choice(N_("A mail of ours"), default="opens")
    channel = Choice(N_("Seen"), default="desktop")

    def __init__(self, sent: MultiDict[str, str] | None) -> None:
        """Read what an address says; None: what is usual."""
        super().__init__(formdata=sent)
        self.visits = [Visit(sent, prefix=f"visits-{number}") for number in range(TIMES[-1])]

    def offer(self, gates: Sequence[Gate], drafts: Sequence[tuple[str, str]]) -> None:
        """Let these be chosen, in the language of this answer."""
        named = {one.key: said(one.headline, g.locale) for one in gates}
        self.draft.choices = [*choices_of({"": PUBLISHED}), *drafts]
        self.gate.choices = [*named.items()]
        self.gate.data = self.gate.data or next(iter(named), None)
        self.who.choices = choices_of(WHO)
        self.times.choices = [(str(number), str(number)) for number in TIMES]
        self.between.choices = choices_of(BETWEEN)
        self.mail.choices = choices_of(MAIL)
        self.channel.choices = choices_of(CHANNELS)
        for visit in self.visits:
            visit.gate.choices = [*choices_of({"": SAME}), *named.items()]
            visit.does.choices = choices_of(DOES)

    def validate(self) -> bool:
        """Return whether all of it can be; where a visit cannot, its gate's field says so."""
        is_well = super().validate()
        faulty = [one for one in self.visits if not one.validate()]
        if faulty:
            self.gate.errors = [*self.gate.errors, CHOOSE]
        return bool(is_well) and not faulty

    def scenario(self) -> Scenario:
        """Return whom it tells of."""
        at, comings = self.gate.data, []
        for one in self.visits[: int(self.times.data)]:
            at = one.gate.data or at
            comings.append(
                Coming(
                    gate=at,
                    after=self.between.data,
                    does=one.does.data,
                    newsletter=one.newsletter.data,
                    confirm=self.mail.data == "opens",
                )
            )
        return Scenario(who=self.who.data, visits=tuple(comings))

    @property
    def fields(self) -> list[Field]:
        """Return the fields above the strip, in their order."""
        return [
            *(self.gate, self.who, self.times, self.between),
            *(self.mail, self.channel, self.draft),
        ]
