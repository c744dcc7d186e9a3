"""`regportal bench download`: the bytes, by grant."""

import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from regportal.cli.bench.contestants import (
    FILES,
    Contestant,
    install,
    nginx,
    reference,
    serving,
)
from regportal.cli.bench.measure import (
    Figures,
    Goal,
    Measured,
    figures,
    memory_of,
    ratio,
    request,
    rounds,
)
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError, opened

VISITORS = 16
GATES = {"small": "prices", "large": "large"}


def bench_download(
    folder: Path, count: int, requests: int, *, even_if_busy: bool, progress: Callable[[str], None]
) -> Report:
    """Measure our downloads beside nginx where there is one, else beside Flask's send_file."""
    place = install(folder)
    checksums = {name: zlib.crc32((folder / f"{name}.bin").read_bytes()) for name in FILES}
    with ExitStack() as stack:
        ours = stack.enter_context(serving(place))
        running: dict[str, Contestant] = {
            "send_file": stack.enter_context(reference("files", folder))
        }
        static = stack.enter_context(nginx(folder))
        if static is not None:
            running["nginx"] = static
        links = {name: opened(ours.port, gate, VISITORS) for name, gate in GATES.items()}

        def one() -> Measured:
            measured: Measured = {}
            for name in FILES:
                asked = requests if name == "small" else max(VISITORS, requests // 10)
                measured[f"{name} ours"] = _fetch(ours, links[name], asked, checksums[name])
                for other, contestant in running.items():
                    plain = [request("GET", f"/files/{name}.bin", contestant.port)]
                    measured[f"{name} {other}"] = _fetch(contestant, plain, asked, checksums[name])
            return measured

        one()
        before = memory_of(ours.pid)
        measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
        grown = memory_of(ours.pid) - before
    beside, wanted = ("nginx", 0.5) if static else ("send_file", None)
    goals = [
        ratio(f"{name} ours / {beside}", measured, f"{name} ours", f"{name} {beside}", wanted)
        for name in FILES
    ]
    goals.append(Goal("growth in memory, MB", at_least=False, wanted=5, each=(grown,)))
    notes = [f"{name}: {size:,} bytes, every answer compared" for name, size in FILES.items()]
    if not static:
        notes.append("nginx is not installed: measured beside Flask's send_file, same web server")
    return Report("download", measured, goals, notes)


def _fetch(contestant: Contestant, requests: Sequence[bytes], count: int, checksum: int) -> Figures:
    """Fetch a file so many times; raise WrongAnswerError where it was not that file."""
    many = [requests[place % len(requests)] for place in range(count)]
    measured, answers = figures(contestant.pid, contestant.port, many)
    wrong = {answer.status for answer in answers if answer.checksum != checksum}
    if wrong:
        raise WrongAnswerError(f"a download was not the file (status {wrong})")
    return measured
