"""Commands that make up very many people, and measure what lists take among them."""

import time

import click

from regportal.cli.bench.options import (
    BUSY,
    DATABASE,
    JSON,
    ROUNDS,
    folder_of_its_own,
    print_report,
    progress_bar,
    requests,
)


@click.command()
@ROUNDS
@requests(100, 10_000)
@click.option(
    "--contacts",
    "most",
    type=click.IntRange(10_000, 10_000_000),
    default=1_000_000,
    show_default=True,
    help="How many there are in the greater of two databases; the other one has 10,000.",
)
@DATABASE
@BUSY
@JSON
def grow(
    count: int, requests: int, most: int, *, database: str | None, even_if_busy: bool, as_json: bool
) -> None:
    """Measure what lists take among very many people, beside what they take among 10,000."""
    from regportal.cli.bench.grow import FEW, bench_grow
    from regportal.cli.bench.made_up import World
    from regportal.cli.bench.seed import steps_of

    sizes = (FEW, most)
    steps = 3 * count + sum(steps_of(World(size, 0.0, (), ())) for size in sizes)
    with folder_of_its_own() as folder, progress_bar(steps) as progress:
        found = bench_grow(
            folder, count, requests, sizes, database, even_if_busy=even_if_busy, progress=progress
        )
    print_report(found, as_json=as_json)


@click.command()
@click.option(
    "--contacts",
    "size",
    type=click.IntRange(20, 10_000_000),
    default=10_000,
    show_default=True,
    help="How many people are made up; each did ten things, on the average.",
)
@click.option(
    "--even-if-used", is_flag=True, help="Also into a database in which somebody is known."
)
def seed(size: int, *, even_if_used: bool) -> None:
    """
    Fill this installation's database with people who never were, and what they did.

    Only to try how it bears very many: nobody tells them from real ones afterwards. It is one
    transaction; where it is stopped, nothing was written.
    """
    from regportal.cli.bench.made_up import EACH
    from regportal.cli.bench.seed import new_mark, refuse_used, steps_of, world_of
    from regportal.cli.bench.seed import seed as write
    from regportal.cli.installation import opened

    with opened() as here:
        if not even_if_used:
            refuse_used(here.store.engine)
        with here.store.read() as session:
            published = here.shelf.published(session)
        world = world_of(published, size, now=time.time(), mark=new_mark())
        with progress_bar(steps_of(world)) as progress:
            write(here.store.engine, world, is_new=not even_if_used, progress=progress)
    click.echo(f"{size:,} contacts are made up, with {EACH * size:,} interactions.")
