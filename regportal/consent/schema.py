"""What marketers write down about a newsletter."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from regportal.store.schema import Document, Key, Site, Span, Text

Basis = Literal["consent", "contract", "legal-obligation", "public-interest", "legitimate-interest"]
"""What makes a newsletter lawful, as the W3C's DPV names it (GDPR Art. 6(1) a, b, c, e, f)."""


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
    basis: Basis = "consent"
    """On what basis it is sent; whoever did not ask for it gets it on no basis (permission.py)."""
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Who in the company answers for it; None: the site's controller."""

    def answered_for_by(self, site: Site) -> str:
        """Return who answers for it."""
        return self.owner or site.controller
