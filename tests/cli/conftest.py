import json
from dataclasses import dataclass

import pytest

from regportal.cli import main


@dataclass
class Ran:
    """What a command said, and with what it left."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


@pytest.fixture
def regportal(tmp_path, monkeypatch, capsys):
    """The command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(tmp_path / "instance"))

    def run(*arguments):
        capsys.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code or 0
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return run


@pytest.fixture
def installed(regportal, database_url, monkeypatch):
    """The command, with a database in the present shape."""
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", database_url)
    assert regportal("upgrade").code == 0
    return regportal
