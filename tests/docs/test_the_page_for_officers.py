"""docs/privacy.md says what the declarations say."""

from regportal.privacy.traces import every_model
from tools.privacy_page import PAGE, page


def test_the_page_is_what_the_declarations_give():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make privacy`"


def test_every_personal_column_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    missing = [
        f"{table}.{column}"
        for table, model in every_model().items()
        for column in model.personal
        if f"**`{table}`**" not in text or f"| `{column}` |" not in text
    ]

    assert missing == []
