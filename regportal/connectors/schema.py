"""What marketers write down about a connection to a CRM."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from regportal.store.schema import Document, Key

Topic = Literal["contact", "consent", "interaction", "phase", "score"]
SecretName = Annotated[
    str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|vault:[a-z0-9][a-z0-9_-]{0,63})$")
]


class Connector(Document):
    """One CRM: where it is, how we prove who we are, and what it is told."""

    kind: ClassVar[str] = "connector"
    type: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    secret: SecretName
    inbound_secret: SecretName | None = None
    fields: dict[Key, Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,79}$")]] = Field(
        default_factory=dict
    )
    sends: tuple[Topic, ...] = ("contact", "consent", "interaction", "phase", "score")
    claimed: Literal["lead", "off"] = "lead"
    phase_field: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")] = "buying_phase"

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
