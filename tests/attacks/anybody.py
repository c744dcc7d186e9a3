"""Somebody who stands in a CRM's place and answers every call alike."""

import json

from flask import Flask, Response

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Anybody:
    """Answers ``told``, as JSON, with ``status``, whatever it is asked."""

    name = "Anybody"

    def __init__(self):
        self.status, self.told = 200, None
        self.app = Flask("anybody")
        self.app.add_url_rule("/<path:path>", "any", self._answer, methods=METHODS)

    def tables(self):
        return {}

    def deeds(self):
        return {}

    def answer(self, path):
        """Return the status and the JSON with which a call is answered."""
        del path
        return self.status, self.told

    def _answer(self, path):
        status, told = self.answer(path)
        return Response(json.dumps(told), status, content_type="application/json")
