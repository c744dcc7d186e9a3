"""Nobody makes us call what lies behind our own walls (security.md T-17)."""

import contextlib
import itertools
import socket
import ssl
import threading
from ipaddress import ip_address, ip_network

import pytest

from regportal.connectors.dialling import ForbiddenTargetError
from regportal.connectors.egress import Egress, Limits
from regportal.connectors.rules import is_public, may_call
from regportal.errors import UnreachableError
from tests.connectors.receiver import receiving
from tests.patience import FOR_EVER, until

LOOPBACK = [ip_network("127.0.0.0/8")]
SHORT = Limits(connect=0.5, read=0.5, total=1)


@pytest.fixture
def canary():
    """A listener behind our walls, where nobody may ever arrive."""
    with receiving("127.0.0.1") as canary:
        yield canary
        assert canary.opened == 0


@pytest.fixture
def egress():
    with Egress() as egress:
        yield egress


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1.",
    "127.0.0.2",
    "127.255.255.254",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::1%25lo]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "user:password@127.0.0.1",
    "crm.example@127.0.0.1",
    "crm.example:443@127.0.0.1",
    "%31%32%37.0.0.1",
    "127.0.0.1%00.crm.example",
]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_our_own_machine_is_called(canary, egress, scheme, spelling):
    with pytest.raises(UnreachableError):
        egress.ask("POST", f"{scheme}://{spelling}:{canary.port}/in", body=b"{}")


@pytest.mark.parametrize("spelling", ["127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_what_the_operator_allows_is_called_however_it_is_spelled(spelling):
    with receiving() as inside, Egress(LOOPBACK) as egress:
        assert egress.ask("POST", f"http://{spelling}:{inside.port}/in").status == 204


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}\\@crm.example/",
        "http://127.0.0.1:{port}#@crm.example/",
        "http://127.0.0.1:{port}?@crm.example/",
        "http:127.0.0.1:{port}/",
        "http:///127.0.0.1:{port}/",
        "http:\\\\127.0.0.1:{port}\\",
        "//127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "http://[::1:{port}/",
        "http://127.0.0.1:{port}:80/",
        "http://127.0.0.1 crm.example:{port}/",
        "http://127.0.0.1\t:{port}/",
        "http://:{port}/",
        "http://",
        "",
    ],
)
def test_no_crooked_url_gets_through(canary, egress, url):
    with pytest.raises(UnreachableError):
        egress.ask("POST", url.format(port=canary.port))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_no_special_range_is_public(address):
    assert not is_public(ip_address(address))
    assert not may_call("https", 443, ip_address(address), ())


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "100.63.255.255", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255",
     "2606:4700::1", "2a00:1450::1", "::ffff:1.1.1.1"],
)  # fmt: skip
def test_the_open_internet_is_public_by_https_alone(address):
    found = ip_address(address)

    assert may_call("https", 443, found, ())
    assert may_call("https", 80, found, ())
    assert not may_call("http", 80, found, ())
    assert not may_call("https", 8443, found, ())
    assert not may_call("https", 22, found, LOOPBACK)


def test_one_bad_address_among_good_ones_is_enough_to_refuse(canary):
    names = {"crm.example": ["127.0.0.2", "1.1.1.1"]}
    with (
        Egress([ip_network("127.0.0.2/32")], resolve=lambda host, port: names[host]) as egress,
        pytest.raises(ForbiddenTargetError),
    ):
        egress.ask("POST", f"http://crm.example:{canary.port}/")


def test_a_name_that_changes_its_address_between_check_and_call_wins_nothing(canary):
    with receiving("127.0.0.2") as outside:
        answers = itertools.cycle([["127.0.0.2"], ["127.0.0.1"]])
        asked = []

        def rebinding(host, port):
            asked.append(host)
            return next(answers)

        refused = 0
        for _ in range(40):
            with Egress([ip_network("127.0.0.2/32")], resolve=rebinding) as egress:
                try:
                    egress.ask("POST", f"http://crm.example:{outside.port}/in")
                except ForbiddenTargetError:
                    refused += 1

        assert (len(outside.calls), refused, len(asked)) == (20, 20, 40)


def test_the_checked_address_is_dialled_and_the_name_is_told(canary):
    with (
        receiving("127.0.0.2") as outside,
        Egress(LOOPBACK, resolve=lambda host, port: ["127.0.0.2"]) as egress,
    ):
        egress.ask("POST", f"http://crm.example:{outside.port}/in")

        assert outside.calls[0].headers["Host"] == f"crm.example:{outside.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(canary, status):
    elsewhere = (status, {"Location": canary.url}, b"")
    with (
        receiving("127.0.0.2", answers=[elsewhere]) as outside,
        Egress([ip_network("127.0.0.2/32")]) as egress,
    ):
        assert egress.ask("POST", outside.url).status == status


def test_no_proxy_of_the_environment_is_used(canary, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, canary.url)
    with receiving("127.0.0.2") as outside, Egress(LOOPBACK) as egress:
        egress.ask("POST", outside.url)

        assert len(outside.calls) == 1


def test_no_cookie_is_kept_and_no_password_of_the_machine_is_sent(tmp_path, monkeypatch):
    secrets = tmp_path / "netrc"
    secrets.write_text("machine 127.0.0.2 login someone password secret")
    secrets.chmod(0o600)
    monkeypatch.setenv("NETRC", str(secrets))
    answers = [(200, {"Set-Cookie": "a=b; Path=/"}, b""), 200]
    with receiving("127.0.0.2", answers=answers) as outside, Egress(LOOPBACK) as egress:
        egress.ask("POST", outside.url)
        egress.ask("POST", outside.url)

        assert all("Cookie" not in call.headers for call in outside.calls)
        assert all("Authorization" not in call.headers for call in outside.calls)


def test_no_more_than_64_kib_of_an_answer_is_read():
    big = (200, {}, b"x" * 1_000_000)
    with receiving(answers=[big, big]) as outside, Egress(LOOPBACK) as egress:
        answer = egress.ask("POST", outside.url)

        assert len(answer.body) == 64 * 1024
        assert egress.ask("POST", outside.url).status == 200


def test_a_packed_answer_stays_packed():
    packed = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b not gzip at all")
    with receiving(answers=[packed]) as outside, Egress(LOOPBACK) as egress:
        answer = egress.ask("POST", outside.url)

        assert answer.body == b"\x1f\x8b not gzip at all"


def test_a_resolver_that_hangs_does_not_hang_us():
    answers, answered = threading.Event(), []

    def hangs(host, port):
        answers.wait(FOR_EVER)
        answered.append(host)
        return ["127.0.0.1"]

    with Egress(LOOPBACK, resolve=hangs, limits=SHORT) as egress, pytest.raises(UnreachableError):
        egress.ask("POST", "http://crm.example/")

    assert answered == []
    answers.set()


def test_a_tls_handshake_that_drips_does_not_hang_us():
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            with server.accept()[0] as line:
                try:
                    line.sendall(b"\x16\x03\x03\x40\x00")  # how a long record begins
                    until(lambda: line.sendall(b"x"))
                except OSError:
                    hung_up.set()

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        with Egress(LOOPBACK, limits=SHORT) as egress, pytest.raises(UnreachableError):
            egress.ask("POST", url)
        thread.join()

    assert hung_up.is_set()


def test_the_name_in_the_certificate_must_be_that_of_the_url(tmp_path):
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda line, name, context: asked.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def shake():
            with server.accept()[0] as line, contextlib.suppress(OSError):
                context.wrap_socket(line, server_side=True)

        thread = threading.Thread(target=shake)
        thread.start()
        url = f"https://crm.example:{server.getsockname()[1]}/"
        with (
            Egress(LOOPBACK, resolve=lambda host, port: ["127.0.0.1"]) as egress,
            pytest.raises(UnreachableError),
        ):
            egress.ask("POST", url)
        thread.join()

    assert asked == ["crm.example"]
