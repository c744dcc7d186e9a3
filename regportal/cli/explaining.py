"""Why something is as it is: a person's scores by part and by deed."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from regportal.cli.installation import opened
from regportal.cli.reading import AS_JSON, printable

Row = dict[str, Any]
FEW = 5
"""Deeds of one group that are printed; the rest is in --json."""


@click.group()
def explain() -> None:
    """Say why something is as it is."""


@explain.command("contact")
@click.argument("email")
@click.argument("score", required=False)
@click.option(
    "--grade", "graded", is_flag=True, help="Also compare with everybody who was here in 90 days."
)
@AS_JSON
def contact(email: str, score: str | None, *, graded: bool, as_json: bool) -> None:
    """Say why the scores of the person with the address EMAIL are what they are, or one SCORE."""
    from regportal.buying.scores.explaining import explained

    with opened() as here, here.store.read() as session:
        published = here.shelf.published(session)
        told = explained(session, published, email, score, graded=graded, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in _lines(told):
        click.echo(printable(line))


def _lines(told: Row) -> Iterator[str]:
    """Yield the scores of one person as people read them."""
    yield told["email"]
    if not told["scores"]:
        yield "  no scores are published: `regportal template` prints some to start from"
    for score in told["scores"]:
        level = f", {score['level']}" if score["level"] else ""
        since = f" since {score['since']}" if level and score["since"] else ""
        yield f"{score['label']} ({score['score']}): {score['value']:g}{level}{since}"
        if score["grade"]:
            yield f"  grade {score['grade']}: A to C for who they are, 1 to 3 for what they do"
        yield from _profile(score)
        yield from _behaviour(score)
        for part in ("temporal", "social"):
            if score["parts"][part]:
                yield f"  {part}: {score['parts'][part]:+g}"
        if score["next"]:
            becomes = score["next"]["level"] or "below every threshold"
            yield f"  {becomes} from {score['next']['at']}, if nothing happens"
        if score["account"]:
            yield _account(score["account"])


def _profile(score: Row) -> Iterator[str]:
    """Yield what is known of him, and what is not."""
    if score["profile"] or score["unknown"]:
        yield f"  profile: {score['parts']['profile']:+g}"
    for line in score["profile"]:
        yield f"    {line['points']:+g} {line['what']}: {line['known']}"
    if score["unknown"]:
        yield f"    unknown: {', '.join(score['unknown'])}"


def _behaviour(score: Row) -> Iterator[str]:
    """Yield what he did, the weightiest first."""
    for group in score["behaviour"]:
        if not group["deeds"]:
            continue
        yield (
            f"  {group['group']}: {group['points']:+g} (at most {group['at_most']},"
            f" halved every {group['half_life']})"
        )
        for deed in group["deeds"][:FEW]:
            had = "had been enough" if deed["points"] == 0 else f"{deed['points']:+g} then"
            yield f"    {deed['now']:+g} {deed['type']} {deed['what']}, {deed['at']} ({had})"
        if len(group["deeds"]) > FEW:
            yield f"    and {len(group['deeds']) - FEW} more"


def _account(account: Row) -> str:
    """Return what his company is worth."""
    people = "1 person" if account["people"] == 1 else f"{account['people']} people"
    roles = f", roles engaged: {', '.join(account['roles'])}" if account["roles"] else ""
    return f"  account {account['key']}: {account['value']:g} ({people}{roles})"
