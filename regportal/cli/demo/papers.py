"""The sample PDFs, drawn when the demo starts: nothing binary is kept in the repository."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

INK = (27, 33, 31)
SOFT = (98, 108, 104)
GREEN = (13, 92, 75)
SAND = (244, 241, 234)
RULE = (214, 209, 198)
MARGIN = 22
DRAWN = datetime(2026, 1, 5, 9, tzinfo=UTC)  # the same bytes at every start: the same version

FILES = {
    "prices": "price-list-2026.pdf",
    "guide": "widget-buyers-guide.pdf",
    "story": "northfield-case-study.pdf",
}


def draw(folder: Path) -> None:
    """Write the sample papers into a folder, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = {name: file for name, file in FILES.items() if not (folder / file).exists()}
    if missing:
        texts = resources.files("regportal.cli.demo").joinpath("papers.yaml")
        said = yaml.safe_load(texts.read_text(encoding="utf-8"))
        for name, file in missing.items():
            paper(said[name]).output(str(folder / file))


def paper(said: Mapping[str, Any]) -> "Paper":
    """Return one paper as its text says."""
    drawn = Paper(said["title"], said["kind"])
    drawn.sections(said["sections"])
    for title, rows in said.get("tables", {}).items():
        drawn.heading(title)
        drawn.sheet(rows)
    drawn.sections(said.get("ends", ()))
    return drawn


class Paper(FPDF):
    """A sheet in the house style of Acme Products."""

    def __init__(self, title: str, kind: str) -> None:
        """Open the first page with its title."""
        super().__init__(format="A4")
        self.set_title(title)
        self.set_author("Acme Products Ltd")
        self.set_lang("en")
        self.set_creation_date(DRAWN)
        self.set_margin(MARGIN)
        self.set_auto_page_break(auto=True, margin=26)
        self.add_page()
        self._head(title, kind)

    def footer(self) -> None:
        """Say whose paper it is, and which page."""
        self.set_y(-18)
        self.set_font("helvetica", size=8)
        self.set_text_color(*SOFT)
        self.cell(0, 5, "Acme Products Ltd, 1 High Street, Leeds")
        self.cell(0, 5, f"{self.page_no()}", align="R")

    def sections(self, sections: Sequence[Sequence[str]]) -> None:
        """Set sections: a heading (or none), then paragraphs."""
        for title, *paragraphs in sections:
            if title:
                self.heading(title)
            for text in paragraphs:
                self.paragraph(text)

    def heading(self, text: str) -> None:
        """Begin a section; never at the foot of a page."""
        if self.will_page_break(56):
            self.add_page()
        self.ln(6)
        self.set_font("helvetica", "B", 14)
        self.set_text_color(*GREEN)
        self.multi_cell(0, 7, text, new_x="LMARGIN", new_y="NEXT")
        self.ln(1.5)

    def paragraph(self, text: str) -> None:
        """Set some lines of text."""
        self.set_font("helvetica", size=11.5)
        self.set_text_color(*INK)
        self.multi_cell(0, 6.3, text, align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(2.4)

    def sheet(self, rows: Sequence[Sequence[str]]) -> None:
        """Set a table whose numbers stand under each other."""
        self.set_font("helvetica", size=10.5)
        self.set_text_color(*INK)
        self.set_draw_color(*RULE)
        self.set_fill_color(255)
        with self.table(
            rows,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=INK, fill_color=SAND),
            line_height=8.2,
            text_align=("LEFT", "LEFT", *["RIGHT"] * (len(rows[0]) - 2)),
        ):
            pass

    def _head(self, title: str, kind: str) -> None:
        """Draw the band at the top of the first page."""
        self.set_fill_color(*GREEN)
        self.rect(0, 0, self.w, 64, style="F")
        self.set_text_color(255)
        self.set_font("helvetica", "B", 10)
        self.set_xy(MARGIN, 16)
        self.cell(0, 5, "ACME PRODUCTS")
        self.set_xy(MARGIN, 16)
        self.set_font("helvetica", size=10)
        self.cell(0, 5, kind, align="R")
        self.set_xy(MARGIN, 32)
        self.set_font("helvetica", "B", 24)
        self.multi_cell(130, 10, title, align="L")
        self.set_y(74)
