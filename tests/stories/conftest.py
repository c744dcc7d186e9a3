import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import Command, run
from tests.environment import environment_of
from tests.patience import PATIENCE, until
from tests.stories.receiver import SECRET, Crm, listening

SITE = """
site:
  name: Acme Products
  controller: Acme Products Ltd, 1 High Street, Leeds
  privacy_notice: https://www.acme.example/privacy
  origins: [{marketing}]
  visit: 1s
newsletters:
  - key: widget-prices
    title: Widget price alerts
    topics: [widgets]
    wording: Send me widget price alerts, about once a month.
    frequency: monthly
questions:
  - {{key: country, label: "Which country are you in?", type: country, why: So that prices fit.}}
  - {{key: company, label: "Which company?", type: company, why: So that we know you.}}
assets:
  - {{key: guide, title: A guide, category: paper, topics: [widgets], file: files/guide.pdf}}
  - key: price-list
    title: Price list
    category: price-list
    topics: [widgets]
    file: files/prices.pdf
gates:
  - key: guide
    asset: guide
    headline: The guide
    questions: [country, company]
    newsletters: [widget-prices]
  - key: prices
    asset: price-list
    headline: All prices
    questions: [country, company]
    delivery: mail
connectors:
  - key: crm
    type: webhook
    url: {crm}/in
    secret: env:CRM_SECRET
    fields: {{company: Account.Name}}
"""
PAGE = """<!doctype html>
<html lang="en"><head><title>Acme</title></head><body><main><h1>Acme Products</h1>
<regportal-gate gate="{gate}"><a href="{portal}/g/{gate}">Get it</a></regportal-gate></main>
<script type="module" src="{portal}/static/js/regportal.js"></script></body></html>"""


@dataclass
class Installation:
    """A `regportal serve` that runs, the company's page around it, and its CRM."""

    url: str
    marketing: str
    crm: Crm
    folder: Path
    environment: dict

    def run(self, *arguments):
        """Run a command of the operator's; return what it prints."""
        return command(self.folder, self.environment, *arguments)

    def show(self, *what):
        """Return what `regportal show` says."""
        return json.loads(self.run("show", *what, "--json"))

    def file(self, name):
        """Return the bytes of a file as the marketer has it."""
        return (self.folder / "files" / name).read_bytes()

    def link(self, number):
        """Wait for so many mails, and return the link in the last."""
        assert until(lambda: len(self.mails) >= number), f"only {len(self.mails)} mails"
        text = self.mails[-1].read_text()
        [link] = re.findall(rf"(?m)^({re.escape(self.url)}/m/\S+)\r?$", text)
        return link

    @property
    def mails(self):
        """Return the files of all mails, oldest first."""
        return sorted((self.folder / "mail").glob("*.eml"))


def command(folder, environment, *arguments):
    done = run(*arguments, folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def installation(tmp_path, database_url):
    """The whole of it, on free ports of this machine."""
    files = tmp_path / "files"
    files.mkdir()
    for name in ("guide.pdf", "prices.pdf"):
        (files / name).write_bytes(b"%PDF-1.7\n" + random.randbytes(200_000))
    crm, portal = Crm(), ""

    def page(path):
        return PAGE.format(portal=portal, gate=path.strip("/"))

    with listening(post=crm.take) as crm.url, listening(get=page) as marketing:
        environment = environment_of(
            instance=tmp_path,
            database_url=database_url,
            allow_private_targets="127.0.0.0/8",
            limits="off",
        ) | {"PYTHONPATH": str(Path(__file__).parents[2]), "CRM_SECRET": SECRET}
        (tmp_path / "regportal.yaml").write_text(SITE.format(marketing=marketing, crm=crm.url))
        command(tmp_path, environment, "apply", "regportal.yaml")
        with (tmp_path / "serve.log").open("w") as log:
            serving = Command(
                "serve", "--port", "0", folder=tmp_path, environment=environment, stderr=log
            )
        try:
            said = serving.stdout.readline()
            assert said.startswith("regportal is ready at "), (tmp_path / "serve.log").read_text()
            portal = said.split()[-1]
            yield Installation(portal, marketing, crm, tmp_path, environment)
        finally:
            serving.terminate()
            serving.wait(PATIENCE)
            serving.close()
    assert "Traceback" not in (tmp_path / "serve.log").read_text()
