"""`regportal sandbox`: a made CRM on this machine, to try a connector on."""

import click


@click.command()
@click.argument("crm")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8100,
    show_default=True,
    help="On this machine only; 0 takes any that is free.",
)
@click.option("--fail", type=float, help="The share of calls that fail, 0 to 1.")
@click.option("--fault", "faults", multiple=True, help="Only in this way; may be repeated.")
@click.option("--seed", type=int, help="The same one gives the same faults.")
def sandbox(
    crm: str, port: int, fail: float | None, faults: tuple[str, ...], seed: int | None
) -> None:
    """Run a made CRM, with its records, its refusals and its bad luck, until Ctrl-C."""
    from regportal.app import web_root
    from regportal.cli.ending import Ending
    from regportal.sandbox.base import fake_for
    from regportal.sandbox.luck import Odds
    from regportal.sandbox.server import serving

    share = fail if fail is not None else float(bool(faults))
    fake, ending = fake_for(crm), Ending()
    with serving(fake, web_root(), Odds(share, faults, seed), port) as sandbox:
        click.echo(f"{fake.name} is ready at {sandbox.url}")
        click.echo(f"Its records and what goes wrong: {sandbox.url}/sandbox/")
        ending.wait()
