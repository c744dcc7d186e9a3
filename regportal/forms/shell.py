"""The shell of a gate: all that it says to everybody alike, so that caches may keep it."""

from typing import Annotated

from flask import g, url_for
from pydantic import Field

from regportal.forms.headless import AtGate
from regportal.forms.pages import asset_shown, locale_of
from regportal.forms.schema import Gate
from regportal.identity.api import Api
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Site, said
from regportal.store.schema import Theme
from regportal.store.strict_json import Strict
from regportal.store.words import N_, direction, translated

bp = Api("shell", __name__, "shells", "What a gate says to everybody.")

WORDS = {
    "anew": N_("This page had been open for too long. Here it is anew."),
    "back": N_("Welcome back."),
    "choose": N_("Please choose"),
    "code": N_("Type the code from the mail"),
    "crowded": N_(
        "A lot of people in your network ask for this just now. Your browser makes sure that you"
        " are one of them: that takes some seconds, then it goes on by itself."
    ),
    "decline": N_("I’d rather not say"),  # noqa: RUF001 - an apostrophe
    "download": N_("Download %(name)s"),
    "either_way": N_("You get it either way."),
    "elsewhere": N_("It lies on another site."),
    "email": N_("Your e-mail address"),
    "failed": N_("That did not work. Please try again, or take it from here:"),
    "get": N_("Get it now"),
    "go": N_("Go there"),
    "here": N_("Here you are"),
    "hint": N_("You get the file at once. A mail asks whether it was you."),
    "later": N_(
        "A lot of people in your network ask for this just now. Please try again in an hour."
    ),
    "mailed": N_("Look into your mailbox"),
    "making_sure": N_("Making sure"),
    "not_there": N_("Didn’t get it?"),  # noqa: RUF001 - an apostrophe
    "not_you": N_("Not you?"),
    "on_its_way": N_(
        "The link is on its way. Open the mail, press one button, and the file is yours."
    ),
    "once": N_("Get it, just this once"),
    "over": N_("This film was here for four hours. One press gives it anew."),
    "privacy": N_("How we handle your data"),
    "remember": N_("Get it, and remember me on this browser"),
    "starts": N_("It starts by itself. If it does not, take it here."),
    "stop": N_("You can stop it at any time."),
    "wait": N_("One moment…"),
}
"""What a gate says in its own words…"""
BY_MAIL = {
    "get": N_("Send me the link"),
    "hint": N_("The link to the file goes to this address."),
}
"""…and where the file goes by mail…"""
AT_KIOSK = {"once": N_("Send me the link")}
"""…and where passers-by stand before it."""


class Shell(Strict):
    """What a gate says to everybody."""

    gate: str
    text: str | None
    abstract: Annotated[list[str], Field(description="What is in it, by paragraphs.")]
    title: Annotated[str, Field(description="Of the asset.")]
    type: Annotated[str, Field(description="Of the file, and how large it is.")]
    page: Annotated[str, Field(description="The gate as a page of its own.")]
    site: str
    privacy_notice: str
    kiosk: Annotated[bool, Field(description="Do passers-by stand before it?")]
    remember: Annotated[bool, Field(description="May it ask to know a browser again?")]
    do_not_track: Annotated[bool, Field(description="Is DNT an objection, as Sec-GPC always is?")]
    language: str
    direction: str
    theme: Theme
    words: dict[str, str]


@bp.call("GET /gates/<key>/shell", answers=Shell, refuses=(404,))
def shell(path: AtGate) -> Shell:
    """Return what a gate says to everybody, in the language of whoever asks."""
    key = path.key
    published, site = current.published(), current.site()
    gate = published.one(Gate, key)
    g.locale = locale = locale_of(site)
    asset = asset_shown(published.one(Asset, gate.asset), locale)
    shown = site.shown(locale)
    return Shell(
        gate=gate.key,
        text=said(gate.text, locale) if gate.text else None,
        abstract=gate.abstract_in(locale),
        title=asset["title"],
        type=asset["type"],
        page=current.settings().origin + url_for("forms.gate", key=key),
        site=shown["name"],
        privacy_notice=shown["privacy_notice"],
        kiosk=gate.stands_at_kiosk(site),
        remember=site.remember == "ask" and not gate.stands_at_kiosk(site),
        do_not_track=site.do_not_track == "honour",
        language=locale,
        direction=direction(locale),
        theme=site.theme,
        words=_words(gate, site, locale),
    )


def _words(gate: Gate, site: Site, locale: str) -> dict[str, str]:
    """Return every sentence of a gate in a language."""
    says = WORDS | (AT_KIOSK if gate.stands_at_kiosk(site) else {})
    says |= {} if gate.hands_over(site, proven=False) else BY_MAIL
    return {name: translated(sentence, locale) for name, sentence in says.items()}
