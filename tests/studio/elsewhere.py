"""Providers at which people of the company sign in: a real one, and one that lies as it is told."""

import base64
import contextlib
import hmac
import html
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.patience import until
from tests.portal import ORIGIN, Portal
from tests.studio.staff import Company, Desk

ROOT = Path(__file__).parents[2]
NODE = ROOT / ".venv" / "bin" / "node"
CLIENT, SECRET = "regportal", "a secret between the two: 100% & more"
BACK = f"{ORIGIN}/studio/sso/back"
ONWARD = re.compile(r'http-equiv="refresh" content="0; url=([^"]+)"')
HERE = ["127.0.0.0/8", "::1/128"]


def settings_of(issuer: str, **more: object) -> dict[str, object]:
    """The settings of an installation whose people sign in there."""
    return {
        "sso_issuer": issuer,
        "sso_client_id": CLIENT,
        "sso_client_secret": SECRET,
        "sso_label": "Acme",
        "allow_private_targets": HERE,
        **more,
    }


@contextlib.contextmanager
def company_at(database_url, folder, issuer, **more) -> Iterator[Company]:
    """An installation whose people sign in at a provider."""
    settings = {"limits": "off", **settings_of(issuer, **more)}
    with contextlib.closing(Portal(database_url, folder, **settings)) as portal:
        portal.publish()
        yield Company(portal)


def onward(answer) -> str:
    """Where a page leads on to by itself."""
    return html.unescape(ONWARD.search(answer.text)[1])


class Sent:
    """Somebody on the way to the provider: his browser, and what it was given to ask."""

    def __init__(self, company, desk=None, **fields):
        self.desk = desk or Desk(company.portal)
        if desk is None:
            self.desk.get("/login")
        self.answer = self.desk.post("/sso", fields)
        self.address = onward(self.answer)
        self.asked = dict(parse_qsl(urlsplit(self.address).query))

    def back(self, **sent):
        """Come back with what the provider says in the address."""
        sent = {"state": self.asked["state"], "code": "code"} | sent
        return arrive(self.desk, urlencode({k: v for k, v in sent.items() if v}))


def arrive(desk, query):
    """Come back from a page of somebody else: to that a browser sends no strict cookie."""
    strict = desk.cookie()
    desk.client.delete_cookie("rp_admin", domain="localhost")
    answer = desk.get(f"/sso/back?{query}", **{"Sec-Fetch-Site": "cross-site"})
    if strict and desk.cookie() is None:
        desk.client.set_cookie("rp_admin", strict, domain="localhost")
    return answer


class Pretended:
    """A provider on this machine that says what a test has it say."""

    def __init__(self):
        self.key = RSAKey.generate_key(2048, parameters={"kid": "1", "use": "sig"})
        self.describes, self.claims, self.header, self.userinfo = {}, {}, {}, None
        self.signs = lambda header, claims: jwt.encode(header, claims, self.key)
        self.keys = None
        self.challenge = self.nonce = None
        self.token_answer: tuple[int, dict] | None = None
        self.asked: list[tuple[str, dict, dict]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def expects(self, sent: Sent):
        """Remember what somebody came with."""
        self.challenge, self.nonce = sent.asked["code_challenge"], sent.asked["nonce"]
        return sent

    def id_token(self):
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "248289761001",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": "ann@acme.example",
            "email_verified": True,
            **self.claims,
        }
        header = {"alg": "RS256", "kid": "1", **self.header}
        return self.signs(header, {k: v for k, v in claims.items() if v is not None})

    def answer(self, path, form):
        if path == "/.well-known/openid-configuration":
            described = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
            if self.userinfo is not None:
                described["userinfo_endpoint"] = f"{self.issuer}/userinfo"
            return 200, described | self.describes
        if path == "/token":
            return self.token_answer or self.given(form)
        keys = self.keys or {"keys": [self.key.as_dict(private=False)]}
        return 200, {"/keys": keys, "/userinfo": self.userinfo}[path]

    def given(self, form):
        """What is given for a code."""
        if create_s256_code_challenge(form.get("code_verifier", "")) != self.challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "t", "token_type": "Bearer", "id_token": self.id_token()}

    def _handler(self):
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def _tell(self):
                length = int(self.headers.get("Content-Length") or 0)
                sent = parse_qs(self.rfile.read(length).decode())
                form = {name: values[0] for name, values in sent.items()}
                ours.asked.append((self.path, form, dict(self.headers)))
                status, told = ours.answer(self.path, form)
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _tell  # noqa: N815 - http.server calls them so

            def log_message(self, *said):
                pass

        return Handler


def with_shared_key(key) -> object:
    """What signs with the provider's public key as if it were a secret that both have."""

    def signs(header, claims):
        parts = [json.dumps(one).encode() for one in (header | {"alg": "HS256"}, claims)]
        signed = b".".join(base64.urlsafe_b64encode(one).rstrip(b"=") for one in parts)
        code = hmac.new(key.as_pem(private=False), signed, "sha256").digest()
        return (signed + b"." + base64.urlsafe_b64encode(code).rstrip(b"=")).decode()

    return signs


@contextlib.contextmanager
def real(port: int, back: str = BACK) -> Iterator[str]:
    """Run a real provider (oidc-provider for Node); give its issuer."""
    script = Path(__file__).parent / "provider.mjs"
    issuer = f"http://localhost:{port}"
    child = subprocess.Popen(
        [NODE, script, str(port), CLIENT, SECRET, back],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    try:
        said: list[str] = []
        threading.Thread(target=lambda: said.append(child.stdout.readline()), daemon=True).start()
        until(lambda: bool(said))
        assert said == ["ready\n"]
        yield issuer
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
