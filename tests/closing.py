"""The closing line of a long proof: printed, and kept in build/closing/ for `make claims`.

close("mutants", "mutants: 901 of 994 killed ...", held=False)      # the README then says: missed
"""

import datetime
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "build" / "closing"


def close(name: str, line: str, folder: Path = FOLDER, *, held: bool = True) -> None:
    """Print the line and keep it with its day; the proof's next closing line takes its place.

    held: whether every bar was; a proof whose figures say it by themselves ("lost 0") may leave
    it out.
    """
    print(line, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    (folder / f"{name}.json").write_text(
        json.dumps({"line": line, "date": day, "held": held}) + "\n"
    )
