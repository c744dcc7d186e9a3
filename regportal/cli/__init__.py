"""One command per action."""

import gc
import importlib
import sys
from typing import Any

import click

from regportal.errors import RegportalError

COMMANDS = {
    "demo": "demo:demo",
    "serve": "serve:serve",
    "worker": "serve:worker",
    "upgrade": "operate:upgrade",
    "doctor": "operate:doctor",
    "settings": "operate:settings",
    "schema": "documents:schema",
    "template": "documents:template",
    "plan": "documents:plan",
    "apply": "documents:apply",
    "export": "documents:export",
    "simulate": "simulate:simulate",
    "experiments": "experiments:experiments",
    "history": "history:history",
    "rollback": "history:rollback",
    "snippet": "snippet:snippet",
    "translations": "translations:translations",
    "show": "reading:show",
    "list": "listing:listing",
    "explain": "explaining:explain",
    "override": "overriding:override",
    "revert": "reverting:revert",
    "interactions": "series:interactions",
    "visits": "exporting:visits",
    "backup": "keeping:backup",
    "restore": "keeping:restore",
    "move-db": "keeping:move_db",
    "outbox": "delivery:outbox",
    "inbox": "delivery:inbox",
    "sync": "syncing:sync",
    "reconcile": "syncing:reconcile",
    "sandbox": "sandbox:sandbox",
    "contact": "contact:contact",
    "secret": "vault:secret",
    "import": "subscribers:bring",
    "consent": "subscribers:consent",
    "ledger": "ledger:ledger",
    "backtest": "backtest:backtest",
    "shadow": "shadow:shadow",
    "replay": "replay:replay",
    "key": "keys:key",
    "user": "users:user",
    "bench": "bench:bench",
}
"""Where each command is; it is imported only when it is called."""
PATIENCE = (10_000, 20, 50)
"""
How many things are made before the garbage collector looks through them (Python's own: 700).

What an import makes stays; to look through it forty times is a tenth of the time of a start.
"""


class Commands(click.Group):
    """The commands by name, each imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name, in the order one meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(f"regportal.cli.{module}"), name)
        return found


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="regportal")
def regportal() -> None:
    """Progressive registration between a marketing site and a CRM."""


def main(arguments: list[str] | None = None) -> Any:
    """Run a command: 0 done, 1 refused with one sentence on stderr, 2 wrong usage."""
    gc.set_threshold(*PATIENCE)
    try:
        return regportal.main(args=arguments, prog_name="regportal")
    except RegportalError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
