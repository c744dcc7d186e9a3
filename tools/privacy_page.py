"""
Writes docs/privacy.md from what the models declare, so that it is true: ``make privacy``.

The words around the tables stand in privacy.md.in; what is stored, why and how long comes from the
house.
"""

from collections.abc import Iterator
from pathlib import Path
from string import Template

from regportal.privacy.clocks import FIXED, lengths
from regportal.privacy.traces import every_model
from regportal.store.base import SPECIAL_KEYS, Base
from regportal.store.schema import Keep, Site

PAGE = Path(__file__).parents[1] / "docs" / "privacy.md"
WORDS = Path(__file__).with_name("privacy.md.in")

SECTIONS = {
    "You, and how you prove it": (
        "contact", "contact_link", "claim", "own_link", "visitor", "choice",
    ),
    "What you answered": ("answer", "never_ask", "submission", "shown"),
    "What you allowed": ("consent_evidence", "consent_network"),
    "What you did": (
        "interaction", "attribution", "verdict", "parcel", "visit", "touch", "grant", "serving",
    ),
    "Your company's purchases": ("contact_role", "opportunity", "opportunity_snapshot"),
    "Your own staff": ("studio_user", "studio_passkey", "studio_session", "audit"),
    "Letters and messages": ("letter", "mail_event", "message", "notice"),
}  # fmt: skip
"""Which tables stand under which heading; one that is in none stands under the last."""
REST = "Safety"

CLOCKS = {
    "contacts": ("until nothing was heard of the person for 24 months", "`keep.contacts`"),
    "claims": ("90 days, where nobody confirmed it", "`keep.claims`"),
    "anonymous": ("90 days, as long as it is nobody's", "`keep.anonymous`"),
    "network": ("30 days", "`keep.network`"),
    "ledger": ("as long as the permission lasts, and three years after it", "fixed"),
    "refusals": ("97 days", "fixed"),
    "letters": ("40 days", "fixed"),
    "webhooks": ("30 days after it came, or was sent", "fixed"),
    "security": ("a day", "fixed"),
}
"""Clock → what a reader is told, and where it is set; the spans are checked below."""


def page() -> str:
    """Return the whole page."""
    words = Template(WORDS.read_text(encoding="utf-8"))
    return words.substitute(stored="\n".join(_stored()), **_about())


def _stored() -> Iterator[str]:
    """Yield the tables of what is stored, under their headings."""
    yield "## What is stored, and why\n"
    models = every_model()
    named = {name for names in SECTIONS.values() for name in names}
    rest = sorted(name for name, one in models.items() if one.personal and name not in named)
    for heading, names in {**SECTIONS, REST: tuple(rest)}.items():
        yield f"### {heading}\n"
        for name in names:
            if name in models:
                yield from _table(models[name])


def _table(model: type[Base]) -> Iterator[str]:
    """Yield what is stored in one table."""
    about = " ".join((model.__doc__ or "").strip().split("\n\n")[0].replace("``", "`").split())
    yield f"**`{model.__tablename__}`**: {about}\n"
    yield "| column | why |\n|---|---|"
    for column, why in model.personal.items():
        yield f"| `{column}` | {_sentence(why)} |"
    notes = [f"How long: {_kept(model)}."] if model.clock else []
    stays = model.outlives or model.emptied
    if stays:
        notes.append(f"It stays when its person goes: {_sentence(stays)}")
    yield "\n" + " ".join(notes) + "\n"


def _kept(model: type[Base]) -> str:
    """Say how long a row is kept."""
    told = CLOCKS[model.clock or "security"][0]
    theirs = {"contact.id", "visitor.id", "claim.id", "visit.id", "interaction.id"}
    if model.emptied and model.aged_by is None:
        return f"as long as the purchase; what names a contact, {told}"
    with_contact = model.clock in {"anonymous", "claims"} and theirs & set(model.person.values())
    return f"{told}; with a contact, as long as the contact" if with_contact else told


def _sentence(words: str) -> str:
    """Return words as a sentence."""
    words = words.strip().rstrip(".")
    return f"{words[0].upper()}{words[1:]}."


def _about() -> dict[str, str]:
    """Return what the end of the page is told."""
    _check_spans()
    rows = ["| class of data | by default | set by |", "|---|---|---|"]
    rows += [f"| {clock} | {told} | {where} |" for clock, (told, where) in CLOCKS.items()]
    left = [
        f"- `{name}`: {_sentence(model.outlives)}"
        for name, model in sorted(every_model().items())
        if model.outlives and set(model.person.values()) & (SPECIAL_KEYS | {"contact.id"})
    ]
    left.append("- `erasure`: The report: tables and counts, recipients, time and hash. No names.")
    left.append("- `log_entry`, `move`: That something happened then, by keys that lead nowhere.")
    return {
        "clocks": "\n".join(rows),
        "left": "\n".join(left),
    }


def _check_spans() -> None:
    """Fail where the words above no longer say what the program does."""
    site = Site(name="x", controller="x", privacy_notice="https://x.example/", keep=Keep())
    days = {clock: span.days for clock, span in lengths(site).items()}
    said = {
        "contacts": 720, "claims": 90, "anonymous": 90, "network": 30,
        "ledger": 1095, "refusals": 97, "letters": 40, "webhooks": 30, "security": 1,
    }  # fmt: skip
    if days != said or not FIXED:
        raise ValueError(f"CLOCKS must say {days}")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
