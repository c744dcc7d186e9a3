"""The forms of the Studio's own pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from babel import Locale
from flask import current_app, g
from flask_security import hash_password
from flask_wtf import FlaskForm
from wtforms import (
    DateTimeLocalField,
    EmailField,
    Field,
    IntegerField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import DataRequired, InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from regportal.accounts.roles import ROLES, Role
from regportal.documents.releasing import LONGEST_NOTE, TOO_FAR
from regportal.identity.addresses import read_address
from regportal.store.prose import LONGEST as LONGEST_LINE
from regportal.store.words import N_, languages, translated
from regportal.studio.signing_in import SHORTEST

REQUIRED = N_("Please fill this in.")
TOO_LONG = N_("Please take fewer characters.")
BROKEN = N_("This form cannot be read. Please open the page anew.")
MOST = 120
"""Characters of a name."""
LONGEST_OWNER, LONGEST_TEXT = 320, 4096
"""Characters of what a CRM calls somebody, and of several of them."""
LONGEST = 1024
"""Characters of a password: more would only keep the processor busy."""
YEARS = 10
"""Until a draft holds by itself, at most."""
THEMES = {"": N_("As my device"), "light": N_("Light"), "dark": N_("Dark")}


def stripped(text: str | None) -> str | None:
    """Return a text without what stands around it."""
    return text.strip() if text else text


def choices_of(named: Mapping[str, str]) -> list[SelectChoice]:
    """Return what can be chosen, in the language of this answer."""
    return [SelectChoice(key, translated(says, g.locale)) for key, says in named.items()]


def languages_named() -> dict[str, str]:
    """Return the languages the Studio speaks, each by its own name."""
    names = {one: Locale.parse(one).display_name or one for one in languages()}
    return {one: name.capitalize() for one, name in names.items()}


class NewPassword(FlaskForm):
    """A password that somebody chooses, twice the same."""

    password = PasswordField(
        N_("New password"),
        validators=[InputRequired(REQUIRED), Length(max=LONGEST, message=TOO_LONG)],
        render_kw={"autocomplete": "new-password"},
        description=N_("At least 12 characters; several words are easy to remember."),
    )
    again = PasswordField(
        N_("The same again"),
        validators=[InputRequired(REQUIRED)],
        render_kw={"autocomplete": "new-password"},
    )

    def validate_password(self, field: Field) -> None:
        """Refuse one that is too short."""
        if len(field.data) < SHORTEST:
            raise ValidationError(N_("Please take at least 12 characters."))

    def validate_again(self, field: Field) -> None:
        """Refuse two that differ."""
        if field.data != self.password.data:
            raise ValidationError(N_("The two are not the same."))

    @property
    def hashed(self) -> str:
        """Return what is kept of the password."""
        security = current_app.extensions["security"]
        plain = security.password_util.normalize(self.password.data)
        hashed: str = hash_password(plain)
        return hashed


def is_address(_form: FlaskForm, field: Field) -> None:
    """Refuse what is no e-mail address."""
    try:
        read_address(field.data or "")
    except ValueError as error:
        raise ValidationError(str(error)) from error


def is_line(_form: FlaskForm, field: Field) -> None:
    """Refuse a name with signs that cannot be printed."""
    if not (field.data or "").isprintable():
        raise ValidationError(N_("Please write it on one line."))


NAME: dict[str, Any] = {
    "validators": [DataRequired(REQUIRED), Length(max=MOST, message=TOO_LONG), is_line],
    "filters": [stripped],
    "render_kw": {"autocomplete": "name", "maxlength": MOST},
}


class FirstOwner(NewPassword):
    """Who comes first."""

    email = EmailField(
        N_("Your e-mail address"),
        validators=[InputRequired(REQUIRED), is_address],
        filters=[stripped],
        render_kw={"autocomplete": "username"},
    )
    name = StringField(N_("Your name"), **NAME)


class Roles(FlaskForm):
    """What a colleague may do."""

    roles = SelectMultipleField(
        N_("Roles"),
        choices=[SelectChoice(role.value, ROLES[role]) for role in Role],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
        validators=[InputRequired(N_("Please choose at least one."))],
    )

    @property
    def chosen(self) -> Sequence[Role]:
        """Return the roles that were chosen."""
        return [Role(one) for one in self.roles.data or ()]


class SellsFor(FlaskForm):
    """For whom in the CRM somebody sells."""

    owners = TextAreaField(
        N_("Looks after what the CRM gives to"),
        validators=[Optional(), Length(max=LONGEST_TEXT, message=TOO_LONG)],
        render_kw={"rows": 3, "autocomplete": "off", "spellcheck": "false"},
        description=N_(
            "One a line, as the CRM calls them: the address, or the name where it has none."
            " The own address counts in any case."
        ),
    )

    def validate_owners(self, field: Field) -> None:
        """Refuse what no owner can be called."""
        del field  # its lines
        if any(not one.isprintable() or len(one) > LONGEST_OWNER for one in self.chosen):
            raise ValidationError(N_("One of these lines is no address and no name."))

    @property
    def chosen(self) -> Sequence[str]:
        """Return whom."""
        return [one.strip() for one in (self.owners.data or "").splitlines() if one.strip()]


class Invitation(Roles):
    """A colleague who is to come in."""

    email = EmailField(
        N_("E-mail address"),
        validators=[InputRequired(REQUIRED), is_address],
        filters=[stripped],
        render_kw={"autocomplete": "off"},
    )
    name = StringField(N_("Name"), **(NAME | {"render_kw": {"autocomplete": "off"}}))
    locale = SelectField(N_("Language"), validate_choice=True)


class Profile(FlaskForm):
    """What somebody chooses about how he sees the Studio."""

    name = StringField(N_("Your name"), **NAME)
    locale = SelectField(N_("Language"), validate_choice=True)
    theme = SelectField(N_("Appearance"), validate_choice=True)


def _why(description: str) -> StringField:
    """Return the field that asks why, and says who reads it."""
    return StringField(
        N_("Why?"),
        validators=[DataRequired(REQUIRED), Length(max=LONGEST_LINE, message=TOO_LONG), is_line],
        filters=[stripped],
        render_kw={"autocomplete": "off", "maxlength": LONGEST_LINE},
        description=description,
    )


class Because(FlaskForm):
    """Why somebody does something that cannot be seen from what he does."""

    because = _why(N_("One line; it is kept with it, and the CRM may be told."))


class WhyPaused(FlaskForm):
    """Why a connector is paused."""

    because = _why(N_("One line; colleagues read it here and in the audit log. No CRM is told."))


class Whom(FlaskForm):
    """Somebody who is known, or nobody."""

    email = StringField(
        N_("Address of a contact"),
        validators=[Optional(), Length(max=320, message=TOO_LONG), is_address],
        filters=[stripped],
        render_kw={"autocomplete": "off", "type": "email"},
        description=N_("Without one: somebody made up, who has answered every question."),
    )


class Pressed(FlaskForm):
    """A button, and nothing beside it."""


class Decided(FlaskForm):
    """That somebody looked at a draft, and lets it hold."""

    revision = IntegerField(widget=HiddenInput(), validators=[InputRequired()])
    note = StringField(
        N_("A note for your colleagues"),
        validators=[Length(max=LONGEST_NOTE, message=TOO_LONG)],
        filters=[stripped],
        description=N_("Stands in the history. It may stay empty."),
    )


class Later(Decided):
    """When it is to hold; ``by`` says by whose clock."""

    zone = ZoneInfo("UTC")
    at = DateTimeLocalField(
        format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        validators=[InputRequired(N_("Please choose a day and a time."))],
    )

    def by(self, zone: ZoneInfo) -> Self:
        """Return this form, read by the clock of a zone, which its label names."""
        label = translated(N_("When (by the clock of %(zone)s)"), g.locale)
        self.at.label.text = label % {"zone": zone.key}
        self.zone = zone
        return self

    def validate_at(self, field: DateTimeLocalField) -> None:
        """Refuse what lies where clocks end: it could be shown nowhere."""
        if field.data is None or abs(field.data.year - datetime.now(UTC).year) > YEARS:
            raise ValidationError(TOO_FAR)

    @property
    def moment(self) -> datetime:
        """Return the moment that was chosen."""
        if self.at.data is None:
            raise LookupError("nobody chose a moment")
        return self.at.data.replace(tzinfo=self.zone).astimezone(UTC)
