"""What marketers write down about a newsletter."""

from typing import ClassVar, Literal

from regportal.store.schema import Document, Key, Span, Text


class Newsletter(Document):
    """One publication a person may ask for; ``wording`` is what they agree to."""

    kind: ClassVar[str] = "newsletter"
    title: Text
    topics: tuple[Key, ...] = ()
    wording: Text
    frequency: Text | None = None
    confirm: Literal["unless_verified", "always"] = "unless_verified"
    rhythms: tuple[Literal["daily", "weekly", "monthly", "quarterly"], ...] = ()
    """How often a reader may ask for it instead."""
    valid_for: Span | None = None
    """How long a yes holds; None: as the site says."""
