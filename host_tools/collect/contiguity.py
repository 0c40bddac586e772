"""How far a journal is complete: the number that may be acknowledged.

Not storage: plain integers. A number counts as dealt with when its record was committed or when
the gateway itself declared that it no longer has it (a LOST record, a birth's `first`).

    advance(4, [5, 6, 9], [(7, 8)])     # 9
"""

from collections.abc import Iterable


def advance(through: int, seqs: Iterable[int], holes: Iterable[tuple[int, int]]) -> int:
    """Return the highest number up to which everything is stored or declared missing.

    through  what is known to be complete already, 0 for nothing
    seqs     numbers of committed records, any order, repeats allowed
    holes    (first, last) declared missing, both included, any order, may overlap
    """
    spans = sorted([(seq, seq) for seq in seqs] + list(holes))
    for first, last in spans:
        if first > through + 1:
            break
        through = max(through, last)
    return through
