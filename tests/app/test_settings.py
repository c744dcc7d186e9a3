"""Settings: what cannot be used is refused in one sentence that names it."""

import re
import stat

import pytest

from regportal.app import create_app
from regportal.config import load
from regportal.errors import ConfigError

KEY = "k" * 32
TLS = "https://portal.acme.example"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"base_url": "portal.acme.example"}, "BASE_URL must be an http or https address"),
        ({"base_url": "ftp://portal.acme.example"}, "BASE_URL must be an http or https address"),
        ({"base_url": "http://portal.acme.example"}, "BASE_URL must be https on any host but"),
        ({"base_url": "http://localhost.evil.example"}, "BASE_URL must be https on any host but"),
        ({"base_url": f"{TLS}?x=1", "secret_key": KEY}, "BASE_URL must have no query"),
        ({"base_url": f"{TLS}#x", "secret_key": KEY}, "BASE_URL must have no query"),
        ({"base_url": "https://a:b@acme.example"}, "BASE_URL must have no query, fragment or user"),
        ({"base_url": TLS}, "SECRET_KEY must be set on any host but localhost"),
        ({"base_url": TLS, "secret_key": "short"}, "SECRET_KEY must have at least 16 characters"),
        ({"secret_key": f"{KEY},short"}, "SECRET_KEY must have at least 16 characters"),
        ({"hsts": "everywhere"}, "HSTS"),
        (
            {"base_url": f"{TLS}/portal", "secret_key": KEY, "hsts": "subdomains"},
            "HSTS must be host where BASE_URL has a path",
        ),
        ({"proxy_hops": "many"}, "PROXY_HOPS"),
        ({"proxy_hops": "-1"}, "PROXY_HOPS"),
        ({"allow_private_targets": "10.0.0.0/40"}, "ALLOW_PRIVATE_TARGETS"),
        ({"limits": "maybe"}, "LIMITS"),
        ({"log_level": "LOUD"}, "LOG_LEVEL"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(monkeypatch, tmp_path, settings, says):
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(f"REGPORTAL_{name.upper()}", value)
    with pytest.raises(ConfigError) as refused:
        load()

    sentence = str(refused.value)
    assert says in sentence
    assert "\n" not in sentence
    assert KEY not in sentence


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"storage_url": "ftp://files"}, "STORAGE_URL"),
        ({"mail_url": "http://mail.example"}, "MAIL_URL"),
        ({"database_url": "oracle://db"}, "DATABASE_URL"),
        ({"database_url": "nonsense"}, "DATABASE_URL"),
    ],
)
def test_an_address_of_the_wrong_kind_is_refused_before_anything_is_served(
    monkeypatch, tmp_path, settings, says
):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=says) as refused:
        create_app(load(**settings))
    assert "\n" not in str(refused.value)


def test_the_environment_is_read_and_a_file_beside_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("REGPORTAL_PROXY_HOPS=2\nREGPORTAL_LOG_LEVEL=DEBUG\nOTHER=x\n")
    monkeypatch.setenv("REGPORTAL_LOG_LEVEL", "ERROR")
    settings = load()

    assert (settings.proxy_hops, settings.log_level) == (2, "ERROR")


def test_keys_are_made_once_and_kept_for_nobody_else(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    first, second = load(), load()

    assert first.keys == second.keys
    assert first.pepper == second.pepper
    assert first.keys[0] != first.pepper_text.encode()
    for name in ("secret_key", "pepper"):
        kept = tmp_path / "instance" / name
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_of_several_keys_the_first_signs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGPORTAL_SECRET_KEY", f"{'n' * 32}, {'o' * 32}")

    assert load().keys == (b"n" * 32, b"o" * 32)


def test_nothing_secret_is_seen_when_settings_are_printed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = load(
        secret_key=KEY,
        pepper="pepperpepper",
        mail_url="smtp://ann:geheim@mail.example",
        database_url="postgresql+psycopg://ann:geheim@db.example/x",
    )

    assert not re.search(f"{KEY}|pepperpepper|geheim", repr(settings) + str(settings))


def test_a_secret_is_named_and_never_written_down(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRM_SECRET", "whsec_abc")
    settings = load()

    assert settings.secret("env:CRM_SECRET") == "whsec_abc"
    for reference in ("env:MISSING", "env:", "whsec_abc", "file:/etc/passwd"):
        with pytest.raises(ConfigError) as refused:
            settings.secret(reference)
        assert "\n" not in str(refused.value)
