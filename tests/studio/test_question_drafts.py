"""Questions are written in the Studio: begun, changed, decided, and brought back."""

import re

import pytest

from regportal.forms.schema import Question
from tests.portal import SITE
from tests.studio import forms
from tests.studio.forms import plain

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOSTILE = (
    "<script>alert(1)</script>",
    "\u202eless",
    "\x00\x1b[31m",
    "{{7*7}}",
    "=cmd|' /C calc'!A0",
)


@pytest.fixture
def ann(portal, company):
    portal.publish(SITE)
    return company.at_desk("ann@acme.example", "marketer")


def form_of(page):
    return {name: values[-1] for name, values in forms.form_of(page, "hx-trigger=").items()}


def begin(desk, label="How many seats?"):
    desk.get("/questions")
    return desk.post("/questions", {"label": label}).leads_to.removeprefix("/studio")


def save(desk, draft, **typed):
    return desk.post(draft, form_of(desk.get(draft)) | {"do": "save"} | typed)


def decide(desk, draft, deed="publish", **fields):
    revision = re.search(r'name="revision"[^>]*value="(\d+)"', desk.get(draft).text)[1]
    return desk.post(f"{draft}/{deed}", {"revision": revision, **fields})


def asked(company, key):
    with company.store.read() as session:
        return company.portal.shelf.published(session).find(Question, key)


def test_a_question_is_written_published_and_can_be_chosen_at_a_gate(ann, company):
    draft = begin(ann)
    answers = {"choice.0.en": "A few", "choice.1.en": "Many"}
    assert save(ann, draft, type="choice", **answers).status == 303
    save(ann, draft, **{"why.en": "For an offer that fits", "owner": "Mia", "again.number": "6"})
    answer = decide(ann, draft)

    assert answer.leads_to == "/studio/questions/how-many-seats"
    found = asked(company, "how-many-seats")
    assert found.choices == {"a-few": "A few", "many": "Many"}
    assert (found.why, found.owner, found.ask_again_after) == (
        "For an offer that fits",
        "Mia",
        "6d",
    )
    assert company.deeds()[-4:] == ["draft", "write", "write", "publish"]
    ann.get("/gates")
    gate = ann.post("/gates/guide/edit").leads_to.removeprefix("/studio").removesuffix("/about")
    assert "How many seats?" in ann.get(f"{gate}/questions").text


def test_a_change_says_what_is_different_and_an_older_version_holds_once_more(ann, company):
    ann.get("/questions/country")
    draft = ann.post("/questions/country/edit").leads_to.removeprefix("/studio")
    before = asked(company, "country").label
    save(ann, draft, **{"label.en": "Where do you work?"})
    assert (
        "Where do you work?"
        in re.search(r'data-rp="changes".*?</ul>', ann.get(draft).text, re.DOTALL)[0]
    )
    decide(ann, draft)
    assert "Where do you work?" in plain(ann.get("/questions/country"))
    older = ann.post("/questions/country/versions/1").leads_to.removeprefix("/studio")
    assert decide(ann, older).status == 303

    assert asked(company, "country").label == before


def test_two_who_change_one_question_write_on_one_draft(ann, company):
    bo = company.at_desk("bo@acme.example", "marketer")
    found = []
    for one in (ann, bo):
        one.get("/questions/country")
        found.append(one.post("/questions/country/edit").leads_to)

    assert found[0] == found[1]
    assert "There is a draft of it." in plain(ann.get("/questions/country"))
    assert "/questions/drafts/" in ann.get("/questions").text


def test_what_is_wrong_stands_beside_its_field_and_is_not_published(ann, company):
    draft = begin(ann)
    save(ann, draft, type="choice", **{"again.number": "soon", "crm_field": "no field"})
    shown = ann.get(draft).text
    beside = dict(re.findall(r'id="(\w+)-remark"[^>]*>([^<]*)</div>', shown))

    assert "soon" in beside["ask_again_after"]
    assert beside["crm_field"]
    assert not beside["owner"]
    assert "Publish now" not in shown
    assert decide_anyway(ann, draft).status == 422
    assert asked(company, "how-many-seats") is None


def decide_anyway(desk, draft):
    """Publish what the page offers nobody to publish."""
    return desk.post(f"{draft}/publish", {"revision": form_of(desk.get(draft))["revision"]})


def test_remarks_come_as_one_types_and_nothing_is_kept(ann):
    draft = begin(ann)
    typed = form_of(ann.get(draft)) | {"label.en": "May we call you?", "type": "secret"}
    answer = ann.post(f"{draft}/remarks", typed)

    assert re.search('id="type-remark">[^<]+<', answer.text)
    typed["type"] = "yes-no"
    assert "asks for a permission" in ann.post(f"{draft}/remarks", typed).text
    assert "May we call" not in ann.get(draft).text


def test_two_tabs_do_not_write_over_each_other(ann, company):
    draft = begin(ann)
    old = form_of(ann.get(draft))
    save(ann, draft, **{"label.en": "Theirs"})
    answer = ann.post(draft, old | {"label.en": "Mine", "do": "save"})

    assert answer.status == 409
    assert 'value="Mine"' in answer.text
    assert 'value="Theirs"' in ann.get(draft).text
    assert ann.post(draft, form_of(answer) | {"do": "save"}).status == 303
    assert 'value="Mine"' in ann.get(draft).text


def test_an_answer_goes_up_and_one_without_words_goes(ann, company):
    draft = begin(ann)
    lines = {"choice.0.en": "A", "choice.1.en": "B", "choice.2.en": "C"}
    save(ann, draft, type="choice", **lines)
    save(ann, draft, do="up:c")
    save(ann, draft, **{"choice.0.en": ""})
    decide(ann, draft)

    assert asked(company, "how-many-seats").choices == {"c": "C", "b": "B"}


def test_a_question_of_nothing_is_none(ann, company):
    ann.get("/questions")
    for label in ("", "   ", "\x00"):
        assert ann.post("/questions", {"label": label}).leads_to == "/studio/questions"

    assert "draft" not in company.deeds()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_words_and_break_nothing(ann, company, text):
    draft = begin(ann, f"Q {text}")
    names = [
        name for name in form_of(ann.get(draft)) if name not in {"revision", "do", "csrf_token"}
    ]
    assert save(ann, draft, **dict.fromkeys(names, text)).status == 303
    for page in (ann.get(draft), ann.get("/questions")):
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "49" not in plain(page)
    assert decide_anyway(ann, draft).status == 422
    save(ann, draft, **(dict.fromkeys(names, "") | {"label.en": f"Q {text}", "type": "text"}))
    assert decide(ann, draft).status == 303

    assert "<script>alert" not in ann.get("/questions").text


def test_a_draft_of_something_else_is_none_of_a_question(ann):
    ann.get("/gates")
    gate = ann.post("/gates/guide/edit").leads_to.removeprefix("/studio/drafts/").split("/")[0]
    assert ann.get(f"/questions/drafts/{gate}").status == 404
    for deed in ("", "/remarks", "/publish", "/propose", "/discard", "/open", "/anew"):
        answer = ann.post(f"/questions/drafts/{gate}{deed}", {"revision": "0", "type": "text"})
        assert answer.status == 404, deed


def test_a_draft_is_thrown_away(ann):
    draft = begin(ann)
    ann.get(draft)
    assert ann.post(f"{draft}/discard").leads_to == "/studio/questions"

    assert ann.get(draft).status == 404
    assert "/questions/drafts/" not in ann.get("/questions").text
