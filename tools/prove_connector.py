"""
Prove a connector against a CRM that runs: walk one scenario twice, and say what was seen.

    python tools/prove_connector.py crm.yaml --stop 'systemctl stop odoo' --start …

`crm.yaml` is a connector's document, as under `connectors:`; the secrets it names are read from
the environment. Use a CRM for trying: people and opportunities are made in it, and everything in
it is read. The user needs the rights that docs/crm/ names; `--hands` names the secret of a
colleague who may do more, and `--provision` makes missing fields as him. Ends with 1 at the first
step that fails.
"""

import argparse
import secrets
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))

from regportal.config import Settings, load
from regportal.connectors.base import connector_for
from regportal.connectors.egress import Egress
from regportal.connectors.records import Records
from regportal.connectors.schema import Connector
from regportal.errors import RegportalError
from tools.hands.by_type import HANDS, TRIMS, Secret
from tools.scenario import BAD, VOCABULARY, FailedError, Walk, whole_second
from tools.transcripts import Recording, Replaying, Transcript, TranscriptError

INSTEAD = {"url": "https://crm.example", "database": "database", "client": "client"}
"""What a transcript has in place of where a CRM is, and as whom it was called."""


def connected(document: Connector, settings: Settings, secret: Secret, egress: Egress) -> Records:
    """Return the connector of a document, over an egress of ours."""
    return cast("Records", connector_for(document, settings, secret, egress=egress))


def replayed(path: Path) -> Transcript:
    """Walk through a transcript once more; return what is left of it: nothing."""
    transcript = Transcript.read(path)
    about, egress = transcript.about, Replaying(transcript)
    document, hands = Connector(**about["document"]), Connector(**about["hands"])

    def secret(name: str) -> str:
        return name

    def nothing() -> None:
        """Stop, or start: what was seen then was recorded."""

    transcript.secrets = {}
    settings = load(_env_file=None)
    walk = Walk(
        document,
        connected(document, settings, secret, egress),
        HANDS[document.type](hands, secret, egress),
        about["tag"],
        datetime.fromisoformat(about["now"]),
        *((nothing, nothing) if about["stopped"] else (None, None)),
    )
    for _ in walk.steps():
        pass
    return transcript


def main() -> int:
    """Walk; return how it ended."""
    try:
        return _proved(_arguments())
    except (RegportalError, OSError, ValueError, yaml.YAMLError) as error:
        print(f"FAILED to begin: {error}")
        return 1


def _proved(asked: argparse.Namespace) -> int:
    """Walk as the command line asks; return how it ended."""
    document = Connector(**{"key": "crm", **yaml.safe_load(asked.document.read_text())})
    more = {"secret": asked.hands or document.secret, "client": asked.hands_client}
    hands = document.model_copy(update={name: one for name, one in more.items() if one})
    settings = load(allow_private_targets=asked.private, _env_file=None)
    now, tag = whole_second(datetime.now(UTC)), secrets.token_hex(3)
    about = _about(document, hands) | {
        "proven": now.date().isoformat(),
        "tag": tag,
        "now": now.isoformat(),
        "stopped": bool(asked.stop and asked.start),
    }
    transcript = Transcript(about, _hidden(document, hands, settings.secret))
    if asked.provision:
        egress = Egress(settings.allow_private_targets)
        connected(hands, settings, settings.secret, egress).provision(VOCABULARY, dry_run=False)
    trim = TRIMS.get(document.type, lambda _, said: said)
    egress = Recording(transcript, document.url, settings.allow_private_targets, trim)
    walk = Walk(
        document,
        connected(document, settings, settings.secret, egress),
        HANDS[document.type](hands, settings.secret, egress),
        tag,
        now,
        asked.stop and _running(asked.stop),
        asked.start and _running(asked.start),
    )
    amiss = _walked(walk) or _kept(transcript, asked.record)
    if amiss:
        print(f"FAILED {amiss}", flush=True)
        return 1
    print(f"proven: {document.type}, {len(transcript.calls)} calls")
    return 0


def _about(document: Connector, hands: Connector) -> dict[str, Any]:
    """Return what a transcript says of the connector and the hands: nothing of where they are."""
    told = document.model_dump(mode="json", exclude_unset=True)
    kept = told | {name: word for name, word in INSTEAD.items() if told.get(name)}
    by_hand = "env:HANDS" if hands.secret != document.secret else "env:KEY"
    return {
        "crm": document.type,
        "document": kept | {"secret": "env:KEY"},
        "hands": kept | {"secret": by_hand},
    }


def _hidden(document: Connector, hands: Connector, secret: Secret) -> dict[str, str]:
    """Return what a transcript may never have → what it has instead."""
    hidden = {secret(hands.secret): "env:HANDS", secret(document.secret): "env:KEY"}
    hidden[document.url.rstrip("/")] = INSTEAD["url"]
    return hidden | {
        str(getattr(one, name)): INSTEAD[name]
        for one in (hands, document)
        for name in ("database", "client")
        if getattr(one, name)
    }


def _walked(walk: Walk) -> str:
    """Walk and say each step as it was seen; return what failed, or nothing."""
    name = "begin"
    try:
        for name, seen in walk.steps():
            print(f"ok    {name}: {seen}", flush=True)
    except (FailedError, RegportalError) as error:
        return f"after {name}: {error}"
    return ""


def _kept(transcript: Transcript, path: Path | None) -> str:
    """Write a transcript down where that is asked; return what is wrong with it, or nothing."""
    if transcript.tells(BAD):
        return "for a phase that the field does not have was sent"
    try:
        if path is not None:
            transcript.write(path)
    except TranscriptError as error:
        return f"to record: {error}"
    return ""


def _running(command: str) -> Callable[[], None]:
    """Return what runs a command of the operator's, and waits for its end."""

    def run() -> None:
        subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)  # noqa: S602 - it is the operator's

    return run


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    reader.add_argument("document", type=Path, help="a connector's document, YAML")
    reader.add_argument("--stop", help="a command that stops the CRM, and returns when it is down")
    reader.add_argument("--start", help="a command that starts it, and returns when it answers")
    reader.add_argument("--hands", help="env:NAME of whoever does what people do; else the same")
    reader.add_argument("--hands-client", help="his login, where the CRM wants one")
    reader.add_argument("--provision", action="store_true", help="make missing fields first")
    reader.add_argument("--private", default="127.0.0.0/8", help="networks that may be called")
    reader.add_argument("--record", type=Path, help="write a transcript, without keys and hosts")
    return reader.parse_args()


if __name__ == "__main__":
    sys.exit(main())
