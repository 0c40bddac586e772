"""Labels for gateways: a sheet of them, each with a QR code of serial number and claim reference.

Nothing on a label is a secret: whoever reads it knows which gateway it is, and no more.

    label = Label("gw-ecole", "ecole", "02ec10000001", "K7Q2-M4XA")
    Path("labels.pdf").write_bytes(sheet_of([label]))
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from host_tools.language import say
from host_tools.problems import INPUT, Problem
from host_tools.sheets import FONT, plain, qr, sheet

_COLUMNS, _ROWS = 3, 8  # of the common sheet of 24 labels, 70 by 37 mm (Avery 3474)
_WIDTH, _HEIGHT = 70.0, 37.0
_TOP = 0.5


@dataclass(frozen=True)
class Label:
    """What is written on one."""

    gateway: str
    site: str
    serial: str
    claim: str

    @property
    def code(self) -> str:
        """What its QR code says."""
        return f"eclor:{self.serial}:{self.claim}"


def read(path: Path) -> Label:
    """Return the label of a claim or of an acceptance report. A Problem when it is neither."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        tree = tree.get("report", tree)
        return Label(*(str(tree[name]) for name in ("gateway", "site", "serial", "claim")))
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", _GIVE, code=INPUT) from None
    except (ValueError, KeyError, AttributeError):
        raise Problem(f"{path} is no claim and no report", _GIVE, code=INPUT) from None


def sheet_of(labels: Sequence[Label], first: int = 1) -> bytes:
    """Return a PDF of labels; first: the place of the first one on the sheet, 1 .. 24."""
    paper = sheet()
    paper.set_auto_page_break(False)
    paper.set_margin(0)
    for number, label in enumerate(labels, first - 1):
        place = number % (_COLUMNS * _ROWS)
        if place == 0 or number == first - 1:
            paper.add_page()
        left = place % _COLUMNS * _WIDTH
        top = _TOP + place // _COLUMNS * _HEIGHT
        paper.image(io.BytesIO(qr(label.code)), x=left + 4, y=top + 4, w=28, h=28)
        rows = (
            ("B", 11, label.gateway),
            ("", 8, label.site),
            ("", 8, f"{say('serial')} {label.serial}"),
            ("B", 11, label.claim),
        )
        y = top + 10
        for style, size, text in rows:
            paper.set_font(FONT, style, size)
            shown = plain(paper, text)
            while paper.get_string_width(shown) > _WIDTH - 37 and len(shown) > 4:
                shown = shown[:-2] + "."
            paper.text(left + 34, y, shown)
            y += size * 0.62
    return bytes(paper.output())


_GIVE = "give claims (eclor provision) or reports (eclor accept)"
