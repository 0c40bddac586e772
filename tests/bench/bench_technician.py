"""From an emulated bare board to an accepted gateway: how many commands, how many seconds."""

import tempfile
from pathlib import Path

from tests import technicians_hour
from tests.bench.figure import Figure


def run() -> list[Figure]:
    """Type the script once; an error ends the bench."""
    with tempfile.TemporaryDirectory() as folder:
        steps = list(technicians_hour.run(Path(folder)))
    wrong = [step for step in steps if step.code]
    if wrong or len(steps) != len(technicians_hour.SCRIPT.splitlines()):
        raise RuntimeError(steps[-1].said)
    how = (
        "tests/technicians_hour.py: the commands as typed, each a process, two meters read 5 times"
    )
    seconds = {step.command.split()[1]: step.seconds for step in steps}
    return [
        Figure("bare board to accepted gateway", sum(s.seconds for s in steps), "s", how),
        Figure("bare board to accepted gateway", len(steps), "commands", how),
        Figure("of it: firmware deployed", seconds["deploy"], "s", how),
        Figure("of it: acceptance test", seconds["accept"], "s", how),
    ]
