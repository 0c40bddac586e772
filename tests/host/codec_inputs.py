"""Series that are hard for a codec, by seed: walks, steps, noise, alternations, extremes.

And what their packed bits take, as agent/FORMAT.md says it (version 5).
"""

import itertools
import random

MOST = (1 << 64) - 1
LEAST = -(1 << 63)
START_MS = 1_700_000_000_000


def series_of(*columns, step_ms=10_000):
    """Return rows of (at_ms, values, quality) of columns of the same length."""
    return [
        (START_MS + i * step_ms, list(values), bytes(len(values)))
        for i, values in enumerate(zip(*columns, strict=True))
    ]


def packed_bytes(rows, is_ms=False):
    """Return (head and check sum, rows) of the packed block; is_ms: the writer counts in ms."""
    times = [at_ms for at_ms, _, _ in rows]
    is_ms = is_ms or any(at_ms % 1000 for at_ms in times)
    unit = 1 if is_ms else 1000
    head = 7 + (6 if is_ms else 4) + (2 if len(rows) > 255 else 1) + 4
    if times[0] // unit >= 256 ** (6 if is_ms else 4) - 1:
        head += 8
    before = told = 0
    columns: list[list[int]] = []
    if len(rows) > 1:
        columns.append([(later - sooner) // unit for sooner, later in itertools.pairwise(times)])
    for point in range(len(rows[0][1])):
        given = [(values[point], quality[point]) for _, values, quality in rows]
        forms = [2 * mark + (value is not None) for value, mark in given]
        width = (max(forms) - min(forms)).bit_length()
        before += 1
        if width or forms[0] != 1:
            before += 12
            told += width * len(rows)
        if width or forms[0] & 1:
            columns.append([value for value, _ in given if value is not None])
    for column in columns:
        least = min(column, default=0)
        size = (max(least, -least - 1).bit_length() + 8) // 8 if least else 0
        before += 11 + 8 * size
        told += len(column) * (max(column, default=0) - least).bit_length()
    return head, (before + 7) // 8 + (told + 7) // 8


def adversaries(count, seed=1):
    """Yield (name, rows): count rows of one to four points."""
    dice = random.Random(seed)
    for bits in (1, 4, 8, 13, 20, 22, 23, 24, 30, 31, 32, 33, 48, 62, 63):
        noise = [dice.getrandbits(bits) for _ in range(count)]
        yield f"noise of {bits} bits", series_of(noise)
        yield (
            f"alternation of {bits} bits",
            series_of([(i % 2) * ((1 << bits) - 1) - (1 << bits) // 2 for i in range(count)]),
        )
        at, walk = 0, []
        for _ in range(count):
            at += dice.choice((-1, 1)) * dice.getrandbits(min(bits, 57))
            walk.append(at)
        yield f"walk by {bits} bits", series_of(walk, noise, walk[::-1])
        steps = [dice.getrandbits(bits) if i % 17 == 0 else 0 for i in range(count)]
        yield f"spikes of {bits} bits", series_of(steps, walk)
    yield "constant", series_of([7] * count, [MOST] * count, [LEAST] * count)
    yield "extremes", series_of([dice.choice((MOST, LEAST, 0)) for _ in range(count)])
    yield "one row", series_of([MOST], [LEAST], [0], [None])
    edge = [dice.choice((-(1 << 22), (1 << 22) - 1, 0)) for _ in range(count)]
    yield "edges of a row", series_of(edge, edge[::-1])
    yield "ramp", series_of([i * 999_983 for i in range(count)], [-i * 31 for i in range(count)])
    rows = series_of(list(range(count)), [5] * count)
    for i in range(0, count, 3):
        at_ms, values, _ = rows[i]
        rows[i] = (at_ms + dice.getrandbits(9), [None, values[1]], bytes((4, 7 * (i % 2))))
    yield "points that come and go", rows
    times = [START_MS + dice.choice((-1, 1)) * dice.getrandbits(dice.randrange(40)) for _ in rows]
    yield "any times", [(at, v, q) for at, (_, v, q) in zip(times, rows, strict=True)]


def changing(seed, count=300):
    """Return count rows of one to three points that change their kind after some rows."""
    dice = random.Random(seed)
    columns = [_changing(dice, count) for _ in range(dice.choice((1, 1, 2, 3)))]
    at_ms, rows = START_MS, []
    for values in zip(*columns, strict=True):
        at_ms += dice.choice((1001, 60_000)) if dice.random() < 0.03 else 1000
        rows.append((at_ms, list(values), bytes(value is None for value in values)))
    return rows


def _changing(dice, count):
    column: list[int | None] = []
    while len(column) < count:
        bits = dice.choice((1, 2, 3, 4, 6, 8, 12, 17, 20, 22, 23, 24, 30, 50, 60))
        start = dice.choice((0, 0, 2305, -(1 << bits), (1 << 22) - 5, 3 - (1 << 22), 1 << 63))
        kind = dice.randrange(6)
        at = start
        for i in range(dice.randrange(5, 120)):
            at += dice.randrange(-3, 4)
            noise = start + dice.getrandbits(bits)
            gaps = noise if dice.random() < 0.7 else None
            kinds = (noise, start, at, start + (i & 1) * ((1 << bits) - 1), gaps, None)
            column.append(kinds[kind])
    return column[:count]


def storm(seed):
    """Return rows: points 1 .. 36, rows 1 .. 1000, any kinds side by side, some with gaps."""
    dice = random.Random(seed)
    points = dice.choice((1, 1, 2, 2, 3, 4, 8, dice.randint(1, 36)))
    count = min(dice.choice((1, 2, 5, 30, 120, dice.randint(1, 1000))), 6000 // points)
    columns = [_column(dice, count) for _ in range(points)]
    if dice.random() < 0.4:
        columns = [[dice.getrandbits(1 + seed % 64) for _ in range(count)] for _ in columns]
    rows = series_of(*columns, step_ms=dice.choice((10_000, 60_000, 500)))
    if dice.random() < 0.3:
        share = dice.choice((0.02, 0.5))
        for _, values, _ in rows:
            for point in range(points):
                values[point] = None if dice.random() < share else values[point]
        rows = [
            (at + dice.randrange(3), values, bytes(4 * (value is None) for value in values))
            for at, values, _ in rows
        ]
    return rows


def _column(dice, count):
    """Return a column of one kind, of any width, from anywhere."""
    bits = dice.randint(1, 64)
    start = dice.choice((0, 0, 2305, -(1 << bits - 1), MOST - (1 << bits) + 1, LEAST))
    most = (1 << bits) - 1
    kind = dice.randrange(7)
    if kind == 0:
        found = [dice.getrandbits(bits) for _ in range(count)]
    elif kind == 1:
        found = [i % 2 * most for i in range(count)]
    elif kind == 2:
        found = [dice.choice((0, most)) for _ in range(count)]
    elif kind == 3:
        found = [most // 2] * count
    elif kind == 4:
        steps = (dice.randint(-most, most) // 512 for _ in range(count))
        found = [max(0, min(most, most // 2 + each)) for each in itertools.accumulate(steps)]
    elif kind == 5:
        found = [dice.getrandbits(bits) if dice.random() < 0.06 else 0 for _ in range(count)]
    else:
        held = [dice.getrandbits(bits) for _ in range(1 + count // 40)]
        found = [held[i * len(held) // count] for i in range(count)]
    return [max(LEAST, min(MOST, start + each)) for each in found]
