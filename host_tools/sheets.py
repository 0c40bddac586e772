"""A sheet of paper as PDF: fonts, texts that they can show, QR codes. Not what is written on it.

    paper = sheet()
    paper.add_page()
    paper.cell(0, 6, plain(paper, "Škoda"))

The font is Fira Sans (SIL Open Font License, of a package): Latin, Greek and Cyrillic. A character
that it lacks is shown by its number, [U+4E2D], and `paper.lacks` has it, so that it can be told.
"""

import io
import unicodedata
from typing import Any

from host_tools.problems import MISSING, Problem

FONT = "fira"


def qr(text: str) -> bytes:
    """Return a QR code as PNG."""
    import segno

    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="png", scale=8, border=2)
    return out.getvalue()


def sheet(orientation: str = "portrait") -> Any:
    """Return an empty PDF with its fonts; a Problem when the packages for it are not installed."""
    try:
        from fontpkg_fira_sans import ROOT
        from fpdf import FPDF
    except ImportError as error:
        raise Problem(
            f"{error.name} is not installed: it writes PDF files",
            "pip install 'eclor-edge[report]', or make setup",
            code=MISSING,
        ) from None
    paper: Any = FPDF(orientation, "mm", "A4")
    paper.lacks = set()  # characters that the font has not
    for style, name in (("", "Regular"), ("B", "Bold")):
        paper.add_font(FONT, style, ROOT / "files" / f"FiraSans-{name}.ttf")
    paper.set_font(FONT, "", 10)
    paper.set_margin(16)
    paper.set_auto_page_break(True, 18)
    return paper


def plain(paper: Any, text: object) -> str:
    """Return a text as the font of a paper can show it."""
    has = paper.fonts[FONT.lower()].cmap
    shown = []
    for character in unicodedata.normalize("NFC", str(text)):
        if ord(character) in has:
            shown.append(character)
        else:
            paper.lacks.add(character)
            shown.append(f"[U+{ord(character):04X}]")
    return "".join(shown)
