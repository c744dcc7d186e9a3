"""Our own words: all of them can be said in other languages, and are in those we speak."""

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from regportal.store.words import FOLDER, Sentence, languages, translated
from tools.messages import catalogues, collected, is_missing

ROOT = Path(__file__).parents[2]
SPOKEN = ["ar", "de"]
TEMPLATES = [
    file
    for file in sorted((ROOT / "templates").rglob("*"))
    if file.suffix in {".html", ".txt"} and not {"demo", "sandbox"} & {*file.parts}  # in English
]
TOLD = [
    *(
        file
        for file in ROOT.glob("regportal/forms/*.py")
        if file.name not in {"schema.py", "choosing.py"}  # told to marketers, and to programs
    ),
    *(
        file
        for file in ROOT.glob("regportal/privacy/*.py")
        if file.name in {"views.py", "actions.py"}
    ),
    ROOT / "regportal/identity/addresses.py",
]
"""Where sentences are written that a visitor is shown when something cannot be taken."""
SHOWN = {"BadRequestError", "ForbiddenError", "StaleError", "TooManyError", "ValueError"}


def sentences(message):
    """A message's English, one or two."""
    return [message.id] if isinstance(message.id, str) else list(message.id)


def translations(message):
    """A message in the other language, in all its plurals."""
    return [message.string] if isinstance(message.string, str) else list(message.string)


@pytest.fixture(params=SPOKEN)
def catalogue(request):
    """A language's sentences, as they are kept."""
    with catalogues()[request.param].open("rb") as source:
        return read_po(source, locale=request.param)


def test_we_speak_english_and_every_language_with_a_catalogue():
    assert languages() == ("en", *SPOKEN)
    assert sorted(catalogues()) == SPOKEN


def test_every_sentence_is_translated(catalogue):
    missing = [message.id for message in catalogue if message.id and is_missing(message)]

    assert missing == []


def test_every_catalogue_has_the_sentences_of_today_and_no_others(catalogue):
    kept = {tuple(sentences(message)) for message in catalogue if message.id}
    today = {tuple(sentences(message)) for message in collected() if message.id}

    assert today - kept == set(), "run `make messages`, and translate what is new"
    assert kept - today == set(), "run `make messages`"
    assert not catalogue.obsolete


def test_nothing_is_only_guessed(catalogue):
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


def test_every_language_has_all_of_its_plurals(catalogue):
    for message in catalogue:
        if isinstance(message.id, tuple):
            assert len(message.string) == catalogue.num_plurals


def parts(sentence):
    """The values and the markup of a sentence: what a translation must keep."""
    values = re.findall(r"%\(\w+\)[sd]", sentence)
    return sorted(set(values)), sorted(re.findall(r"</?\w+[^>]*>", sentence))


def test_translations_keep_values_and_markup(catalogue):
    for message in catalogue:
        if isinstance(message.id, tuple):
            values = set(parts(message.id[1])[0])
            assert all(set(parts(one)[0]) <= values for one in message.string), message.id
        elif message.id:
            assert parts(message.id) == parts(message.string), message.id
        for one in translations(message) if message.id else []:
            assert "%" not in re.sub(r"%\(\w+\)[sd]", "", one), one


def test_translations_keep_the_room_around_and_the_last_sign(catalogue):
    ends = {".": ".", "?": "?؟", ":": ":"}
    for message in catalogue:
        if isinstance(message.id, str) and message.id.strip():
            said, here = message.id, message.string
            assert here == here.strip() or said != said.strip(), said
            if said[-1] in ends:
                assert here[-1] in ends[said[-1]], (said, here)


def test_no_translation_says_the_english_again(catalogue):
    same = {"Newsletter", "Online", "Demo", "Video", "Webinar", ", ", "; ", "%(kind)s, %(size)s"}
    same |= {"Code", "Link", "Name", "Passkeys"}
    for message in catalogue:
        if message.id and message.id not in same:
            assert translations(message)[0] not in sentences(message), message.id


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: str(one.relative_to(ROOT)))
def test_no_template_says_a_word_that_cannot_be_translated(template):
    text = template.read_text()
    for spoken in (
        r"{% block state %}.*?{% endblock %}",  # for scripts, not for people
        r"{#.*?#}",
        r"{% *trans\b.*?{% *endtrans *%}",
        r"{%.*?%}",
        r"{{.*?}}",
        r"<[^>]*>",
        r"&\w+;",
    ):
        text = re.sub(spoken, " ", text, flags=re.DOTALL)

    assert re.findall(r"[^\W\d_]+", text) == []


def raised(file):
    """Every sentence a module raises where a visitor may read it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            name = getattr(node.exc.func, "id", "")
            said = node.exc.args[0]
            if name in SHOWN and isinstance(said, ast.Constant | ast.JoinedStr):
                yield name, ast.unparse(said)


@pytest.mark.parametrize("file", TOLD, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_error_is_told_in_words_that_cannot_be_translated(file):
    assert list(raised(file)) == []


def test_a_sentence_with_values_is_translated_with_them():
    error = ValueError(Sentence("Please use at most %(most)d characters.", most=400))

    assert str(error) == "Please use at most 400 characters."
    assert translated(str(error), "de") == "Bitte verwenden Sie höchstens 400 Zeichen."


def test_what_nobody_translated_stays_as_it_is():
    assert translated("What a marketer wrote: 100 %", "de") == "What a marketer wrote: 100 %"
    assert translated("", "de") == ""


@pytest.mark.parametrize("locale", ["../../../etc", "de/../../x", "", "de\0", "xx-YY", "x" * 5000])
def test_no_name_of_a_language_leads_out_of_the_catalogues(locale):
    assert translated("No", locale) == "No"


def test_catalogues_lie_in_the_package():
    assert FOLDER.is_relative_to(ROOT / "regportal")
