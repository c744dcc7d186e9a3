"""`regportal demo`: the whole of it on a sample site, on this computer."""

import click


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65534),
    default=8000,
    show_default=True,
    help="The portal's port; Acme's site takes the next one.",
)
@click.option("--fresh", is_flag=True, help="Begin anew: forget what an earlier start left.")
def demo(port: int, fresh: bool) -> None:  # noqa: FBT001 - click calls it
    """Try regportal on a sample site: a prospect, a mailbox and a CRM."""
    from regportal.cli.demo.running import run

    run(port, fresh=fresh)
