"""
The Studio beside the public application: below its path, or under a host name of its own.

It is made when somebody asks for it first: who only answers visitors need not load what signs
people in.
"""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask

from regportal.app import reports
from regportal.config import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/studio"


class Mounted:
    """Asks the Studio for what is its own, and the public application for the rest."""

    def __init__(self, app: Flask, root: Path) -> None:
        """Take the public application, and the folder of templates/ and static/."""
        self._app, self._root = app, root
        self._public: WSGIApplication = app.wsgi_app
        self._settings: Settings = app.extensions["regportal.settings"]
        self._host = urlsplit(self._settings.studio_url).netloc
        self._turn = threading.Lock()
        self._made: Flask | None = None

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request by whichever application it is for."""
        if self._host:
            if environ.get("HTTP_HOST") != self._host:
                return self._public(environ, start_response)
            environ["SCRIPT_NAME"] = ""
            return self.studio.wsgi_app(environ, start_response)
        path = environ.get("PATH_INFO", "")
        if not (path + "/").startswith(f"{PATH}/"):
            return self._public(environ, start_response)
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + PATH
        environ["PATH_INFO"] = path[len(PATH) :]
        return self.studio.wsgi_app(environ, start_response)

    @property
    def studio(self) -> Flask:
        """Return the Studio, made once."""
        with self._turn:
            if self._made is None:
                from regportal.studio.application import create_studio  # noqa: PLC0415 - not before

                shared = {**self._app.extensions, "regportal.wake": self._wake}
                self._made = create_studio(
                    self._settings,
                    self._root,
                    shared,
                    beside=(reports.bp,),
                )
            return self._made

    def _wake(self, task: str) -> None:
        """Tell the worker that there is something to do: whoever works by then."""
        self._app.extensions["regportal.wake"](task)
