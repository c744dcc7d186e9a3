"""An installation as an operator has it: real processes, a site, a CRM that is told everything."""

import subprocess
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from regportal.store.sessions import Store, make_engine
from tests.commands import Command, run
from tests.crash.tracing import MAY_TRACE
from tests.environment import environment_of
from tests.operations.small_disk import MAY_MOUNT
from tests.patience import PATIENCE
from tests.stories.receiver import SECRET, Crm, listening
from tools.ports import free_port

LEFT_OUT = {
    "test_full_disk.py": None if MAY_MOUNT else "no disk may be made here (mount)",
    "test_failing_disk.py": None if MAY_TRACE else "no process may be traced here",
}
collect_ignore = [name for name, because in LEFT_OUT.items() if because]

SITE = """
site:
  name: Acme Products
  controller: Acme Products Ltd, 1 High Street, Leeds
  privacy_notice: https://www.acme.example/privacy
newsletters:
  - key: widget-prices
    title: Widget price alerts
    topics: [widgets]
    wording: Send me widget price alerts, about once a month.
    frequency: monthly
questions:
  - {{key: plant, label: "Which plant is it for?", type: text}}
  - {{key: note, label: "What should we note?", type: text}}
assets:
  - {{key: list, title: Price list, category: price-list, topics: [widgets], file: list.txt}}
  - {{key: more, title: More prices, category: price-list, topics: [widgets], file: list.txt}}
gates:
  - key: prices
    asset: list
    headline: All prices
    questions: [plant]
    newsletters: [widget-prices]
    per_visit: 9
  - {{key: second, asset: more, headline: More prices, questions: [plant, note], per_visit: 9}}
connectors:
  - {{key: crm, type: webhook, url: {crm}/in, secret: "env:CRM_SECRET"}}
"""


class Place:
    """One installation: its settings, its commands, and the processes that run it."""

    def __init__(self, folder: Path, database_url: str, crm: Crm) -> None:
        """Bring the database to its shape, and publish the site of tests/crash."""
        self.folder, self.database_url, self.crm = folder, database_url, crm
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = environment_of(
            instance=folder / "instance",
            database_url=database_url,
            base_url=self.url,
            allow_private_targets="127.0.0.0/8",
            limits="off",
        ) | {"CRM_SECRET": SECRET}
        self.mailbox = folder / "instance" / "mail"
        self.program: list[str] = []
        """What to run where it is not ours, forked: one that sees other disks, another release."""
        self._children = ExitStack()
        (folder / "list.txt").write_text("A widget costs seven.\n")
        (folder / "site.yaml").write_text(SITE.format(crm=crm.url))

    @property
    def sqlite(self) -> bool:
        """Whether one process does everything."""
        return self.database_url.startswith("sqlite")

    def publish(self) -> None:
        """Make the installation."""
        for command in (["upgrade"], ["apply", "site.yaml"]):
            done = self.run(*command)
            assert done.returncode == 0, done.stderr

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        """Run a command to its end."""
        environment = self.environment | settings
        if not self.program:
            return run(
                *arguments, folder=self.folder, environment=environment, timeout=PATIENCE * 2
            )
        return subprocess.run(
            [*self.program, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            check=False,
        )

    def start(self, *arguments: str, **settings: str) -> Command | subprocess.Popen:
        """Begin a command that runs until it is ended; wait until it says that it is ready."""
        environment = self.environment | settings
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            if self.program:
                child = subprocess.Popen(
                    [*self.program, *arguments],
                    cwd=self.folder,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            else:
                child = Command(*arguments, folder=self.folder, environment=environment, stderr=log)
        self._children.callback(end, child)
        said = child.stdout.readline()
        assert said.startswith(("regportal is ready", "regportal works")), self.log()
        return child

    def serve(self, *, worker: bool = True, **settings: str) -> list[Command | subprocess.Popen]:
        """Begin all processes of the installation: on PostgreSQL the worker is one of its own."""
        serve = ("serve", "--port", str(self.port))
        if self.sqlite:
            return [self.start(*serve, **settings)]
        web = self.start(*serve, "--without-worker", **settings)
        return [web, self.start("worker", **settings)] if worker else [web]

    def log(self) -> str:
        """Return what all processes have written to standard error."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        """End what still runs."""
        self._children.close()


def end(child: Command | subprocess.Popen) -> None:
    """End a process that may have ended."""
    if child.poll() is None:
        child.kill()
    child.wait()
    child.stdout.close()


def pytest_terminal_summary(terminalreporter):
    """Say what was left out."""
    for name in collect_ignore:
        terminalreporter.write_line(f"{name} was left out: {LEFT_OUT[name]}.")


@pytest.fixture
def crm():
    """A CRM that is told everything."""
    told = Crm()
    with listening(post=lambda *sent: told.take(*sent)) as told.url:  # noqa: PLW0108 - a test may put another in its place
        yield told


@pytest.fixture
def place(tmp_path, database_url, crm):
    """An installation with its documents published, nothing running yet."""
    with closing(Place(tmp_path, database_url, crm)) as made:
        made.publish()
        yield made


@pytest.fixture
def kept(place):
    """The database of the installation, as a test looks into it."""
    with closing(Store(make_engine(place.database_url))) as store:
        yield store
