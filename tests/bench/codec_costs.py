"""Runs on MicroPython: what a value costs the codec, and a dict with json.dumps beside it.

    micropython tests/bench/codec_costs.py plain|viper FOLDER < rows of JSON

Prints microseconds per value: json, codec; the least of some rounds each, in turns.
"""

import json
import sys
import time

sys.path.insert(0, sys.argv[2])

from agent.codec import Block
from agent.codec_rows import Rows

_ROUNDS = 5
_BATCH = 240


def main():
    rows = [json.loads(line) for line in sys.stdin]
    points = len(rows[0][1])
    names = ["point_%d" % i for i in range(points)]
    quality = bytes(points)
    block = Block(points, 4000)
    if sys.argv[1] == "plain":
        from agent.codec_plain import code

        Rows.kernel.code = code
    least = [1 << 30, 1 << 30]
    for _ in range(_ROUNDS):
        begun = time.ticks_us()
        for at_ms, values in rows:
            tree = {"t": at_ms}
            for i in range(points):
                tree[names[i]] = values[i]
            json.dumps(tree)
        least[0] = min(least[0], time.ticks_diff(time.ticks_us(), begun))
        begun = time.ticks_us()
        block.count = 0
        for at_ms, values in rows:
            if block.count == 0:
                block.open(b"\x00\x00\x00\x00", 0, 1, 0)
            if not block.add(at_ms, values, quality) or block.count == _BATCH:
                block.close()
                block.count = 0
        least[1] = min(least[1], time.ticks_diff(time.ticks_us(), begun))
    values = len(rows) * points
    print(least[0] / values, least[1] / values)


main()
