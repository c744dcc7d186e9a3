"""Who reads the own page of a person: which addresses are his, and which language he reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from regportal.identity.models import Contact
from regportal.store.documents import Published
from regportal.store.words import moment_shown, translated

Row = dict[str, Any]
"""One thing that the page shows, by the names its template knows."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose page it is, and in which language it is read."""

    session: Session
    published: Published
    contacts: Sequence[Contact]
    """All addresses of the person, the main one first."""
    proven: Contact
    """The one that was proven in this browser."""
    locale: str
    pepper: str
    now: datetime

    @property
    def match_keys(self) -> list[str]:
        """Return the keys of the person's addresses."""
        return [one.match_key for one in self.contacts]

    def says(self, sentence: str, **values: object) -> str:
        """Say a sentence of ours."""
        return translated(sentence, self.locale) % values

    def when(self, at: datetime | None) -> str | None:
        """Say when."""
        return moment_shown(at, self.locale) if at else None
