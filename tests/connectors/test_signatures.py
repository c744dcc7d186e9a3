"""Standard Webhooks: the public vectors, the library both ways, and every kind of nonsense."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from regportal.connectors.signatures import keys_of, sign, signed, verify
from regportal.errors import ConfigError, UnsignedError

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEYS = keys_of(SECRET)
BODY = '{"name": "Zoë"}'.encode()


@pytest.mark.parametrize(
    ("secret", "message_id", "seconds", "body", "signature"),
    [
        (
            SECRET,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            OTHER,
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1649367553,
            b'{"email":"test@example.com","username":"test_user"}',
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ],
)
def test_the_public_vectors_hold(secret, message_id, seconds, body, signature):
    at = datetime.fromtimestamp(seconds, UTC)
    headers = signed(keys_of(secret), message_id, at, body)

    assert headers["webhook-signature"] == signature
    assert verify(keys_of(secret), headers, body, now=at) == message_id


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_the_library_believes_us(text):
    body = text.encode()

    headers = signed(KEYS, "msg_1", datetime.now(UTC), body)  # it has no clock but the real one
    Webhook(SECRET).verify(body, headers, json_parse=False)


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_we_believe_the_library(text):
    signature = Webhook(SECRET).sign(msg_id="msg_1", timestamp=NOW, data=text)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(NOW.timestamp())),
        "Webhook-Signature": signature,
    }

    assert verify(KEYS, headers, text.encode(), now=NOW) == "msg_1"


def test_the_same_instant_has_one_signature_in_every_time_zone():
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))

    assert sign(KEYS, "m", tokyo, BODY) == sign(KEYS, "m", NOW, BODY)


def test_during_a_rotation_both_secrets_hold():
    both = keys_of(f"{OTHER}, {SECRET}")
    headers = signed(both, "m", NOW, BODY)

    assert len(headers["webhook-signature"].split(" ")) == 2
    for keys in (KEYS, keys_of(OTHER), both):
        assert verify(keys, headers, BODY, now=NOW) == "m"
        assert verify(both, signed(keys, "m", NOW, BODY), BODY, now=NOW) == "m"


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_to_either_side_are_taken(seconds):
    at = NOW.replace(microsecond=0)

    verify(KEYS, signed(KEYS, "m", at + timedelta(seconds=seconds), BODY), BODY, now=at)


@pytest.mark.parametrize("seconds", [-301, 301, 86400 * 365, -86400 * 365])
def test_more_than_five_minutes_to_either_side_are_not(seconds):
    at = NOW.replace(microsecond=0)
    headers = signed(KEYS, "m", at + timedelta(seconds=seconds), BODY)

    with pytest.raises(UnsignedError):
        verify(KEYS, headers, BODY, now=at)


def test_another_body_id_time_or_secret_is_not_believed():
    good = signed(KEYS, "m", NOW, BODY)
    later = str(int(NOW.timestamp()) + 1)

    for headers, body, keys in [
        (good, BODY + b" ", KEYS),
        (good | {"webhook-id": "n"}, BODY, KEYS),
        (good | {"webhook-timestamp": later}, BODY, KEYS),
        (good, BODY, keys_of(OTHER)),
        (good, BODY, ()),
    ]:
        with pytest.raises(UnsignedError):
            verify(keys, headers, body, now=NOW)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_not_believed(missing):
    headers = signed(KEYS, "m", NOW, BODY)
    del headers[missing]

    with pytest.raises(UnsignedError):
        verify(KEYS, headers, BODY, now=NOW)


def test_a_dot_cannot_move_from_the_id_to_the_body():
    seconds = int(NOW.timestamp())
    headers = signed(KEYS, f"m.{seconds}", NOW, BODY)

    with pytest.raises(UnsignedError):
        verify(KEYS, headers, BODY, now=NOW)


GOOD = signed(KEYS, "msg_1", NOW, BODY)
NONSENSE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "garbage",
            "v1",
            "v1,",
            "v1,=",
            "v1,é",
            "v1a,AAAA",
            "v1,AAAA v1",
            " ",
            "v1,,",
            "٣" * 10,
            "1e9",
            "-1",
            "9" * 400,
            GOOD["webhook-signature"] + "é",
            " " + GOOD["webhook-timestamp"],
            GOOD["webhook-timestamp"] + "\n",
        ]
    ),
)


@given(st.sampled_from(sorted(GOOD)), NONSENSE)
def test_no_nonsense_in_a_header_raises_anything_else(name, nonsense):
    headers = GOOD | {name: nonsense}
    if headers == GOOD:
        return

    with pytest.raises(UnsignedError):
        verify(KEYS, headers, BODY, now=NOW)


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=60)), st.binary(max_size=100))
def test_no_headers_and_no_bytes_raise_anything_else(headers, body):
    with pytest.raises(UnsignedError):
        verify(KEYS, headers, body, now=NOW)


@given(st.integers(0, 31), st.integers(0, 7))
def test_no_bit_of_a_signature_may_differ(byte, bit):
    raw = bytearray(base64.b64decode(GOOD["webhook-signature"].removeprefix("v1,")))
    raw[byte] ^= 1 << bit
    flipped = GOOD | {"webhook-signature": f"v1,{base64.b64encode(raw).decode()}"}

    with pytest.raises(UnsignedError):
        verify(KEYS, flipped, BODY, now=NOW)


def test_one_good_signature_among_bad_ones_is_enough():
    mixed = GOOD | {"webhook-signature": f"v1a,xx garbage {GOOD['webhook-signature']} "}

    assert verify(KEYS, mixed, BODY, now=NOW) == "msg_1"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        " , ",
        "secret",
        "whsec_",
        "whsec_AAAA",
        "whsec_ä",
        SECRET.removeprefix("whsec_"),
        f"x{SECRET}",
        f"whsec_{base64.b64encode(bytes(23)).decode()}",
        f"whsec_{base64.b64encode(bytes(65)).decode()}",
        f"{SECRET},whsec_short",
    ],
)
def test_a_secret_that_is_none_is_refused_without_being_shown(secret):
    with pytest.raises(ConfigError) as caught:
        keys_of(secret)

    assert str(caught.value) in {
        "a webhook secret is empty",
        "a webhook secret must be whsec_ and 24 to 64 bytes in base64",
    }


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_has_24_to_64_bytes(size):
    assert keys_of(f"whsec_{base64.b64encode(bytes(size)).decode()}") == (bytes(size),)
