"""Why something is as it is: a person's scores, and the phase of an opportunity."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from regportal.cli.installation import opened
from regportal.cli.lines import outside, printable, role, second
from regportal.cli.reading import AS_JSON

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
    "--grade",
    "graded",
    is_flag=True,
    help="Also a grade from A1 to C3: in which third of all who were here in 90 days somebody is,"
    " A to C by who they are, 1 to 3 by what they do.",
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
    for line in _lines(told, graded=graded):
        click.echo(printable(line))


@explain.command("opportunity")
@click.argument("name", metavar="KEY")
@AS_JSON
def opportunity(name: str, *, as_json: bool) -> None:
    """
    Say why an opportunity is in its phase, and what would move it next.

    KEY is our key, or <connector>:<external id>.
    """
    from regportal.buying.explaining import explained

    with opened() as here, here.store.read() as session:
        told = explained(session, here.shelf.published(session), name, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in _opportunity(told):
        click.echo(printable(line))


# --- scores ---


def _lines(told: Row, *, graded: bool) -> Iterator[str]:
    """Yield the scores of one person as people read them."""
    yield told["email"]
    if told["phase"]:
        yield f"by what they did themselves: {told['phase']['text']}"
    if not told["scores"]:
        yield "  no scores are published: `regportal template` prints some to start from"
    for score in told["scores"]:
        level = f", {score['level']}" if score["level"] else ""
        since = f" since {second(score['since'])}" if level and score["since"] else ""
        yield f"{score['label']} ({score['score']}): {score['value']:g}{level}{since}"
        if score["grade"]:
            yield f"  grade {score['grade']}: A to C for who they are, 1 to 3 for what they do"
        elif graded:
            yield "  no grade: fewer than three people were here within 90 days"
        yield from _profile(score)
        yield from _behaviour(score)
        for part in ("temporal", "social"):
            if score["parts"][part]:
                yield f"  {part}: {score['parts'][part]:+g}"
        if score["next"]:
            becomes = score["next"]["level"] or "below every threshold"
            yield f"  {becomes} from {second(score['next']['at'])}, if nothing happens"
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
            what = f"{deed['type']} {deed['what']}, {second(deed['at'])}"
            yield f"    {deed['now']:+g} {what} ({had})"
        if len(group["deeds"]) > FEW:
            yield f"    and {len(group['deeds']) - FEW} more"


def _account(account: Row) -> str:
    """Return what his company is worth."""
    people = "1 person" if account["people"] == 1 else f"{account['people']} people"
    roles = f", roles engaged: {_roles(account)}" if account["roles"] else ""
    return f"  account {account['key']}: {account['value']:g} ({people}{roles})"


# --- an opportunity ---


def _opportunity(told: Row) -> Iterator[str]:
    """Yield why an opportunity is where it is, and what would move it, as people read it."""
    yield outside(told)
    yield told["reason"] or f"{told['text']}: nothing has moved it yet"
    if told["override"]:
        yield f"  {told['override']['text']}"
    if told["shadow"]:
        yield f"  {told['shadow']['text']}"
    for part in told["evidence"] if any(one["interactions"] for one in told["evidence"]) else ():
        yield f"  {part['condition']}"
        yield from (f"    {deed['text']}" for deed in part["interactions"])
    yield from _group(told)
    if told["note"]:
        yield told["note"]
        return
    holds = told["override"] is not None and told["override"]["ended"] is None
    it = "the rules" if holds else "it"
    time = told["by_time"]
    forward = time is not None and time["forward"]
    if told["next"] or forward:
        yield f"what would move {it} on, the nearest first:"
    else:
        yield "no later phase can be entered"
    yield from (f"  {way['label']}: {way['needs']}" for way in told["next"])
    if forward:
        yield f"  {time['text']}"
    yield from _back("them" if holds else "it", told["back"], None if forward else time)


def _group(told: Row) -> Iterator[str]:
    """Yield who has a part, and how far each has come."""
    if not told["group"]:
        yield "nobody has a part in it"
        return
    share = told["consensus"]
    yield "group:" if share is None else f"group ({share:.0%} have come as far by themselves):"
    for person in told["group"]:
        roles = f", {_roles(person)}" if person["roles"] else ""
        yield f"  {person['email']}{roles}: {person['text']}"


def _roles(of: Row) -> str:
    """Return the parts that somebody has, or that are engaged."""
    return ", ".join(map(role, of["roles"]))


def _back(it: str, back: Row | None, time: Row | None) -> Iterator[str]:
    """Yield what would take it back; silence is told by when it is over."""
    if back is None and time is None:
        yield f"nothing takes {it} back"
        return
    yield f"what would take {it} back:"
    if time is not None:
        yield f"  {time['text']}"
    if back is not None and (time is None or "quiet" not in back["missing"].get("condition", ())):
        yield f"  {back['label']}: {back['needs']}"
