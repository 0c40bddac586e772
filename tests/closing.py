"""The closing line of a long proof: printed, and kept in build/closing/ for `make claims`.

close("years", "years: 10 gateway-years in 600 s; ...")
"""

import datetime
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "build" / "closing"


def close(name: str, line: str, folder: Path = FOLDER) -> None:
    """Print the line and keep it with its day; the proof's next closing line takes its place."""
    print(line, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    (folder / f"{name}.json").write_text(json.dumps({"line": line, "date": day}) + "\n")
