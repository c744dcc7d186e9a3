"""The servers that are measured: ours, freshly installed, and the references."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from regportal.errors import ConfigError

FILES = {"small": 100_000, "large": 5_000_000}
"""The files that are downloaded, in bytes."""

SITE = """
site: {name: Bench, controller: Bench Ltd, privacy_notice: https://www.bench.example/privacy}
newsletters:
  - {key: widget-prices, title: Widget price alerts, topics: [widgets], frequency: monthly,
     wording: Send me widget price alerts.}
questions:
  - {key: company, label: Your company, type: company}
assets:
  - {key: small, title: Small, category: paper, topics: [widgets], file: small.bin}
  - {key: large, title: Large, category: paper, topics: [widgets], file: large.bin}
gates:
  - {key: prices, asset: small, headline: All prices on two pages, questions: [company],
     newsletters: [widget-prices]}
  - {key: large, asset: large, headline: All of it, questions: [company]}
"""

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{ listen 127.0.0.1:{port}; location /files/ {{ alias {folder}/; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that runs: whose CPU is counted, and where it listens."""

    pid: int
    port: int
    beside: tuple[int, ...] = ()
    """Processes that work for it: their CPU is its own."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Return all processes whose CPU is counted."""
        return (self.pid, *self.beside)


@dataclass(frozen=True, slots=True)
class Place:
    """An installation of ours in a folder of its own."""

    folder: Path
    port: int
    url: str | None = None
    """Its database, where it is not the file in its folder."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which our commands find it."""
        rest = {name: value for name, value in os.environ.items() if "REGPORTAL" not in name}
        database = {"REGPORTAL_DATABASE_URL": self.url} if self.url else {}
        return (
            rest
            | database
            | {
                "REGPORTAL_INSTANCE": str(self.folder / "instance"),
                "REGPORTAL_BASE_URL": f"http://127.0.0.1:{self.port}",
                "REGPORTAL_LIMITS": "off",
                "REGPORTAL_LOG_LEVEL": "ERROR",
                "REGPORTAL_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8",
            }
        )

    @property
    def database(self) -> Path:
        """Return its file."""
        return self.folder / "instance" / "regportal.db"


def install(folder: Path, url: str | None = None, more: str = "") -> Place:
    """
    Install regportal there, with the site of the bench published.

    ``url``: on that database; ``more``: documents beside those of the site.
    """
    place = Place(folder, free_port(), url)
    for name, size in FILES.items():
        (folder / f"{name}.bin").write_bytes(os.urandom(size))
    (folder / "site.yaml").write_text(SITE + more, encoding="utf-8")
    for command in (["upgrade"], ["apply", "site.yaml"]):
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "regportal", *command],
            cwd=folder,
            env=place.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ConfigError(f"regportal {command[0]} failed: {done.stderr.strip()}")
    return place


@contextlib.contextmanager
def serving(place: Place, *options: str) -> Iterator[Contestant]:
    """Run `regportal serve` there."""
    command = [sys.executable, "-m", "regportal", "serve", "--port", str(place.port), *options]
    with _running(command, place.port, place.folder, place.environment) as contestant:
        yield contestant


@contextlib.contextmanager
def serving_and_working(place: Place) -> Iterator[Contestant]:
    """Run `regportal serve` there, and on PostgreSQL `regportal worker` beside it."""
    if place.url is None or place.url.startswith("sqlite"):
        with serving(place) as contestant:
            yield contestant
        return
    command = [sys.executable, "-m", "regportal", "worker"]
    with (
        serving(place, "--without-worker") as contestant,
        (place.folder / "worker.log").open("wb") as said,
        _child(command, place.folder, place.environment, said) as worker,
    ):
        yield Contestant(contestant.pid, contestant.port, (worker.pid,))


@contextlib.contextmanager
def reference(kind: str, folder: Path, *more: str) -> Iterator[Contestant]:
    """Run one of the references."""
    port = free_port()
    module = "regportal.cli.bench.references"
    command = [sys.executable, "-m", module, kind, str(folder), str(port), *more]
    with _running(command, port, folder, dict(os.environ)) as contestant:
        yield contestant


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Contestant | None]:
    """Run nginx over the files of a folder; None where it is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        yield None
        return
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(NGINX.format(folder=folder, port=port), encoding="utf-8")
    # One process, so that its CPU is the one that is counted.
    command = [program, "-c", str(settings), "-g", "master_process off;"]
    with _running(command, port, folder, dict(os.environ)) as contestant:
        yield contestant


@contextlib.contextmanager
def _running(
    command: Sequence[str], port: int, folder: Path, environment: dict[str, str]
) -> Iterator[Contestant]:
    """Run a server until it is no longer needed; what it says goes to a file, not into a pipe."""
    with (
        (folder / f"said-{port}.log").open("w+b") as said,
        _child(command, folder, environment, said) as child,
    ):
        if not first_answer(port, child):
            child.kill()
            said.seek(0)
            says = said.read().decode("utf-8", "replace").strip()[-500:]
            raise ConfigError(f"{' '.join(command[:4])} did not answer: {says}")
        yield Contestant(child.pid, port)


@contextlib.contextmanager
def _child(
    command: Sequence[str], folder: Path, environment: dict[str, str], said: IO[bytes]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process until it is no longer needed."""
    child = subprocess.Popen(  # noqa: S603 - our own commands, and nginx
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=said
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(12)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def first_answer(port: int, child: "subprocess.Popen[bytes]", within: float = 30.0) -> bool:
    """Return whether the server answers, as soon as it does."""
    until = time.perf_counter() + within
    while time.perf_counter() < until and child.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=within)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return True
        time.sleep(0.01)
    return False


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
