"""What marketers write down about an asset."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from regportal.store.schema import Document, Key, Text


def is_film(media_type: str) -> bool:
    """
    Return whether browsers play what has this type.

    >>> is_film("video/mp4"), is_film("application/octet-stream")
    (True, False)
    """
    return media_type.startswith("video/")


class Content(BaseModel):
    """The bytes of one version, by their hash; filled in when the file is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    size: Annotated[int, Field(ge=0)]
    type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]

    @property
    def is_film(self) -> bool:
        """Whether browsers play it."""
        return is_film(self.type)


class Asset(Document):
    """The thing of value: a file of ours, or an address elsewhere."""

    kind: ClassVar[str] = "asset"
    title: Text
    category: Key
    topics: tuple[Key, ...] = ()
    file: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    url: Annotated[str, Field(pattern=r"^https://[^\s]+$")] | None = None
    show: Literal["play", "download", "both"] | None = None
    content: Content | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        """Refuse an asset that is neither a file nor an address, or both."""
        if (self.file is None) == (self.url is None):
            raise ValueError("needs either file or url")
        return self

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        """Refuse to say how we show what lies elsewhere."""
        if self.show is not None and self.file is None:
            raise ValueError("show is about a file: what lies elsewhere is shown there")
        return self

    @property
    def plays(self) -> bool:
        """Whether it is a film that is played on the page."""
        return self.content is not None and self.content.is_film and self.show != "download"
