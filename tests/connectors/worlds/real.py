"""CRMs that run somewhere: worlds only where an environment variable says where."""

import os
from functools import partial

from tests.connectors.worlds.espocrm import EspoWorld
from tests.connectors.worlds.odoo import OdooWorld
from tests.connectors.worlds.suitecrm import SuiteWorld

NAMED = {"espocrm": EspoWorld, "odoo": OdooWorld, "suitecrm": SuiteWorld}
VARIABLE = "REGPORTAL_WORLD_{}"
"""By type: the path of a file with a connector's document, as its YAML has it."""


def real_worlds():
    """Return the worlds that somebody named, by type."""
    named = {name: os.environ.get(VARIABLE.format(name.upper())) for name in NAMED}
    return {name: partial(NAMED[name], path) for name, path in named.items() if path}
