"""What people install: the wheel, in an environment that has never seen this checkout."""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import psutil
import pytest
import requests

from tests.patience import PATIENCE
from tools.ports import free_port

ROOT = Path(__file__).parents[2]
SITE = """\
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
  - key: country
    label: Which country are you in?
    type: country
    why: So that you see prices and stock for your region.
assets:
  - key: price-list-2026
    title: Price list 2026
    category: price-list
    topics: [widgets]
    file: files/price-list-2026.pdf
gates:
  - key: price-list
    asset: price-list-2026
    headline: All prices on two pages
    questions: [country]
    newsletters: [widget-prices]
    delivery: instant
"""

pytestmark = pytest.mark.xdist_group("wheel")  # built once, so by one worker


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        **options,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this checkout."""
    place = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, cwd=ROOT)
    [path] = place.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A virtual environment with nothing in it but the wheel and what it needs, by hash."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", *_no_pip(), place)
    locked = ROOT / "requirements" / "run.txt"
    run(*_installer(place), "--require-hashes", "-r", locked)
    run(*_installer(place), "--no-deps", wheel)
    yield place
    shutil.rmtree(place)


def _uv():
    path = Path(sys.executable).with_name("uv")
    return path if path.exists() and path.read_bytes()[:2] != b"#!" else None


def _no_pip():
    return ["--without-pip"] if _uv() else []


def _installer(place):
    if _uv():
        return _uv(), "pip", "install", "--quiet", "--python", place / "bin" / "python"
    return place / "bin" / "python", "-m", "pip", "install", "--quiet"


@pytest.fixture
def machine(environment, tmp_path):
    """Runs `regportal` as an operator does: in a folder of one's own, with few variables."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "price-list-2026.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    (tmp_path / "regportal.yaml").write_text(SITE)
    return Machine(environment / "bin", tmp_path)


class Machine:
    def __init__(self, programs, folder):
        self.program, self.folder = programs / "regportal", folder
        self.port = free_port()
        self.environment = {
            "HOME": str(folder),
            "PATH": f"{programs}:/usr/bin:/bin",
            "REGPORTAL_BASE_URL": f"http://127.0.0.1:{self.port}",
        }

    def __call__(self, *arguments):
        return run(self.program, *arguments, cwd=self.folder, env=self.environment)

    @contextlib.contextmanager
    def serving(self):
        """Gives the address while it serves; afterwards nothing of it may be left."""
        log = self.folder / "serve.log"
        with log.open("w") as errors:
            server = subprocess.Popen(
                [self.program, "serve", "--port", str(self.port)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        family = []
        try:
            yield _address(server, log)
            family = psutil.Process(server.pid).children(recursive=True)
            server.send_signal(signal.SIGINT)
            server.wait(PATIENCE)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        gone, alive = psutil.wait_procs(family, timeout=PATIENCE)
        assert alive == [], f"left running, besides {gone}"


def _address(server, log):
    """Read what it prints until it is ready; one that stays silent is ended."""
    patience = threading.Timer(PATIENCE, server.kill)
    patience.start()
    try:
        for line in server.stdout:
            if found := re.search(r"regportal is ready at (\S+)", line):
                return found[1].rstrip("/")
    finally:
        patience.cancel()
    raise AssertionError(f"it ended before it was ready:\n{log.read_text()}")


# --- the claims ---


def test_the_wheel_has_the_pages_and_the_scripts(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    pages = {
        f"regportal/_web/{path.relative_to(ROOT)}"
        for place in ("templates", "static")
        for path in (ROOT / place).rglob("*")
        if path.is_file()
    }

    assert pages
    assert pages == {name for name in inside if name.startswith("regportal/_web/")}


def test_the_wheel_has_the_package_and_nothing_else(wheel):
    inside = zipfile.ZipFile(wheel).namelist()
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "regportal").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert modules <= set(inside)
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"regportal"}
    assert any(name.endswith("/licenses/LICENSE") for name in inside)


def test_no_code_hides_among_the_pages():
    hidden = [path for place in ("templates", "static") for path in (ROOT / place).rglob("*.py")]

    assert hidden == []


def test_the_command_says_what_it_can_do(machine):
    said = machine("--help")

    assert "Usage: regportal" in said
    assert "demo" in said


def test_the_webhook_connector_is_found_by_its_name(environment, tmp_path):
    found = run(
        environment / "bin" / "python",
        "-c",
        "from importlib.metadata import entry_points as e\n"
        "print(e(group='regportal.connectors')['webhook'].load().__name__)",
        cwd=tmp_path,
    )

    assert found.strip() == "Webhook"


def test_an_installed_regportal_serves_a_gate(machine):
    machine("upgrade")
    machine("apply", "regportal.yaml")

    with machine.serving() as address:
        gate = requests.get(f"{address}/g/price-list", timeout=PATIENCE)
        script = requests.get(f"{address}/static/js/regportal.js", timeout=PATIENCE)

    assert address == f"http://127.0.0.1:{machine.port}"
    assert gate.status_code == 200
    assert "All prices on two pages" in gate.text
    assert 'data-rp="gate"' in gate.text
    assert script.status_code == 200
    assert "javascript" in script.headers["Content-Type"]
    assert "regportal-gate" in script.text
