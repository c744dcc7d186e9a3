"""Writing documents back as the file they came from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from regportal.documents.plans import Body, Name
from regportal.documents.schema import SECTION_OF, SECTIONS, SINGLE

WIDTH = 100
FOLDER = "files"


@dataclass(frozen=True, slots=True)
class Exported:
    """The text of regportal.yaml, and the hash of each file it speaks of, by its path."""

    text: str
    files: Mapping[str, str]


class _Dumper(yaml.SafeDumper):
    """Writes everything out, as the reader asks for it."""

    def ignore_aliases(self, data: Any) -> bool:
        """Refer to nothing."""
        del data
        return True


def written(documents: Iterable[tuple[Name, Body]]) -> Exported:
    """
    Return documents, in their order, as one file.

    >>> print(written([(("site", "site"), {"name": "no"})]).text, end="")
    site:
      name: 'no'
    """
    documents = list(documents)
    paths = _paths(documents)
    sections: dict[str, Any] = {}
    files: dict[str, str] = {}
    for (kind, key), body in documents:
        section = SECTION_OF[kind]
        plain = {name: value for name, value in body.items() if name != "content"}
        if (kind, key) in paths:
            plain["file"] = paths[kind, key]
            files[plain["file"]] = body["content"]["sha256"]
        if section in SINGLE:
            sections[section] = plain
        else:
            sections.setdefault(section, []).append(plain)
    parts = [_text({name: sections[name]}) for name in SECTIONS if name in sections]
    return Exported("\n".join(parts), files)


def _text(part: dict[str, Any]) -> str:
    """Write one section."""
    text: str = yaml.dump(part, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text


def _paths(documents: Iterable[tuple[Name, Body]]) -> dict[Name, str]:
    """Return where the file of each asset is written; no two at one place on any machine."""
    assets = {name: body["content"]["name"] for name, body in documents if "content" in body}
    shown = [file.casefold() for file in assets.values()]
    folders = {key for _, key in assets}
    return {
        name: f"{FOLDER}/{file}"
        if shown.count(file.casefold()) == 1 and file.casefold() not in folders
        else f"{FOLDER}/{name[1]}/{file}"
        for name, file in assets.items()
    }
