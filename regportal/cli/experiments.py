"""The command that says what experiments on wording and order came to."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from regportal.cli.documents import AS_JSON
from regportal.cli.installation import opened
from regportal.cli.lines import printable
from regportal.connectors.rules import in_full

if TYPE_CHECKING:
    from regportal.insight.experiments import State
    from regportal.insight.trials import Share


@click.command()
@AS_JSON
def experiments(*, as_json: bool) -> None:
    """Print what each experiment on wording or order came to so far, and what is sure of it."""
    from regportal.insight.experiments import states

    with opened() as here, here.store.read() as session:
        found = states(session, here.shelf.published(session), now=datetime.now(UTC))
    if as_json:
        told = {"experiments": [_told(one) for one in found]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(map(printable, _lines(found))) or "no experiment runs")


def _told(state: "State") -> dict[str, Any]:
    """Return one experiment as programs read it."""
    return asdict(state) | {
        "arms": [
            asdict(arm)
            | {"says": arm.says, "stopped_at": arm.stopped_at and in_full(arm.stopped_at)}
            for arm in state.arms
        ]
    }


def _lines(found: "list[State]") -> Iterator[str]:
    """Yield each experiment, and below it its arms."""
    for state in found:
        about = f"question {state.question}" if state.question else f"gate {state.gate}"
        yield f"{state.key}: {about}, version {state.version}"
        for arm in state.arms:
            sent, proven = _share(arm.seen), _share(arm.proven)
            yield f"  {arm.key}: sent {sent}; answered and proven {proven}"
            yield f"    {arm.says}"


def _share(share: "Share") -> str:
    """Return how many of how many, and how many percent that is."""
    return f"{share.yes} of {share.of} ({share.rate:.1%})"
