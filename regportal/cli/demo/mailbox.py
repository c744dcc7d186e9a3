"""The mails regportal sent, as a mail program shows them."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

LINK = re.compile(r"(https?://[^\s<>\"]+)")


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail."""

    id: str
    to: str
    subject: str
    at: datetime
    text: str

    def pieces(self) -> Sequence[tuple[str, bool]]:
        r"""
        Return the text cut into pieces, each with whether it is a link.

        >>> Mail("1", "", "", datetime.min, "Open http://a.example/m/x\nnow").pieces()
        [('Open ', False), ('http://a.example/m/x', True), ('\nnow', False)]
        """
        pieces = LINK.split(self.text)
        return [(piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece]


def mails(folder: Path) -> list[Mail]:
    """Return the mails of a folder, newest first."""
    return [_read(path) for path in sorted(folder.glob("*.eml"), reverse=True)]


def _read(path: Path) -> Mail:
    """Read one mail."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - the default policy makes these
    body = message.get_body(("plain",))
    return Mail(
        id=path.stem,
        to=str(message["To"]),
        subject=str(message["Subject"]),
        at=parsedate_to_datetime(str(message["Date"])),
        text=body.get_content().strip() if body else "",
    )
