"""What a demonstration knows of itself: its numbers, and the verdict on what was stored.

    watch = Watch(world, longest_silence_s=900)
    watch.look(pressed=set(), final=False)       # once a second
    watch.figures, watch.verdict

What is old enough is judged once and for all: a second of an hour costs no more than of a minute.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

from host_tools.collect import senml
from host_tools.demo.world import World
from host_tools.page.view import Figures
from host_tools.sim.oracle import Stored, Verdict, judge, read_database

_WINDOW_MS = 300_000  # what is older is judged once and for all
_MARGIN_MS = 70_000  # neighbours in time that a judgement looks at: an interval and more, and
# the time for which a value may be held


class Watch:
    """Looks at ledger and database; any thread may look, and may read what was found last."""

    def __init__(self, world: World, longest_silence_s: int) -> None:
        """longest_silence_s: for so long a value may be held, by the gateway's configuration."""
        self.figures = Figures()
        self.verdict = Verdict()  # of all that is judged
        self._world = world
        self._gateway: dict[str, Any] = {}
        self._closed = Verdict()  # of what is older than the window
        self._margin_ms = _MARGIN_MS + 1000 * longest_silence_s
        self._closed_to_ms = time.time_ns() // 1_000_000 - self._margin_ms  # none has spoken yet
        self._begun_s = time.monotonic()
        self._looking = threading.Lock()
        self._is_final = False  # what was found last stands

    def look(self, *, pressed: Set[str], final: bool) -> None:
        """Find the numbers anew. final: judge all; from then on they stand.

        pressed: what is cut or garbled now.
        """
        with self._looking:
            if not self._is_final:
                self._is_final = final
                self._see(pressed, final=final)

    def _see(self, pressed: Set[str], *, final: bool) -> None:
        world = self._world
        stored = Stored()
        gateway: dict[str, Any] = {}
        if world.collector:
            since_ms = max(0, self._closed_to_ms - self._margin_ms)
            try:
                stored = read_database(world.database, world.gateway, since_ms)
                gateway = _read_gateway(world.database, world.gateway)
            except sqlite3.OperationalError as error:
                world.parts["collector"] = f"absent: {error}"
        if final:  # a gateway goes on telling of silent meters: what is on its way is left out
            stored.rows = [row for row in stored.rows if row.in_order]
            newest_ms = {row.meter: row.at_ms for row in stored.rows}
            world.call(world.site.end_frames, newest_ms)
        verdict = self._judge(stored, final=final)
        world.note_parts(heard=bool(gateway or self._gateway))
        self._gateway = gateway
        self.figures = self._figures(pressed, stored, verdict)
        self.verdict = verdict

    def _figures(self, pressed: Set[str], stored: Stored, verdict: Verdict) -> Figures:
        state = self._gateway.get("state") or {}
        heap = state.get("heap")
        peak = max(self.figures.heap_peak_bytes or 0, state.get("heap_peak", heap) or 0)
        acked_ms = self._gateway.get("acked_ms")
        collector = self._world.collector
        return Figures(
            running_s=time.monotonic() - self._begun_s,
            power="cut" if "power" in pressed else "on",
            network="cut" if "network" in pressed else "up",
            line="garbled" if "line" in pressed else "clean",
            parts=dict(self._world.parts),
            runtime=self._gateway.get("runtime"),
            journal_permille=state.get("journal"),
            in_flight=state.get("in_flight"),
            heap_bytes=heap,
            heap_peak_bytes=peak or None,
            stored=stored.readings,
            last_ack_s=time.time() - acked_ms / 1000 if acked_ms else None,
            bytes_per_reading=stored.record_bytes / stored.readings if stored.readings else None,
            senml_bytes_per_reading=(
                senml.bytes_per_reading(collector.engine) if collector else None
            ),
            answered=verdict.answered,
            lost=verdict.lost,
            duplicated=verdict.duplicated + stored.doubled_records,
            altered=verdict.altered,
            declared=dict(verdict.declared),
        )

    def _judge(self, stored: Stored, *, final: bool) -> Verdict:
        """Judge what is open; close the window before when it is old enough."""
        world = self._world
        answers = world.ledger.answers()
        rules = world.site.rules
        newest_ms = [
            max((row.at_ms for row in stored.rows if row.meter == meter), default=0)
            for meter in rules
        ]
        end_ms = self._closed_to_ms + _WINDOW_MS
        if min(newest_ms, default=0) > end_ms + self._margin_ms:
            self._closed.add(
                judge(answers, stored, rules, final=True, from_ms=self._closed_to_ms, to_ms=end_ms)
            )
            self._closed_to_ms = end_ms
            world.ledger.forget_before(end_ms - self._margin_ms)
        verdict = Verdict()
        verdict.add(self._closed)
        verdict.add(judge(answers, stored, rules, final=final, from_ms=self._closed_to_ms))
        return verdict


def _read_gateway(path: Path, name: str) -> dict[str, Any]:
    """Return what the collector last heard of a gateway: runtime, state (a dict), acked_ms."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        row = connection.execute(
            "SELECT g.runtime, g.state, MAX(j.acked_ms) FROM gateway g"
            " LEFT JOIN journal j ON j.gateway_id = g.id WHERE g.name = ? GROUP BY g.id",
            (name,),
        ).fetchone()
    finally:
        connection.close()
    if not row:
        return {}
    return {
        "runtime": row[0] or None,
        "state": json.loads(row[1]) if row[1] else {},
        "acked_ms": row[2],
    }
