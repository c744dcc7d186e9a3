"""A CRM that verifies what it is told, and remembers what it was told already."""

import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

from tests.crash.site import SECRET


class Receiver:
    """Every first message by its webhook-id, in the order of their coming."""

    def __init__(self):
        self.effects = {}
        self.again = 0
        self.faults = []
        self._guard = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the sender was killed in the middle of it
                    return
                status = receiver.take(dict(self.headers.items()), body)
                time.sleep(random.uniform(0, 0.02))  # a kill may fall between effect and answer
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # the sender was killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def take(self, headers, body):
        """Verify a message and let it have its effect, once."""
        headers = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(SECRET).verify(body, headers)
        except WebhookVerificationError as error:
            self.faults.append(f"a message is not signed: {error}")
            return 401
        told = json.loads(body)
        message_id = headers["webhook-id"]
        with self._guard:
            first = self.effects.setdefault(message_id, told)
            if first is not told:
                self.again += 1
                if first != told:
                    self.faults.append(f"{message_id} says something else the second time")
        return 200

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
