"""What people write on one line: a reason, a name."""

from regportal.errors import BadRequestError

LONGEST = 300
"""Signs of it."""


def check_line(text: str, field: str) -> None:
    """Raise BadRequestError, about this field, unless a text is one line that says something."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST:
        raise BadRequestError(f"{field} must be one line of up to {LONGEST} signs", field)
