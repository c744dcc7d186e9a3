"""
Collect our own words from templates and code into each language's catalogue: ``make messages``.

New sentences come in empty, those that are gone go, and nothing is guessed: a sentence whose
English has changed is a new one. Prints what each language lacks.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "regportal" / "locale"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "N_": None,
    "NN_": (1, 2),
    "Sentence": None,
}
PLACES = {
    "regportal": [("**.py", "python")],
    "templates": [("demo/**", "ignore"), ("**.html", "jinja2"), ("**.txt", "jinja2")],
}
TEMPLATES = {"trimmed": "true", "silent": "false"}
WIDTH = 98
CHANGING = tuple(
    f'"{name}:'
    for name in (
        "Project-Id-Version",
        "Report-Msgid-Bugs-To",
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    )
)
"""Lines of a catalogue's head that change with the day and the person."""


def collected() -> Catalog:
    """Return every sentence of ours, with the files it stands in."""
    catalogue = Catalog(fuzzy=False)
    for place, methods in PLACES.items():
        options = {pattern: TEMPLATES for pattern, method in methods if method == "jinja2"}
        for file, _, says, comments, context in extract_from_dir(
            ROOT / place, methods, options, KEYWORDS
        ):
            catalogue.add(
                says, None, [(f"{place}/{file}", 0)], auto_comments=comments, context=context
            )
    return catalogue


def catalogues() -> dict[str, Path]:
    """Return the file of each language."""
    return {file.parts[-3]: file for file in sorted(LOCALE.glob("*/LC_MESSAGES/messages.po"))}


def updated(file: Path, source: Catalog) -> Catalog:
    """Return a language's catalogue with the sentences of today, and those only."""
    with file.open("rb") as opened:
        catalogue = read_po(opened, locale=file.parts[-3])
    catalogue.update(source, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def is_missing(message: Message) -> bool:
    """Return whether a sentence, or one of its plurals, is not translated."""
    said = message.string
    return not (said if isinstance(said, str) else said and all(said))


def write(file: Path, catalogue: Catalog) -> None:
    """Write a catalogue: the same sentences give the same file, whenever and whoever writes it."""
    written = io.BytesIO()
    write_po(written, catalogue, width=WIDTH, sort_by_file=True, include_lineno=False)
    lines = written.getvalue().decode().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith(CHANGING)))


def main() -> int:
    """Write every catalogue; return 0, also where a language lacks something."""
    source = collected()
    for language, file in catalogues().items():
        catalogue = updated(file, source)
        write(file, catalogue)
        missing = [message.id for message in catalogue if message.id and is_missing(message)]
        print(f"{language}: {len(catalogue)} sentences, {len(missing)} to be translated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
