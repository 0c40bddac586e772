"""A view (host_tools/page/view.py) of a site that stands still, to look at and test the live page.

python -m tests.fakes.view_of_a_site PORT        # serves it
"""

import math
import sys
from collections.abc import Sequence

from host_tools.page.view import Figures, MeterView, PointView

START_S = 1_700_000_000.0
_POWER = PointView("power", "W", 0, "gauge")
_ENERGY = PointView("energy_import", "Wh", 1, "counter")


class StillView:
    """Four meters, one gap, believable figures; buttons only count how often they were pressed."""

    site = "École Jules-Ferry"
    gateway = "gw-ecole"
    meters: Sequence[MeterView] = (
        MeterView(
            "main", "modbus", "sdm630", "rs485-1", "9600 8N1, RS-485", 10, (_ENERGY, _POWER)
        ),
        MeterView("heat-pump", "modbus", "em111", "rs485-1", "9600 8N1, RS-485", 10, (_POWER,)),
        MeterView("linky", "tic", "", "tic-1", "9600 7E1", 10, (_ENERGY, _POWER)),
        MeterView(
            "container",
            "level",
            "a02yyuw",
            "level-1",
            "9600 8N1",
            30,
            (PointView("distance", "m", -3, "gauge"),),
        ),
    )

    def __init__(self):
        self.pressed = {"power": 0, "network": 0, "line": 0}

    def figures(self):
        cut = self.pressed
        return Figures(
            running_s=754,
            power="cut" if cut["power"] else "on",
            network="cut" if cut["network"] else "up",
            line="garbled" if cut["line"] else "clean",
            parts={"line": "up", "gateway": "up", "broker": "up", "collector": "up"},
            runtime="micropython 1.29.0-preview on linux",
            journal_permille=43,
            in_flight=2,
            heap_bytes=161_000,
            heap_peak_bytes=188_000,
            stored=1284,
            last_ack_s=3.2,
            bytes_per_reading=8.4,
            senml_bytes_per_reading=152.0,
            answered=1290,
            declared={"no_reply": 4, "boot: power": 1, "bad_frame": 1},
        )

    def curve(self, meter, point, seconds):
        scale = 1.2 if point == "distance" else 2400.0
        shift = len(meter)
        return [
            (
                START_S + 10 * i,
                None if i in (30, 31) else scale * (1 + 0.4 * math.sin(i / 7 + shift)),
            )
            for i in range(seconds // 10)
        ]

    def log_lines(self, count):
        lines = [
            "12:04:11 info  uplink: online, 12 records to send",
            "12:04:12 info  uplink: acknowledged through 311",
            "12:04:40 warn  bus: rs485-1: main: no reply, retry 1 of 2",
            "12:05:02 info  journal: <segment 4> sealed, 61 records",
        ]
        return lines[-count:]

    def cut_power(self):
        self.pressed["power"] += 1

    def cut_network(self):
        self.pressed["network"] += 1

    def garble_line(self):
        self.pressed["line"] += 1


if __name__ == "__main__":
    from host_tools.page.live import serve

    serve(StillView(), int(sys.argv[1]))
