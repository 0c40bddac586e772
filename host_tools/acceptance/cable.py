"""The uplink proved by the cable alone, where this computer does not reach the broker.

    before = numbers(prompt, "rpi_pico_w")
    prompt.reset()                                    # it runs
    judge(report, prompt, "rpi_pico_w", before, 80.0)

A gateway keeps in its journal how far the collector has it, and takes no acknowledgement but one
that is for this journal and, with a key, proved (agent/journal.py, agent/mac.py). So a number that
has risen while the gateway ran shows the whole way: network, broker, collector, database. It is
kept with what is written next, hence the wait. Numbers are read by the gateway's own code.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from host_tools.acceptance.findings import FAILED, GOOD, SKIPPED, UPLINK, Report
from host_tools.cable.prompt import Prompt
from host_tools.cable.provision import Plan, open_gateway
from host_tools.planning.site_rules import board as board_of

_MARGIN_S = 20.0  # to start, join the network and be answered
_SCRIPT = """
import boot
from firmware import hal as _m
from agent.journal import Journal as _J
from agent.recovery import recover as _k
_y=__import__('boards.{board}',None,None,('BOARD',)).BOARD
_g=None
if {has_region}:
 from agent.ring import Ring as _r
 try:_g=_r(_m.make(boot.Chip(),_y).open_journal(),{program})
 except OSError:pass
if not _g:
 from agent.store import Files as _s
 _g=_s({root!r},{segment},{small},None,{program})
_j=_J(_g,lambda:0,{size})
_k(_j,_j._window.data,_j._meter_at)
print((_j.journal_id,_j.acked))
"""


@dataclass(frozen=True)
class Numbers:
    """Which journal it is, 0 when there is none yet, and the highest number acknowledged."""

    journal: int
    acked: int


def numbers(prompt: Prompt, board: str) -> Numbers:
    """Return the numbers of a gateway that stands still."""
    flash: dict[str, Any] = board_of(board)["flash"]
    script = _SCRIPT.format(
        board=board,
        has_region="journal" in [region[0] for region in flash["regions"]],
        root=prompt.root + "/journal",
        size=1 << 20,
        **{name: flash[name] for name in ("program", "segment", "small")},
    )
    journal, acked = prompt.run(script, 60).strip().strip("()").split(",")
    return Numbers(int(journal), int(acked))


def patience_s(plan: Plan) -> float:
    """Return how long a gateway runs until its journal must show an acknowledgement."""
    return float(plan.config.get("journal", {}).get("max_loss_s", 60)) + _MARGIN_S


def judge(
    report: Report,
    prompt: Prompt,
    board: str,
    before: Numbers,
    wait_s: float,
    cut: Callable[[], None] | None = None,
) -> None:
    """Let a gateway that was just started run, look at its numbers, and start it again.

    wait_s: as patience_s(). cut: takes the power away and gives it back, then it runs once more.
    """
    after = _after(prompt, board, wait_s)
    if _goes_on(before, after):
        report.add(
            UPLINK,
            GOOD,
            f"its journal shows that the collector has acknowledged it, up to {after.acked}",
        )
    else:
        report.add(
            UPLINK,
            FAILED,
            f"it ran for {wait_s:.0f} s, and its journal shows no acknowledgement",
            "eclor monitor shows what it says on its cable",
            "does the collector run, and has it the gateway's key?",
        )
    for name in ("clock", "health"):
        report.add(name, SKIPPED, "it shows on the broker alone: --broker HOST:PORT")
    if not cut:
        report.add("power", SKIPPED, "no power cut was asked for")
    else:
        cut()
        again = _after(prompt, board, wait_s)
        if again.journal != after.journal:
            report.add(
                "power", FAILED, "after the power cut it has another journal", "eclor backup"
            )
        elif not _goes_on(after, again):
            report.add("power", FAILED, "it came back, and nothing was acknowledged")
        else:
            report.add("power", GOOD, "after a power cut it goes on where it was")


def _after(prompt: Prompt, board: str, wait_s: float) -> Numbers:
    """Return the numbers of a gateway that runs, when it has run for so long; it starts again."""
    threading.Event().wait(wait_s)
    prompt.await_start()
    open_gateway(prompt)
    found = numbers(prompt, board)
    prompt.reset()
    return found


def _goes_on(before: Numbers, after: Numbers) -> bool:
    return before.journal in (0, after.journal) and after.acked > before.acked
