"""`eclor` as a technician types it, in a process of its own that knows nothing of this one.

done = eclor("check", "site.yaml", LANG="fr_FR.UTF-8")
done.returncode, done.stdout, done.stderr
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_MOST_S = 60


def eclor(
    *words: str, folder: Path = ROOT, text: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end. text: what is typed; variables: of the environment, beside PATH."""
    return subprocess.run(
        [sys.executable, "-m", "host_tools", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
        input=text,
        capture_output=True,
        text=True,
        timeout=_MOST_S,
        check=False,
    )
