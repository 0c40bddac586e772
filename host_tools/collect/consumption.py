"""Counter readings to consumption per step of time, exactly: no unit is made or lost.

Not the database (summaries.py): plain integers at one exponent. Between two readings a counter's
rise is spread evenly; shares are differences of one running floor, so they add up to the rise.

A counter that goes down without a declared exchange:
- shows again at least what it showed before, one reading later: that one reading was wrong,
  it is passed over;
- was within 1 % of its end (2**n, 10**n) and is within 1 % of zero: it rolled over;
- else it was reset, and what lies between the two readings is nobody's consumption: 0, counted.

    spread(rises([(0, 100), (900_000, 130)], []), 900_000)    # {0: Share(30, 0, 0)}
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_ENDS = tuple(sorted([1 << 16, 1 << 24, 1 << 32, 1 << 64, *(10**n for n in range(4, 16))]))


@dataclass(frozen=True)
class Exchange:
    """A device was exchanged; final, initial: what old and new showed then, None: not known."""

    at_ms: int
    final: int | None
    initial: int | None


@dataclass(frozen=True)
class Rise:
    """What was consumed after from_ms, until to_ms included."""

    from_ms: int
    to_ms: int
    amount: int
    is_reset: bool


@dataclass
class Share:
    """Of one step: consumption, how much of it was spread over a gap, resets."""

    consumption: int = 0
    estimated: int = 0
    resets: int = 0


def rises(samples: Sequence[tuple[int, int]], exchanges: Sequence[Exchange]) -> Iterator[Rise]:
    """Yield the rise between neighbours; samples: (at_ms, value) in order of time."""
    kept = [
        sample
        for index, sample in enumerate(samples)
        if not _is_outlier(samples, index, exchanges)
    ]
    for (from_ms, before), (to_ms, after) in pairwise(kept):
        between = [exchange for exchange in exchanges if from_ms < exchange.at_ms <= to_ms]
        if between:
            amount, shown = 0, before
            for exchange in between:
                amount += _up(shown, exchange.final)
                shown = exchange.initial if exchange.initial is not None else after
            yield Rise(from_ms, to_ms, amount + _up(shown, after), False)
        elif after >= before:
            yield Rise(from_ms, to_ms, after - before, False)
        else:
            end = _end(before, after)
            yield Rise(from_ms, to_ms, after + end - before if end else 0, not end)


def _up(before: int, after: int | None) -> int:
    return 0 if after is None else max(0, after - before)


def _is_outlier(
    samples: Sequence[tuple[int, int]], index: int, exchanges: Sequence[Exchange]
) -> bool:
    """Whether this one reading lies below both its neighbours' rise."""
    if not 0 < index < len(samples) - 1:
        return False
    (from_ms, before), (_, here), (to_ms, after) = samples[index - 1 : index + 2]
    explained = any(from_ms < exchange.at_ms <= to_ms for exchange in exchanges)
    return here < before <= after and not explained


def _end(before: int, after: int) -> int:
    """Return the count at which this counter rolled over; 0: it did not."""
    for end in _ENDS:
        if end - end // 100 <= before < end and after <= end // 100:
            return end
    return 0


def spread(found: Iterable[Rise], step_ms: int) -> dict[int, Share]:
    """Return {start_ms of a step: its share}; steps are multiples of step_ms since 1970.

    A rise that takes longer than a step is an estimate in each step it touches.
    """
    shares: dict[int, Share] = {}
    for rise in found:
        length = max(1, rise.to_ms - rise.from_ms)
        is_gap = length > step_ms
        given = 0
        start = rise.from_ms - rise.from_ms % step_ms
        while start < rise.to_ms:
            until = min(start + step_ms, rise.to_ms)
            through = rise.amount * (until - rise.from_ms) // length
            share = shares.setdefault(start, Share())
            share.consumption += through - given
            share.estimated += through - given if is_gap else 0
            given = through
            start += step_ms
        if rise.is_reset:
            last = rise.to_ms - rise.to_ms % step_ms
            shares.setdefault(last, Share()).resets += 1
    return shares
