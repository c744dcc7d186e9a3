"""The forms of the way to a gate."""

from collections.abc import Sequence

from flask import g
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import (
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    URLField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import DataRequired, Length, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from regportal.forms.languages import CATEGORIES
from regportal.forms.pages import category_shown
from regportal.store.words import N_
from regportal.studio.fields import REQUIRED, TOO_LONG, is_line, stripped
from regportal.studio.gates.steps import About

LONG = 2000
"""Characters of a text before a gate."""
LINE = 200
LONGEST_NAME = 80
"""Characters of the name of an event."""


class Source(FlaskForm):
    """What is given: a file, at once or in parts, or an address elsewhere."""

    file = FileField(
        N_("Your file"),
        description=N_("PDF, Word, Excel, PowerPoint, a picture, a film, or anything else."),
    )
    arrival = HiddenField()
    name = HiddenField()
    url = URLField(
        N_("Or its address"),
        filters=[stripped],
        description=N_("Where it lies on another site already: https://…"),
    )


class AboutForm(FlaskForm):
    """What is said of it."""

    title = StringField(
        N_("Title"),
        validators=[DataRequired(REQUIRED), Length(max=LINE, message=TOO_LONG)],
        filters=[stripped],
        description=N_("What your visitors get, as you would tell a customer."),
        render_kw={"maxlength": LINE},
    )
    category = SelectField(
        N_("Kind"), description=N_("Rules for buying phases and scores look at it.")
    )
    headline = StringField(
        N_("Headline"),
        validators=[Length(max=LINE, message=TOO_LONG)],
        filters=[stripped],
        description=N_("Stands above the form. Empty: the title."),
        render_kw={"maxlength": LINE},
    )
    text = TextAreaField(
        N_("A sentence or two"),
        validators=[Length(max=LONG, message=TOO_LONG)],
        filters=[stripped],
        description=N_("Why it is worth an address."),
        render_kw={"maxlength": LONG, "rows": 3},
    )

    def offer(self, categories: Sequence[str]) -> None:
        """Let one choose from what is usual, and from what is used already."""
        usual = [one.replace(" ", "-") for one in CATEGORIES]
        self.category.choices = [
            SelectChoice(key, category_shown(key, g.locale))
            for key in sorted({*usual, *categories}, key=lambda key: category_shown(key, g.locale))
        ]

    @property
    def about(self) -> About:
        """Return what was said."""
        return About(
            self.title.data or "",
            self.category.data or "",
            self.headline.data or "",
            self.text.data or "",
        )


class Chosen(FlaskForm):
    """Any of several documents."""

    chosen = SelectMultipleField(
        option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False)
    )


class Page(FlaskForm):
    """A page of the company's own, to be looked at."""

    url = URLField(
        N_("Address of your page"),
        validators=[
            DataRequired(REQUIRED),
            Length(max=LONG, message=TOO_LONG),
            Regexp(r"https?://[^\s/]+", message=N_("Please write it as https://…")),
        ],
        filters=[stripped],
    )


class NewStand(FlaskForm):
    """A stand at an event."""

    name = StringField(
        N_("Name of the event"),
        validators=[DataRequired(REQUIRED), Length(max=LONGEST_NAME, message=TOO_LONG), is_line],
        filters=[stripped],
        render_kw={"autocomplete": "off", "maxlength": LONGEST_NAME},
        description=N_("Visitors see it on the device, and sales beside what they did there."),
    )
