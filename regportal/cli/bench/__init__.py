"""`regportal bench`: how fast it is here, beside something that does the same work."""

from pathlib import Path

import click

from regportal.cli.bench.lists import grow, seed
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


@click.group()
def bench() -> None:
    """Measure this machine; prints ratios to references that run in the same rounds."""


@bench.command()
@ROUNDS
@requests(400, 100_000)
@BUSY
@JSON
def gate(count: int, requests: int, *, even_if_busy: bool, as_json: bool) -> None:
    """Measure showing the form, and taking what was sent."""
    from regportal.cli.bench.gate import bench_gate

    with folder_of_its_own() as folder, progress_bar(3 * count) as progress:
        found = bench_gate(folder, count, requests, even_if_busy=even_if_busy, progress=progress)
    print_report(found, as_json=as_json)


@bench.command()
@ROUNDS
@requests(400, 100_000)
@BUSY
@JSON
def download(count: int, requests: int, *, even_if_busy: bool, as_json: bool) -> None:
    """Measure files of 100 kB and of 5 MB, fetched by grant."""
    from regportal.cli.bench.download import bench_download

    with folder_of_its_own() as folder, progress_bar(3 * count) as progress:
        found = bench_download(
            folder, count, requests, even_if_busy=even_if_busy, progress=progress
        )
    print_report(found, as_json=as_json)


def _track(each: int, default: int) -> None:
    """Add the command that measures calls of so many events."""

    @bench.command(
        f"track-{each}", help=f"Measure what browsers tell, {each} interaction(s) a call."
    )
    @ROUNDS
    @requests(default, 100_000)
    @DATABASE
    @BUSY
    @JSON
    def track(
        count: int, requests: int, *, database: str | None, even_if_busy: bool, as_json: bool
    ) -> None:
        from regportal.cli.bench.track import bench_track

        with folder_of_its_own() as folder, progress_bar(3 * count) as progress:
            found = bench_track(
                folder,
                count,
                requests,
                each,
                database,
                even_if_busy=even_if_busy,
                progress=progress,
            )
        print_report(found, as_json=as_json)


_track(1, 2000)
_track(20, 600)


@bench.command()
@ROUNDS
@requests(300, 100_000)
@click.option(
    "--interactions",
    "most",
    type=click.IntRange(100_000, 10_000_000),
    default=10_000_000,
    show_default=True,
    help="How far the table grows, from 100,000 in steps of ten times.",
)
@DATABASE
@BUSY
@JSON
def timeline(
    count: int, requests: int, most: int, *, database: str | None, even_if_busy: bool, as_json: bool
) -> None:
    """Measure reading the newest interactions of one contact, while the table grows."""
    from regportal.cli.bench.timeline import bench_timeline

    with folder_of_its_own() as folder, progress_bar(4 * count) as progress:
        found = bench_timeline(
            folder, count, requests, most, database, even_if_busy=even_if_busy, progress=progress
        )
    print_report(found, as_json=as_json)


@bench.command()
@ROUNDS
@click.option(
    "--lines",
    type=click.IntRange(400, 200_000),
    default=4000,
    show_default=True,
    help="Lines of the log a round.",
)
@click.option(
    "--history",
    type=click.IntRange(40, 50_000),
    default=5000,
    show_default=True,
    help="Interactions that some contacts had done before.",
)
@click.option(
    "--log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Interactions (as `replay` reads them) for the rules in memory; else they are made up.",
)
@DATABASE
@BUSY
@JSON
def weigh(
    count: int,
    lines: int,
    history: int,
    *,
    log: Path | None,
    database: str | None,
    even_if_busy: bool,
    as_json: bool,
) -> None:
    """Measure what the log means: from its lines to moves and the news of them."""
    from regportal.cli.bench.weigh import bench_weigh

    with folder_of_its_own() as folder, progress_bar(count + 1) as progress:
        found = bench_weigh(
            folder,
            count,
            lines,
            history,
            database,
            log,
            even_if_busy=even_if_busy,
            progress=progress,
        )
    print_report(found, as_json=as_json)


@bench.command()
@ROUNDS
@click.option(
    "--messages",
    type=click.IntRange(400, 1_000_000),
    default=100_000,
    show_default=True,
    help="Messages that are owed, a contestant and round.",
)
@DATABASE
@BUSY
@JSON
def drain(
    count: int, messages: int, *, database: str | None, even_if_busy: bool, as_json: bool
) -> None:
    """Measure how fast a CRM that takes its time is told what it is owed."""
    from regportal.cli.bench.drain import bench_drain

    with folder_of_its_own() as folder, progress_bar(count) as progress:
        found = bench_drain(
            folder, count, messages, database, even_if_busy=even_if_busy, progress=progress
        )
    print_report(found, as_json=as_json)


@bench.command()
@ROUNDS
@requests(300, 100_000)
@DATABASE
@BUSY
@JSON
def hostile(
    count: int, requests: int, *, database: str | None, even_if_busy: bool, as_json: bool
) -> None:
    """Measure how late one CRM is told, beside another that is dead or means harm."""
    from regportal.cli.bench.hostile import bench_hostile

    with folder_of_its_own() as folder, progress_bar(count) as progress:
        found = bench_hostile(
            folder, count, requests, database, even_if_busy=even_if_busy, progress=progress
        )
    print_report(found, as_json=as_json)


@bench.command("rules-50")
@ROUNDS
@click.option("--events", type=click.IntRange(100, 1_000_000), default=20_000, show_default=True)
@BUSY
@JSON
def rules(count: int, events: int, *, even_if_busy: bool, as_json: bool) -> None:
    """Measure what 50 rules cost an event."""
    from regportal.cli.bench.phases import bench_rules

    with progress_bar(3 * count) as progress:
        found = bench_rules(count, events, even_if_busy=even_if_busy, progress=progress)
    print_report(found, as_json=as_json)


@bench.command()
@JSON
def weight(*, as_json: bool) -> None:
    """Weigh the scripts that a marketing page loads."""
    from regportal.cli.bench.weight import bench_weight

    print_report(bench_weight(), as_json=as_json)


@bench.command()
@ROUNDS
@BUSY
@JSON
def start(count: int, *, even_if_busy: bool, as_json: bool) -> None:
    """Measure from `regportal serve` to its first answer."""
    from regportal.cli.bench.start import bench_start

    with folder_of_its_own() as folder, progress_bar(3 * count) as progress:
        found = bench_start(folder, count, even_if_busy=even_if_busy, progress=progress)
    print_report(found, as_json=as_json)


@bench.command()
@requests(10_000, 1_000_000)
@JSON
def memory(requests: int, *, as_json: bool) -> None:
    """Measure what the process holds after many requests."""
    from regportal.cli.bench.memory import bench_memory

    with folder_of_its_own() as folder, progress_bar(requests // 1000) as progress:
        found = bench_memory(folder, requests, progress=progress)
    print_report(found, as_json=as_json)


for each in (grow, seed):
    bench.add_command(each)
