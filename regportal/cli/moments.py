"""Days and moments, as commands take them."""

from datetime import UTC, datetime

import click


class MomentType(click.ParamType[datetime]):
    """A day or a moment (RFC 3339); without an offset it is UTC."""

    name = "moment"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment, in UTC."""
        try:
            read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a day nor a moment, like 2026-03-04", param, ctx)


MOMENT = MomentType()
FROM = click.option("--from", "since", type=MOMENT, help="Only from then on.")
TO = click.option("--to", "until", type=MOMENT, help="Only before then.")
