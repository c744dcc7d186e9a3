"""What marketers write down about an asset."""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from regportal.store.schema import Document, Key, Text


class Content(BaseModel):
    """The bytes of one version, by their hash; filled in when the file is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    size: Annotated[int, Field(ge=0)]
    type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]


class Asset(Document):
    """The thing of value: a file of ours, or an address elsewhere."""

    kind: ClassVar[str] = "asset"
    title: Text
    category: Key
    topics: tuple[Key, ...] = ()
    file: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    url: Annotated[str, Field(pattern=r"^https://[^\s]+$")] | None = None
    content: Content | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        """Refuse an asset that is neither a file nor an address, or both."""
        if (self.file is None) == (self.url is None):
            raise ValueError("needs either file or url")
        return self
