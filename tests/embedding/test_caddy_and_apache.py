"""The portal below a path of a site behind Caddy and Apache, set up as docs/proxies.md says."""

import shutil
from contextlib import ExitStack

import pytest
import requests

from tests.portal import FIREFOX, served
from tests.web_servers import in_the_docs, running
from tools.ensure_browser import APACHE, CADDY, ensure
from tools.ports import free_port

pytestmark = pytest.mark.soak

CADDYFILE = """
{{
  admin off
  auto_https off
}}
http://www.acme.test:{port} {{
  bind 127.0.0.1
  {location}
}}
"""
HTTPD = """
ServerName www.acme.test
PidFile {folder}/httpd.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
{modules}
{location}
"""
MODULES = "mpm_event", "authz_core", "proxy", "proxy_http", "headers"


def caddy(folder, port, location):
    """Return the command that runs Caddy."""
    (folder / "Caddyfile").write_text(CADDYFILE.format(port=port, location=location))
    return [ensure(CADDY), "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


def apache(folder, port, location):
    """Return the command that runs Apache."""
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES
    )
    said = HTTPD.format(folder=folder, port=port, location=location, modules=modules)
    (folder / "httpd.conf").write_text(said)
    return [ensure(APACHE), "-X", "-d", folder, "-f", folder / "httpd.conf"]


@pytest.fixture(params=[(caddy, "caddy"), (apache, "apache")], ids=["caddy", "apache"])
def site(request, _sqlite_template, tmp_path):
    """A portal below a path of www.acme.test, with TLS ended elsewhere; and how to ask it."""
    set_up, language = request.param
    shutil.copyfile(_sqlite_template, tmp_path / "regportal.db")
    with ExitStack() as stack:
        portal, behind = stack.enter_context(
            served(
                f"sqlite:///{tmp_path}/regportal.db",
                tmp_path,
                base_url="https://www.acme.test/portal",
                proxy_hops=1,
                secret_key="x" * 32,
            )
        )
        port = free_port()
        location = in_the_docs("proxies.md", language).replace(
            "127.0.0.1:8000", behind.removeprefix("http://").replace("localhost", "127.0.0.1")
        )
        command = [str(one) for one in set_up(tmp_path, port, location)]
        stack.enter_context(running(command, tmp_path, port))

        def ask(path, **headers):
            said = {"Host": "www.acme.test", "User-Agent": FIREFOX, **headers}
            address = f"http://127.0.0.1:{port}{path}"
            return requests.get(address, headers=said, timeout=30, allow_redirects=False)

        yield portal, ask


def test_the_gate_comes_with_addresses_below_the_path_and_cookies_of_the_host(site):
    _, ask = site
    page = ask("/portal/g/guide")

    assert page.status_code == 200
    assert 'action="/portal/g/guide"' in page.text
    assert page.headers["Set-Cookie"].startswith("__Host-rp_s=")
    assert page.headers["Cache-Control"] == "no-store"


def test_what_a_visitor_claims_of_his_address_is_not_believed(site):
    portal, ask = site
    seen = []
    behind = portal.app.wsgi_app

    def watching(environ, start_response):
        behind_proxies = behind(environ, start_response)
        seen.append((environ["REMOTE_ADDR"], environ["HTTP_HOST"]))
        return behind_proxies

    portal.app.wsgi_app = watching
    ask("/portal/healthz", **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.test"})

    assert seen == [("127.0.0.1", "www.acme.test")]
