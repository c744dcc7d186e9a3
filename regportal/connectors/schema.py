"""What marketers write down about a connection to a CRM."""

from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from regportal.store.schema import Document, Key, Timezone

Policy = Literal["overwrite", "if_empty", "never", "append"]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,79}$")]
Topic = Literal["contact", "consent", "interaction", "phase", "score"]
SecretName = Annotated[
    str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|vault:[a-z0-9][a-z0-9_-]{0,63})$")
]


class Connector(Document):
    """One CRM: where it is, how we prove who we are, and what it is told."""

    kind: ClassVar[str] = "connector"
    type: Key
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    secret: SecretName
    inbound_secret: SecretName | None = None
    admin_secret: SecretName | None = None
    fields: dict[Key, FieldName] = Field(default_factory=dict)
    sends: tuple[Topic, ...] = ("contact", "consent", "interaction", "phase", "score")
    interactions: Literal["single", "daily"] = "single"
    claimed: Literal["lead", "off"] = "lead"
    phase_field: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")] = "buying_phase"
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,20}$")] | None = None
    client: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    token_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")] | None = None
    account: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None = None
    scores: dict[Key, FieldName] = Field(default_factory=dict)
    newsletters: dict[Key, Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=dict
    )
    policies: dict[FieldName, Policy] = Field(default_factory=dict)
    calls_a_day: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    timezone: Timezone = "UTC"
    first_run: Annotated[int, Field(ge=1, le=10_000)] | None = None
    most_new: Annotated[int, Field(ge=1, le=100)] = 100

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone whose days count over there."""
        return ZoneInfo(self.timezone)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the names of the secrets we sign and verify with."""
        return (self.secret, self.inbound_secret or self.secret)

    def field_name(self, question: str, crm_field: str | None) -> str:
        """
        Return what this CRM calls the answer to a question.

        The connector's own mapping wins, then the question's ``crm_field``, then its key.
        """
        return self.fields.get(question) or crm_field or question
