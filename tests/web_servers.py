"""Web servers as companies run them, in front of the portal."""

import contextlib
import ipaddress
import re
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_connection

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.patience import PATIENCE

DOCS = Path(__file__).parents[1] / "docs"
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; server_tokens off;
  types {{ text/html html; text/javascript js; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  {servers}
}}
"""


def in_the_docs(page, language):
    """Return the first example of a language on a page of the documentation."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.search(rf"^```{re.escape(language)}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1]


def make_certificate(folder, *names):
    """Write a certificate of our own for some hosts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
    now = datetime.now(UTC)
    own = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    hosts = x509.SubjectAlternativeName([own, *(x509.DNSName(one) for one in names)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(hosts, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))


@contextlib.contextmanager
def running(command, folder, port):
    """Run a web server until it is no longer needed."""
    with (folder / "said.log").open("w+") as said:
        child = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        try:
            until = time.monotonic() + PATIENCE
            while not _listens(port):
                said.seek(0)
                assert child.poll() is None, said.read()
                assert time.monotonic() < until, f"{command[0]} does not listen"
                time.sleep(0.02)
            yield
        finally:
            child.terminate()
            child.wait(PATIENCE)


@contextlib.contextmanager
def nginx(program, folder, port, servers):
    """Run nginx with these servers; it has a certificate for ``*.test``."""
    make_certificate(folder, "*.acme.test", "*.vendor.test")
    settings = folder / "nginx.conf"
    settings.write_text(NGINX.format(folder=folder, servers=servers))
    with running([program, "-c", str(settings), "-e", str(folder / "error.log")], folder, port):
        yield


def _listens(port):
    """Return whether somebody answers there."""
    with contextlib.suppress(OSError), create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
