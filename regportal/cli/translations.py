"""A command for sites in several languages: what is not said in one of them yet."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from regportal.cli.installation import opened
from regportal.forms.languages import Lack, lacking, languages_of, read_by_visitors
from regportal.store.documents import Published, Site
from regportal.store.words import is_spoken, unsaid


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the site."""

    language: str
    spoken: bool
    """Whether we speak it as well: else visitors are not answered in it."""
    own_words_missing: int
    """How many of our own sentences are not translated into it."""
    missing: tuple[Lack, ...]
    """The marketers' texts that lack it."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what a program may read.")
def translations(*, as_json: bool) -> None:
    """Print which texts lack one of the languages the site is written in."""
    with opened() as installation, installation.store.read() as session:
        published = installation.shelf.published(session)
    found = languages_in(published)
    if as_json:
        told = {"languages": [asdict(one) for one in found]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(line for one in found for line in _lines(one)))


def languages_in(published: Published) -> list[Language]:
    """Return each language of a site, its own first; raise NotHereError without a site."""
    own = Site.of(published).locale
    documents = read_by_visitors(published)
    lacks = lacking(documents, own)
    return [
        Language(
            language,
            is_spoken(language),
            unsaid(language),
            tuple(lack for lack in lacks if lack.language == language),
        )
        for language in languages_of(documents, own)
    ]


def _lines(found: Language) -> Iterator[str]:
    """Yield one language as people read it."""
    number = len(found.missing)
    texts = f"{number or 'no'} text{'' if number == 1 else 's'} missing"
    if not found.spoken:
        yield f"{found.language}: not spoken by us (docs/languages.md: how to add it); {texts}"
    elif found.own_words_missing:
        yield f"{found.language}: {found.own_words_missing} sentences of ours are missing; {texts}"
    else:
        yield f"{found.language}: {texts}"
    for lack in found.missing:
        name = lack.kind if lack.kind == "site" else f"{lack.kind} {lack.key}"
        yield f"  {name}: {lack.field}"
