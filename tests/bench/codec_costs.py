"""Runs on MicroPython: what a value costs the codec, and a dict with json.dumps beside it.

    micropython tests/bench/codec_costs.py plain|viper FOLDER < rows of JSON

Prints microseconds per value: json, codec. In turns, block by block, each the least of many
rounds: what another process, or a collection of garbage, takes from one round it does not take
from all. One batch at a time is alive: what json.dumps costs depends on what it must step over.
"""

import json
import sys
import time

sys.path.insert(0, sys.argv[2])

from agent.codec import Block
from agent.codec_rows import Rows

_ROUNDS = {"viper": 40, "plain": 4}
_BATCH = 240


def main():
    kernel = sys.argv[1]
    sums = [0, 0]
    count = points = 0
    block = None
    while True:
        batch = [
            json.loads(line) for line in (sys.stdin.readline() for _ in range(_BATCH)) if line
        ]
        if not batch:
            break
        points = len(batch[0][1])
        names = ["point_%d" % i for i in range(points)]
        quality = bytes(points)
        if block is None:
            block = Block(points, 4000)
            if kernel == "plain":
                from agent.codec_plain import code

                Rows.kernel.code = code
        count += len(batch)
        least = [1 << 30, 1 << 30]
        for _ in range(_ROUNDS[kernel]):
            begun = time.ticks_us()
            for at_ms, values in batch:
                tree = {"t": at_ms}
                for i in range(points):
                    tree[names[i]] = values[i]
                json.dumps(tree)
            least[0] = min(least[0], time.ticks_diff(time.ticks_us(), begun))
            begun = time.ticks_us()
            block.open(b"\x00\x00\x00\x00", 0, 1, 0)
            for at_ms, values in batch:
                if not block.add(at_ms, values, quality):
                    block.close()
                    block.open(b"\x00\x00\x00\x00", 0, 1, 0)
                    block.add(at_ms, values, quality)
            block.close()
            least[1] = min(least[1], time.ticks_diff(time.ticks_us(), begun))
        sums[0] += least[0]
        sums[1] += least[1]
    print(sums[0] / (count * points), sums[1] / (count * points))


main()
