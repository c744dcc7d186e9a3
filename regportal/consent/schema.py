"""What marketers write down about a newsletter."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from regportal.store.schema import Document, Key, Text


class Newsletter(Document):
    """One publication a person may ask for; ``wording`` is what they agree to."""

    kind: ClassVar[str] = "newsletter"
    title: Text
    topics: tuple[Key, ...] = ()
    wording: Text
    frequency: Annotated[str, Field(max_length=40)] | None = None
    confirm: Literal["unless_verified", "always"] = "unless_verified"
