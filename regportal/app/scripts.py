"""Serving what pages of others load: every build, under its address for ever."""

from collections.abc import Iterable
from pathlib import Path

from flask import Flask, Response, send_from_directory

from regportal.app import pages
from regportal.embedding.builds import NAMES, builds


def use(app: Flask, root: Path) -> None:
    """Serve every build under ``/static/js/<version>/``."""
    served = builds(root / "static" / "js")

    def script(version: str, name: str) -> Response:
        """Return a script of one build."""
        response = send_from_directory(served[version], name, max_age=pages.YEAR)
        del response.headers["Cache-Control"]  # its page type says for how long
        return response

    rule = f"/static/js/<any({_choice(served)}):version>/<any({_choice(NAMES)}):name>"
    app.add_url_rule(rule, "script", script)


def _choice(names: Iterable[str]) -> str:
    """Return names as a rule of addresses lists them."""
    return ",".join(f'"{name}"' for name in names)
