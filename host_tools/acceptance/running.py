"""A gateway that runs, as its broker shows it: on line, acknowledged, with a clock, after a cut.

    close = listen("gw-ecole", "127.0.0.1", 1883, into(messages))      # listener.py
    prompt.reset()                                                     # somebody starts it
    judge(report, messages, wait_s=60.0, cut=None)

Only what it says from now on counts: a birth that the broker has kept is of another day, and the
words of another gateway prove nothing.
"""

import json
import queue
import time
from collections.abc import Callable
from typing import Any

from host_tools.acceptance.findings import FAILED, GOOD, NOTE, SKIPPED, UPLINK, Report
from host_tools.acceptance.standing import Tell
from host_tools.remote.listener import Take

Message = tuple[str, bytes]  # the topic's last part, payload
_CLOCK_S = 5.0
_FREE_HEAP = 0.12
_JOURNAL_PERMILLE = 500


def into(messages: "queue.Queue[Message]") -> Take:
    """Return what takes a broker's messages: those of now, births and states, into the queue."""

    def take(topic: str, payload: bytes, was_kept: bool) -> None:
        leaf = topic.rpartition("/")[2]
        if not was_kept and leaf in ("birth", "state"):
            messages.put((leaf, payload))

    return take


def judge(
    report: Report,
    messages: "queue.Queue[Message]",
    *,
    wait_s: float,
    cut: Callable[[], None] | None,
    tell: Tell = lambda share, words: None,
) -> None:
    """Add what a gateway shows that has just been started.

    wait_s: for each thing that is awaited. cut: takes the power away and gives it back.
    """
    tell(0.75, "waiting for the broker")
    births, state, is_stored = _hear(messages, "", wait_s)
    if not births:
        report.add(
            UPLINK,
            FAILED,
            f"the broker heard nothing of it for {wait_s:.0f} s",
            "eclor monitor shows what it says on its cable",
        )
        return
    if is_stored:
        report.add(UPLINK, GOOD, "on line, and the collector has acknowledged its records")
    else:
        report.add(
            UPLINK,
            FAILED,
            "on line, and nothing was acknowledged",
            "does the collector run, and has it the gateway's key?",
        )
    _clock(report, state)
    _heap(report, state)
    if cut:
        tell(0.85, "waiting for the power cut")
        cut()
        _power(report, _hear(messages, "power", wait_s), births[-1])
    else:
        report.add("power", SKIPPED, "no power cut was asked for")


_Heard = tuple[list[dict[str, Any]], dict[str, Any], bool]


def _hear(messages: "queue.Queue[Message]", cause: str, wait_s: float) -> _Heard:
    """Return births, the last state, and whether something was acknowledged."""
    births: list[dict[str, Any]] = []
    state: dict[str, Any] = {}
    first = None
    until_s = time.monotonic() + wait_s
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            topic, payload = messages.get(timeout=left_s)
            # A gateway with a key proves its words: 16 bytes follow the JSON.
            tree, _ = json.JSONDecoder().raw_decode(payload.decode(errors="replace"))
        except queue.Empty:
            break
        except ValueError:
            continue  # not of this firmware
        if topic == "birth" and (not cause or tree["cause"] == cause):
            births.append(tree)
            first = tree["first"]
        elif topic == "state" and births:
            state = tree
            if first is not None and tree["records"][0] > first:
                return births, state, True
    return births, state, False


def _clock(report: Report, state: dict[str, Any]) -> None:
    wall_ms = state.get("wall_ms", 0)
    off_s = abs(wall_ms / 1000 - time.time())
    if not wall_ms:
        report.add("clock", NOTE, "it does not know the time yet", "set clock.ntp")
    elif off_s > _CLOCK_S:
        report.add("clock", NOTE, f"{off_s:.0f} s from this computer's", "which one is wrong?")
    else:
        report.add("clock", GOOD, f"{off_s:.1f} s from this computer's")


def _heap(report: Report, state: dict[str, Any]) -> None:
    if not state:
        report.add("health", SKIPPED, "no live picture came")
        return
    used, free = state["heap"], state["heap_free"]
    full = state["journal"]
    words = f"heap {free // 1024} KB free of {(used + free) // 1024}; journal {full / 10:.0f} %"
    is_good = free / (used + free) > _FREE_HEAP and full < _JOURNAL_PERMILLE
    report.add("health", GOOD if is_good else NOTE, words)


def _power(report: Report, heard: _Heard, before: dict[str, Any]) -> None:
    births, _, is_stored = heard
    if not births:
        report.add(
            "power", FAILED, "after the power cut the broker heard nothing", "look at its supply"
        )
    elif births[-1]["journal"] != before["journal"] or births[-1]["next"] < before["next"]:
        report.add("power", FAILED, "after the power cut it has another journal", "eclor backup")
    elif not is_stored:
        report.add("power", FAILED, "it came back, and nothing was acknowledged")
    else:
        report.add("power", GOOD, "after a power cut it goes on where it was")
