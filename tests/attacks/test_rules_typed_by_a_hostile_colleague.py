"""
Rules typed by a hostile colleague: forms no page of ours would send, and texts that would be code.

Whoever may write drafts of rules may be careless, or no longer who he was. Elsewhere an editor of
rules takes whatever a form holds: lists a million places long, groups within groups until the
server has no more stack, scripts in a name that a colleague's browser runs, or a draft that an old
tab writes over somebody else's. Here a form is read by the paths of its controls, and by nothing
else; what is too much is refused, what is wrong stays a draft with its fault beside it, and whoever
saves or publishes says which revision he saw.
"""

import pytest

from tests.portal import SITE
from tests.studio.staff import Company
from tests.studio.test_rules import BUYING, begin, body_of, form_of, phase_of, plain, revision, save

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}${7*7}<%= 7*7 %>",
    "%(phase)s %d %",
    "\u202eexe.fdp",
    "'; DROP TABLE draft; --",
    "=cmd|' /C calc'!A0",
    "a" * 5000,
    "&lt;b&gt;",
    "*alias &anchor !!python/object:os.system",
    "\x00\x1b[31m",
]


@pytest.fixture
def ann(portal):
    portal.publish(f"{SITE}\n{BUYING}")
    return Company(portal).at_desk("ann@acme.example", "marketer")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_a_text_wherever_it_is_shown(ann, text):
    draft = begin(ann)
    typed = {
        "label": text,
        "enter.any[0].event.object.more": text,
        "enter.any[0].event.category.more": text,
        "enter.any[0].within.number": text,
        "exit.any[0].kind": text,
        "falls_to": text,
        "min_stay.unit": text,
        "group.way": text,
    }
    assert save(ann, draft, typed).status == 303
    for page in (ann.get(draft), phase_of(ann, draft)):
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "49" not in plain(page)
    answer = ann.post(f"{draft}/publish", revision(ann, draft) | {"note": text})

    assert answer.status in {400, 422}
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert ann.get("/rules").status == 200


def test_hostile_roles_and_values_are_texts_too(ann):
    draft = begin(ann)
    for kind, name in (("role", "is"), ("crm", "stage"), ("field", "in"), ("answer", "in")):
        assert save(ann, draft, {"enter.any[0].kind": kind}).status == 303
        typed = {f"enter.any[0].{kind}.{name}.more": HOSTILE[1]}
        assert save(ann, draft, typed).status == 303
        for page in (ann.get(draft), phase_of(ann, draft)):
            assert page.status == 200
            assert "<img src=x" not in page.text


def test_numbers_out_of_range_are_faults_and_break_nothing(ann):
    draft = begin(ann)
    for number in (
        *("-1", "0", "999999999999999999999999999", "1e9", "0x10", "٣", "²", "NaN", "1_000", " 2 "),
        *("true", "null", "1.5", "+3", "00045", "--1", "~"),
    ):
        typed = {
            "enter.any[0].count": number,
            "enter.any[0].within.number": number,
            "exit.any[0].quiet.for.number": number,
            "min_stay.number": number,
            "group.way": "quorum",
            "group.quorum": number,
        }
        assert save(ann, draft, typed).status == 303, number
        assert ann.get(draft).status == 200, number
        shown = phase_of(ann, draft)
        assert shown.status == 200, number
        assert ann.post(f"{draft}/check?place=1", form_of(shown)).status == 200, number


def test_groups_within_groups_end_somewhere(ann, portal):
    draft = begin(ann)
    path = "enter.any[0]"
    for _ in range(5):
        assert save(ann, draft, {f"{path}.kind": "several"}).status == 303
        path += ".any[0]"
    assert "deeper than" in plain(phase_of(ann, draft)) + plain(ann.get(draft))
    too_deep = {f"enter{'.any[0]' * 9}.kind": "event", "do": "save"}

    assert ann.post(f"{draft}/phase?place=1", revision(ann, draft) | too_deep).status == 400


def test_a_form_without_end_is_refused_and_nothing_is_kept(ann, portal):
    draft = begin(ann)
    company = Company(portal)
    before = body_of(company, draft)
    many = {f"enter.any[{place}].kind": ["event"] * 9 for place in range(999)}
    answer = ann.post(f"{draft}/phase?place=1", revision(ann, draft) | many | {"do": "save"})

    assert answer.status == 400
    assert body_of(company, draft) == before


def test_a_model_of_many_conditions_is_shown_and_refused(ann):
    draft = begin(ann)
    one = {"kind": "event", "event.is": "download", "within.number": "9", "within.unit": "d"}
    many = {f"enter.any[{n}].{name}": text for n in range(200) for name, text in one.items()}
    assert save(ann, draft, many).status == 303
    assert ann.get(draft).status == 200
    assert phase_of(ann, draft).status == 200

    assert "It cannot be yet" in plain(ann.post(f"{draft}/publish", revision(ann, draft)))


def test_a_phase_that_is_not_there_is_said_so(ann):
    draft = begin(ann)
    for place in ("99", "-1", "x", "", "1e3", "²", "0001"):
        typed = revision(ann, draft) | {"do": f"up:{place}"}

        assert ann.get(f"{draft}/phase?place={place}").status in {200, 404}, place
        assert ann.post(f"{draft}/check?place={place}", {"label": "x"}).status in {200, 400, 404}
        assert ann.post(f"{draft}/phases", typed).status in {303, 400}, place


def test_a_revision_that_is_none_decides_nothing(ann):
    draft = begin(ann)
    for sent in ("", "-1", "x", "9" * 40, "²", "1.0"):
        for deed in ("publish", "propose", "shadow", "try", "phases", "phase?place=1"):
            answer = ann.post(f"{draft}/{deed}", {"revision": sent, "do": "remove:0"})
            assert answer.status in {400, 409}, (deed, sent)

    assert "Warm as soon" in plain(ann.get("/rules"))


def test_every_phase_can_go_and_the_draft_is_still_there(ann):
    draft = begin(ann)
    for _ in range(2):
        ann.post(f"{draft}/phases", revision(ann, draft) | {"do": "remove:0"})
    page = ann.get(draft)
    assert page.status == 200
    ann.post(f"{draft}/publish", revision(ann, draft))

    assert "Warm as soon" in plain(ann.get("/rules"))


def test_an_old_tab_writes_over_nobodys_phases(ann, portal):
    draft = begin(ann)
    seen = revision(ann, draft)
    save(ann, draft, {"label": "Warmer"})

    assert ann.post(f"{draft}/phases", seen | {"do": "remove:1"}).status == 409
    assert len(body_of(Company(portal), draft)["phases"]) == 2
