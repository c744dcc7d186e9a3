"""A very small CRM: it counts, and remembers what was written into it."""

import itertools

from flask import Flask, jsonify, request


class Small:
    """Notes, by number."""

    name = "Small"

    def __init__(self):
        self.notes, self._number = {}, itertools.count(1)
        self.app = Flask("small")
        self.app.add_url_rule("/notes", "list", lambda: jsonify([*self.notes.values()]))
        self.app.add_url_rule("/notes", "add", self._add, methods=["POST"])
        self.app.add_url_rule("/echo/<path:text>", "echo", self._echo)

    def tables(self):
        return {"notes": [{"id": id, "text": text} for id, text in self.notes.items()]}

    def deeds(self):
        return {"write": self.write, "burn": self.burn}

    def write(self, text):
        number = next(self._number)
        self.notes[number] = text
        return number

    def burn(self, id):
        if id not in {str(one) for one in self.notes}:
            raise ValueError(f"there is no note {id}")
        del self.notes[int(id)]

    def _add(self):
        return {"id": self.write(request.get_json()["text"])}, 201

    def _echo(self, text):
        return {"path": text, "asked": request.args.get("asked"), "host": request.host}
