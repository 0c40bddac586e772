"""Run by bench_drivers.py on MicroPython: prints `name map bytes microseconds` for each."""

import gc
import sys
import time

from drivers import load, load_map
from drivers.errors import BadFrame, Refused
from tests.vectors.frames import FRAMES, OTHERS

# what it is called, protocol, map, options; frames: FRAMES, or OTHERS where they say so
_MADE = (
    ("dsmr", "dsmr", "landis_gyr_e350", {}),
    ("sml", "sml", "emh_ed300l", {}),
    ("dlms", "dlms", "kaifa_ma304", {}),
    ("dlms-on-mbus", "dlms", "kaifa_ma304", {"transport": "mbus"}),
    ("iec62056", "iec62056", "itron_em214", {"mode": "D"}),
    ("mbus", "mbus", None, {}),
    ("tic", "tic", "linky_standard", {}),
    ("level", "level", "a02yyuw", {}),
    ("radar", "radar", "icoms_tma", {}),
    ("radar-lines", "radar", "omnipresense_ops243", {}),
    ("pulse", "pulse", "s0_electricity", {}),
)
_LEAST_US = 200_000


def _now_us():
    return time.ticks_us() if hasattr(time, "ticks_us") else int(time.perf_counter() * 1000000)


def main():
    """Feed each protocol's frames as a port does, in pieces of 64 bytes, for 0.2 s at least."""

    def emit(reading):
        pass

    for label, protocol, name, options in _MADE:
        driver = load(protocol)(load_map(name) if name else None, options)
        data = b"".join(FRAMES[protocol] if "-" not in label else OTHERS[protocol])
        end = len(data)
        count = 0
        gc.collect()
        begun = _now_us()
        while _now_us() - begun < _LEAST_US:
            for _ in range(8):
                at = 0
                while at < end:
                    try:
                        at = driver.feed(data, at, min(at + 64, end), 0, emit)
                    except (BadFrame, Refused) as error:
                        at = error.resume
                count += end
        print(label, name, count, _now_us() - begun, sys.implementation.name)


main()
