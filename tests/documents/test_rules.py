import pytest

from regportal.documents.reading import read_text
from regportal.documents.rules import check, remarks, wording_fault

COUNTRIES = {"GB": "United Kingdom", "US": "United States", "NO": "Norway"}
SITE = "site: {name: Acme, controller: Acme, privacy_notice: 'https://acme.example/p'}\n"
ASSET = "assets: [{key: paper, title: P, category: paper, url: 'https://acme.example/p'}]\n"
COUNTRY = "  - {key: country, label: C, type: country}\n"
LETTER = "newsletters: [{key: news, title: N, wording: Send me news., topics: [a]}]\n"


def findings(text, site=SITE):
    book = read_text((site + text).encode())
    book.refuse_faults()
    return [
        (".".join(map(str, one.path)), one.says)
        for one in check(book.documents, book.paths, COUNTRIES)
    ]


def region(when):
    return f"questions:\n{COUNTRY}  - {{key: region, label: R, type: region{when}}}\n"


def buying(condition):
    return f"buying: {{phases: [{{id: a}}, {{id: b, enter: {{any: [{condition}]}}}}]}}\n"


def score(line, thresholds=""):
    return f"scores: [{{key: s, profile: {{points: [{line}]}}{thresholds}}}]\n"


def deed(deed):
    return f"scores: [{{key: s, behaviour: [{{group: g, half_life: 7d, points: [{deed}]}}]}}]\n"


WRONG = {
    "a score that counts what nobody is asked": (
        f"questions:\n{COUNTRY}" + score("{answer: {question: cuntry, known: true}, points: 5}"),
        "profile.points.0.answer.question",
        "there is no question called 'cuntry'; did you mean 'country'?",
    ),
    "a score for an answer nobody can give": (
        f"questions:\n{COUNTRY}" + score("{answer: {question: country, in: [GB, UK]}, points: 5}"),
        "profile.points.0.answer.in.1",
        "'UK' is not the code of a country, like GB or US; did you mean 'GB'?",
    ),
    "a score for a number where none is asked": (
        f"questions:\n{COUNTRY}" + score("{answer: {question: country, at_least: 5}, points: 5}"),
        "profile.points.0.answer.at_least",
        "'country' is not a question of type number",
    ),
    "a score of what is sensitive": (
        "questions: [{key: q, label: Q, type: text, sensitive: true}]\n"
        + score("{answer: {question: q, known: true}, points: 5}"),
        "profile.points.0.answer.question",
        "'q' is sensitive: no score may count it",
    ),
    "a score for a level there is not": (
        score("{field: {name: level, equals: directer}, points: 5}"),
        "profile.points.0.field.equals",
        (
            "'directer' is not one of student, assistant, specialist, manager, director, vp,"
            " c-level; did you mean 'director'?"
        ),
    ),
    "a score for a country there is not": (
        score("{field: {name: country, in: [UK]}, points: 5}"),
        "profile.points.0.field.in.0",
        "'UK' is not the code of a country, like GB or US; did you mean 'GB'?",
    ),
    "a score for a category there is not": (
        ASSET + deed("{event: download, where: {category: [paper, papre]}, points: 5}"),
        "behaviour.0.points.0.where.category.1",
        "no asset has the category 'papre'; did you mean 'paper'?",
    ),
    "more scores than anybody can look at": (
        "scores:\n"
        + "".join(f"  - {{key: s{one}, temporal: {{momentum: {{}}}}}}\n" for one in range(33)),
        "key",
        "is one score too many: every deed is weighed by each, and 32 are enough",
    ),
    "a threshold nobody can reach": (
        score("{field: {name: level, equals: vp}, points: 5}", ", thresholds: {hot: 6}"),
        "thresholds.hot",
        "nobody can reach 6: all parts together give 5 at most",
    ),
    "a gate without its asset": (
        ASSET + "gates: [{key: g, asset: papr, headline: H}]",
        "asset",
        "there is no asset called 'papr'; did you mean 'paper'?",
    ),
    "a gate that asks what there is not": (
        ASSET + "gates: [{key: g, asset: paper, headline: H, questions: [x]}]",
        "questions.0",
        "there is no question called 'x'",
    ),
    "a gate that offers what there is not": (
        ASSET + "gates: [{key: g, asset: paper, headline: H, newsletters: [x]}]",
        "newsletters.0",
        "there is no newsletter called 'x'",
    ),
    "a gate that asks twice": (
        ASSET
        + "questions:\n"
        + COUNTRY
        + "gates: [{key: g, asset: paper, headline: H, questions: [country, country]}]",
        "questions.1",
        "'country' is listed twice",
    ),
    "a gate that asks in the wrong order": (
        ASSET
        + region(", when: {answer: {question: country, in: [US]}}")
        + "gates: [{key: g, asset: paper, headline: H, questions: [region, country]}]",
        "questions.0",
        "'region' depends on 'country', which is asked later",
    ),
    "a region of no country": (region(""), "when", "is missing"),
    "a region of something else": (
        (
            "questions:\n  - {key: c, label: C, type: text}\n"
            "  - {key: r, label: R, type: region, when: {answer: {question: c, in: [US]}}}\n"
        ),
        "when.answer.question",
        "'c' must be a question of type country",
    ),
    "a condition on no question": (
        region(", when: {answer: {question: land, in: [US]}}"),
        "when.answer.question",
        "there is no question called 'land'",
    ),
    "a country there is not": (
        region(", when: {answer: {question: country, in: [US, UK]}}"),
        "when.answer.in.1",
        "'UK' is not the code of a country",
    ),
    "a choice there is not": (
        (
            "questions:\n  - {key: a, label: A, type: choice, choices: {soon: S, later: L}}\n"
            "  - {key: b, label: B, type: text, when: {answer: {question: a, in: [latr]}}}\n"
        ),
        "when.answer.in.0",
        "'a' cannot be answered with 'latr'; did you mean 'later'?",
    ),
    "a yes that is no answer": (
        (
            "questions:\n  - {key: a, label: A, type: yes-no}\n"
            "  - {key: b, label: B, type: text, when: {answer: {question: a, in: ['true']}}}\n"
        ),
        "when.answer.in.0",
        "'a' cannot be answered with 'true'",
    ),
    "questions that wait for each other": (
        (
            "questions:\n"
            "  - {key: a, label: A, type: text, when: {answer: {question: b, in: [x]}}}\n"
            "  - {key: b, label: B, type: text, when: {answer: {question: a, in: [x]}}}\n"
        ),
        "when.answer.question",
        "leads back to this question",
    ),
    "a first phase with an entry": (
        "buying: {phases: [{id: a, enter: {any: [{event: download}]}}]}\n",
        "phases.0.enter",
        "every opportunity begins in the first phase",
    ),
    "a category nothing has": (
        buying("{event: download, where: {category: [paper, price-lst]}}"),
        "phases.1.enter.any.0.where.category.1",
        "no asset has the category 'price-lst'; did you mean 'price-list'?",
    ),
    "a rule about a question that nobody asks": (
        ASSET + f"questions:\n{COUNTRY}" + buying("{answer: {question: county, known: true}}"),
        "phases.1.enter.any.0.answer.question",
        "there is no question called 'county'; did you mean 'country'?",
    ),
    "a rule about an answer that nobody can give": (
        ASSET + f"questions:\n{COUNTRY}" + buying("{answer: {question: country, in: [GB, UK]}}"),
        "phases.1.enter.any.0.answer.in.1",
        "'UK' is not the code of a country, like GB or US; did you mean 'GB'?",
    ),
    "a rule about the number of a country": (
        ASSET + f"questions:\n{COUNTRY}" + buying("{answer: {question: country, at_least: 3}}"),
        "phases.1.enter.any.0.answer",
        "'country' is not a question of type number",
    ),
    "a rule about a score that is not there": (
        ASSET + buying("{all: [{event: call}, {score: {name: fit, at_least: 40}}]}"),
        "phases.1.enter.any.0.all.1.score.name",
        "there is no score called 'fit'",
    ),
    "a rule about a score that is none of its thresholds": (
        ASSET
        + score("{field: {name: level, equals: vp}, points: 50}", ", thresholds: {hot: 40}")
        + buying("{all: [{event: call}, {score: {name: s, at_least: 30}}]}"),
        "phases.1.enter.any.0.all.1.score.at_least",
        "30 is no threshold of 's': hot (40)",
    ),
    "a rule about a field nobody knows": (
        ASSET + buying("{all: [{event: call}, {field: {name: contry, known: true}}]}"),
        "phases.1.enter.any.0.all.1.field.name",
        "'country'",
    ),
    "a rule about more downloads than are counted": (
        ASSET + buying("{event: download, count: {at_least: 3}, within: 10m}"),
        "phases.1.enter.any.0.count.at_least",
        "is more than is counted: a download counts once a visit and thing, 1 times in 10m",
    ),
    "a rule about more films than there are": (
        ASSET
        + buying(
            "{event: video_watch, where: {category: paper}, watched: 50%, count: {at_least: 2},"
            " by: same_contact}"
        ),
        "phases.1.enter.any.0.count.at_least",
        "is more than is counted: a film counts once a person, and there are 1",
    ),
    "a rule about an asset that is not there": (
        ASSET + buying("{event: download, where: {object: [paper, papr]}}"),
        "phases.1.enter.any.0.where.object.1",
        "there is no asset called 'papr'; did you mean 'paper'?",
    ),
    "a rule about an asset by its file": (
        "assets: [{key: paper, title: P, category: paper, file: files/paper-2026.pdf}]\n"
        + buying("{event: download, where: {object: paper-2026.pdf}}"),
        "phases.1.enter.any.0.where.object",
        "'paper-2026.pdf' is a file: write the key of its asset, 'paper'",
    ),
    "a rule about assets none of which is called so": (
        ASSET + buying("{event: video_watch, where: {object: {prefix: film}}}"),
        "phases.1.enter.any.0.where.object.prefix",
        "no asset has a key that begins with 'film'",
    ),
    "a rule about the path of a page": (
        buying("{event: page_view, where: {object: /pricing}}"),
        "phases.1.enter.any.0.where.object",
        "is no address: a page is named by the whole of it, like 'https://www.acme.example/pricing'",
    ),
    "a rule about pages whose path begins so": (
        buying("{event: page_view, where: {object: {prefix: /pricing/}}}"),
        "phases.1.enter.any.0.where.object.prefix",
        "is no address",
    ),
    "a rule about a pattern of pages": (
        buying("{event: page_view, where: {object: 'https://acme.example/p*'}}"),
        "phases.1.enter.any.0.where.object",
        "for all that begin so write {prefix: https://acme.example/p}",
    ),
    "a rule about the query of a page": (
        buying("{event: search, where: {object: 'https://acme.example/find?q=x'}}"),
        "phases.1.enter.any.0.where.object",
        "what follows ? is never kept of an address: write 'https://acme.example/find'",
    ),
    "a rule about a page without a path": (
        buying("{event: page_view, where: {object: 'https://acme.example'}}"),
        "phases.1.enter.any.0.where.object",
        "write 'https://acme.example/'",
    ),
    "a rule about a country by its name": (
        buying("{all: [{event: call}, {field: {name: country, in: [Norway]}}]}"),
        "phases.1.enter.any.0.all.1.field.in.0",
        "'Norway' is not the code of a country, like GB or US; did you mean 'NO'?",
    ),
    "a rule about a level there is not": (
        buying("{all: [{event: call}, {field: {name: level, equals: boss}}]}"),
        "phases.1.enter.any.0.all.1.field.equals",
        "'boss' is not one of student",
    ),
    "a rule about an answer by its label": (
        "questions: [{key: q, label: Q, type: choice, choices: {s: Small, l: {en: Large}}}]\n"
        + buying("{answer: {question: q, in: [s, Large]}}"),
        "phases.1.enter.any.0.answer.in.1",
        "'q' cannot be answered with 'Large'; did you mean 'l'?",
    ),
    "a rule about a time nobody can choose": (
        "questions: [{key: t, label: T, type: timeframe}]\n"
        + buying("{answer: {question: t, equals: Within three months}}"),
        "phases.1.enter.any.0.answer.equals",
        "with 'Within three months': there are 0-3m, 3-6m, 6-12m, later",
    ),
    "a network that is none": (
        "",
        "ignore.networks.0",
        "'300.0.0.0/8' is not a network",
        SITE.replace("}\n", ", ignore: {networks: [300.0.0.0/8]}}\n"),
    ),
    "an address that is none": (
        "",
        "ignore.addresses.0",
        "'acme' is not an address like *@acme.example",
        SITE.replace("}\n", ", ignore: {addresses: [acme]}}\n"),
    ),
    "alerts to an address that is none": (
        "",
        "alerts.to",
        "'marketing' is not an address like sales@acme.example",
        SITE.replace("}\n", ", alerts: {to: marketing}}\n"),
    ),
    "alerts twice on one day": (
        "",
        "alerts.days.1",
        "'mon' stands there twice",
        SITE.replace("}\n", ", alerts: {days: [mon, mon]}}\n"),
    ),
    "a site that is missing": (ASSET, "", "is missing: say whose site this is", ""),
    "a password in an address": (
        "assets: [{key: a, title: A, category: c, url: 'https://ann:pw@acme.example/'}]",
        "url",
        "there is a secret or a password here",
    ),
    "a secret in a text": (
        "assets: [{key: a, title: whsec_AAAA, category: c, url: 'https://acme.example/'}]",
        "title",
        "there is a secret or a password here",
    ),
    "a permission for everything": (
        "newsletters: [{key: n, title: N, wording: {en: Send news., de: Alle Newsletter}}]",
        "wording.de",
        "a permission is for one newsletter",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_does_not_hold_between_documents_is_found_at_its_key(case):
    text, path, says, *site = case
    found = findings(text, *site)

    assert any(where == path and says in told for where, told in found), found


RIGHT = {
    "a category of an asset": ASSET.replace("category: paper", "category: odd")
    + buying("{event: download, where: {category: odd}}"),
    "a category of a page": buying("{event: page_view, where: {category: anything}}"),
    "a page by its address": buying(
        "{event: page_view, where: {object: ['https://acme.example/', 'https://acme.example/p']}}"
    ),
    "pages by the beginning of their address": buying(
        "{event: page_view, where: {object: {prefix: 'https://acme'}}}"
    ),
    "a file of another system": ASSET
    + buying("{event: download, where: {object: [paper, 'https://files.example/a.pdf']}}"),
    "assets by the beginning of their keys": ASSET
    + buying("{event: download, where: {object: {prefix: pap}}}"),
    "what a call was about": buying("{event: call, where: {object: anything}}"),
    "an event of one's own": buying("{event: 'custom:configurator', within: 730d}"),
    "a region after its country": region(", when: {answer: {question: country, in: [NO, US]}}"),
    "an answer in words": "questions:\n  - {key: a, label: A, type: text}\n"
    "  - {key: b, label: B, type: text, when: {answer: {question: a, in: [anything]}}}\n",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_holds_is_left_alone(text):
    assert findings(text) == []


BLANKET = [
    "Send me all newsletters.",
    "Keep me informed about other mailings.",
    "Send me news from Acme and its partners.",
    "Send me offers from selected third parties.",
    "Yes to any of our newsletters",
    "Ich möchte alle Newsletter erhalten.",
    "Nachrichten von Acme und Partnern",
    "I accept the terms and conditions and want the news.",
    "Send me news; untick this box if you do not want it.",
]


@pytest.mark.parametrize("wording", BLANKET)
def test_a_wording_that_takes_more_than_it_names_is_refused(wording):
    assert wording_fault(wording) is not None


PLAIN = [
    "Send me widget price alerts, about once a month.",
    "Send me the newsletter for channel partners. I can stop it in every issue.",
    "Tell me about offers on widgets; I can opt out in any e-mail.",
    "Schickt mir den Preis-Newsletter, etwa einmal im Monat.",
]


@pytest.mark.parametrize("wording", PLAIN)
def test_a_wording_that_asks_for_one_thing_is_taken(wording):
    assert wording_fault(wording) is None


def test_a_reference_to_something_with_a_fault_of_its_own_is_not_another_fault():
    text = SITE + "assets: [{key: a}]\ngates: [{key: g, asset: a, headline: H}]\n"
    book = read_text(text.encode())

    assert check(book.documents, book.paths, COUNTRIES) == []


def test_what_may_be_meant_is_remarked_and_not_refused():
    text = (
        SITE
        + ASSET
        + LETTER
        + "questions:\n"
        + COUNTRY
        + "gates: [{key: g, asset: paper, headline: H, newsletters: [news]}]\n"
        + "connectors: [{key: c, type: webhook, url: 'https://a.example', secret: 'env:A',"
        " fields: {land: L}},"
        " {key: o, type: odoo, url: 'https://o.example', secret: 'env:O', database: o,"
        " fields: {country: C}, newsletters: {news: News, new: N}, scores: {fit: Fit}}]\n"
    )
    book = read_text(text.encode())

    assert check(book.documents, book.paths, COUNTRIES) == []
    assert remarks(book.documents) == [
        "no gate asks the question 'country'",
        "the connector 'c': there is no question called 'land'",
        "the connector 'o': there is no newsletter called 'new'; did you mean 'news'?",
        "the connector 'o': there is no score called 'fit'",
        (
            "the newsletter 'news' is never offered:"
            " it shares no topic with the asset of a gate that lists it"
        ),
    ]


def test_a_score_of_what_no_question_asks_is_worth_a_look():
    text = score("{field: {name: level, equals: vp}, points: 5}")
    book = read_text((SITE + text).encode())

    assert remarks(book.documents) == [
        "the score 's' gives points for what no question asks: job-title"
    ]


def test_a_model_of_one_phase_and_pages_of_another_site_are_worth_a_look():
    site = SITE.replace("}", ", origins: ['https://www.acme.example']}")
    seen = "{event: page_view, where: {object: {prefix: 'https://ww.acme.example/p'}}}"
    one = read_text((site + "buying: {phases: [{id: a}]}\n").encode())
    two = read_text((site + buying(seen)).encode())
    own = read_text((site + buying(seen.replace("ww.", "www."))).encode())

    assert remarks(one.documents) == ["the buying model has one phase: nothing ever moves"]
    assert remarks(two.documents) == [
        (
            "the rules ask for 'https://ww.acme.example/p', which is on none of the site's origins:"
            " only the portal and servers tell of it; did you mean https://www.acme.example?"
        )
    ]
    assert remarks(own.documents) == []


CALLED = "enter: {any: [{event: call}]}"
SILENT = "exit: {any: [{quiet: {for: 30d}}]}"


@pytest.mark.parametrize(
    ("second", "third", "lost"),
    [
        ("id: b", "id: c", [1, 2]),
        ("id: b", f"id: c, {CALLED}", [1]),
        ("id: b", f"id: c, {CALLED}, {SILENT}", []),
        ("id: b", f"id: c, {CALLED}, {SILENT}, falls_to: a", [1]),
        ("id: b", f"id: c, {SILENT}", [1, 2]),
        (f"id: b, {CALLED}", f"id: c, {CALLED}", []),
    ],
)
def test_a_phase_to_which_no_rule_leads_is_remarked_with_its_place(second, third, lost):
    text = f"buying: {{phases: [{{id: a}}, {{{second}}}, {{{third}}}]}}\n"

    assert remarks(read_text(text.encode()).documents) == [
        f"buying.phases[{place}]: no rule leads to {'abc'[place]!r}: it has no enter, and nothing"
        " falls there"
        for place in lost
    ]
