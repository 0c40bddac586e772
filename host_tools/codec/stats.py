"""Bytes per row of the block codec beside its rivals; every block is decoded and compared.

measure([read_csv(path)], [60, 240])["geometric_mean"]["60"]    # ours / pcodec
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agent.codec import decode
from host_tools.codec.rivals import RIVALS
from host_tools.codec.series import Series, blocks, blocks_on_device
from host_tools.problems import FAILED, Problem

OURS = "eclor"


def measure(
    sets: Sequence[Series],
    sizes: Sequence[int],
    *,
    on_device: bool = False,
    rivals: Sequence[str] = tuple(RIVALS),
) -> dict[str, Any]:
    """Return {"sets": {name: {"60": {codec: bytes per row}}}, "geometric_mean": {"60": ratio}}.

    Ours is whole blocks: head, rows and check sum. A Problem when a block comes back otherwise.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for series in sets:
        name = series.name
        while name in found:
            name += "+"
        found[name] = {}
        for size in sizes:
            made = (blocks_on_device if on_device else blocks)(series, size)
            rows = [(at_ms, values) for data in made for at_ms, values, _ in decode(data).rows]
            if rows != series.rows:
                raise Problem("a block came back otherwise", "report it", code=FAILED, where=name)
            totals = {OURS: float(sum(len(data) for data in made))}
            for rival in rivals:
                totals[rival] = sum(
                    RIVALS[rival](replace(series, rows=series.rows[at : at + size]))
                    for at in range(0, len(series.rows), size)
                )
            found[name][str(size)] = {
                codec: total / max(1, len(series.rows)) for codec, total in totals.items()
            }
    return {"sets": found, "geometric_mean": _means(found, sizes) if "pcodec" in rivals else {}}


def _means(
    found: dict[str, dict[str, dict[str, float]]], sizes: Sequence[int]
) -> dict[str, float]:
    means = {}
    for size in map(str, sizes):
        ratios = [by_size[size][OURS] / by_size[size]["pcodec"] for by_size in found.values()]
        means[size] = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
    return means
