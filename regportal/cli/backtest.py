"""The command that tries rules on one's own history, before they are published."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from regportal.cli.installation import opened
from regportal.cli.lines import printable
from regportal.cli.moments import MOMENT
from regportal.cli.reading import AS_JSON

Row = dict[str, Any]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--from", "since", type=MOMENT, help="Count only what happened from then on.")
@click.option("--to", "until", type=MOMENT, help="Look only until then; else until now.")
@AS_JSON
def backtest(file: Path, since: datetime | None, until: datetime | None, *, as_json: bool) -> None:
    """
    Try the buying model of FILE on the history of this installation.

    It goes through everything that became known, by the code that moves phases, and says what would
    have been otherwise than with the rules that are published. Nothing is written.
    """
    from regportal.buying.backtest.reading import how_many
    from regportal.buying.backtest.running import back_test
    from regportal.buying.backtest.trials import wrong_span
    from regportal.documents.planning import draft_of
    from regportal.documents.reading import read

    now = datetime.now(UTC)
    wrong = wrong_span(since, until, now)
    if wrong is not None:
        raise click.UsageError("--{} {}".format(*wrong))
    book = read(file, alone="buying")
    with opened() as here:
        with here.store.read() as session:
            draft = draft_of(session, book)
            published, many = here.shelf.published(session), how_many(session)
        with click.progressbar(length=many, label="Trying", file=sys.stderr) as bar:
            told = back_test(
                here.store, published, draft, since=since, until=until or now, on_page=bar.update
            )
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in _lines(told):
        click.echo(printable(line))


def _lines(told: Row) -> Iterator[str]:
    """Yield the report as people read it."""
    there, moves = told["opportunities"], told["moves"]
    draft, published = told["draft"], told["published"]
    yield (
        f"{_span(told['from'], told['to'])}:"
        f" {there['open']} open, {there['won']} won, {there['lost']} lost opportunities"
    )
    yield from (f"Note: {note}." for note in told["notes"])
    yield ""
    yield _row("", "published", "draft")
    yield _row("moves", published["moves"], draft["moves"])
    yield _row("  that the other does not make", moves["removed"], moves["added"])
    yield _row(
        "  back into a phase within 7 days",
        *(model["again_within_a_week"] for model in (published, draft)),
    )
    yield _row("told to CRMs a day", *(model["writes"]["a_day"] for model in (published, draft)))
    yield _row("  on the busiest day", *(model["writes"]["most"] for model in (published, draft)))
    yield _row("opportunities that go another way", "", moves["opportunities"])
    yield _row("  open ones that would move at once", "", told["moved_at_once"])
    for name, model in (("published", published), ("draft", draft)):
        yield ""
        yield from _phases(name, model)
    yield ""
    yield from _forecasts(told["forecasts"])


def _span(since: str, until: str) -> str:
    """Return from which day to which; within one day, to the minute."""
    if since[:10] == until[:10]:
        return f"{since[:16]}Z to {until[:16]}Z"
    return f"{since[:10]} to {until[:10]}"


def _row(what: str, published: object, draft: object) -> str:
    """Return one line of the comparison."""
    return f"{what:36}{published!s:>12}{draft!s:>10}".rstrip()


def _phases(name: str, model: Row) -> Iterator[str]:
    """Yield what was counted of each phase of one model."""
    heads = f"{'open':>5}{'half left after':>17}{'won were there':>16}{'before':>9}"
    yield f"{name:22}{heads}  win rate"
    for phase in model["phases"]:
        won = phase["won_that_were_here"]
        left = f"{_days(phase['half_left_after_days'])} ({phase['stays']})"
        share = "-" if won["share"] is None else f"{won['share']:.0%} of {won['of']}"
        yield (
            f"  {phase['label'][:19]:20}{phase['open_now']:>5}{left:>17}"
            f"{share:>16}{_days(won['lead_days']):>9}  {_rate(phase['win_rate'])}"
        )


def _days(days: float | None) -> str:
    """Return a length of time."""
    return "-" if days is None else f"{days:.1f} d"


def _rate(rate: Row) -> str:
    """Return how many of a phase were won, and between what that lies."""
    if rate["too_few"]:
        return f"too few to say ({rate['won']} of {rate['decided']})"
    return (
        f"{rate['rate']:.0%} ({rate['won']} of {rate['decided']},"
        f" {rate['low']:.0%} to {rate['high']:.0%})"
    )


def _forecasts(told: Row) -> Iterator[str]:
    """Yield how good stages and phases were as forecasts."""
    if not told["too_few"]:
        yield f"{'who will buy, forecast by':34}{'AUC':>8}{'Brier':>9}"
        for row in told["figures"]:
            yield f"  {row['by']:32}{row['auc']:>8.3f}{row['brier']:>9.4f}"
        yield (
            f"  {told['mondays']} Mondays of {told['opportunities']} opportunities from"
            f" {told['from'][:10]} on, learned from {told['learned_from']} earlier ones"
        )
        for row in told["ahead"]:
            (low, high), (least, most) = row["auc"], row["brier"]
            yield (
                f"  {row['by']} against {row['of']}: AUC {low:+.3f} to {high:+.3f},"
                f" Brier {least:+.4f} to {most:+.4f}"
            )
    yield from told["says"]
