"""What a start finds on the ground: the numbers, the tail, and the open blocks.

Not here: the running journal (journal.py), which calls recover() once. Evidence and what
follows from it: agent/JOURNAL.md, "Start".
"""

from struct import unpack_from

from agent.record import (
    BLOCK,
    MARK,
    OPEN,
    OVERHEAD,
    PAYLOAD_MAX,
    WEAR,
    BadRecord,
    check_record,
    next_record,
    record_length,
)


class Recovery:
    """What start() tells: the open blocks and what may be missing.

    opens     list of (meter, bytes): the snapshot of each open block, none of them stale
    alive_ms  wall time at which the gateway was last known alive; 0: unknown
    torn      number of damaged places that were found and passed over
    in_doubt  damage may hide a block: no open block is taken, for it may be in one already
    first     lowest number not acknowledged
    next      number of the next record
    """

    def __init__(self):
        self.opens = []
        self.alive_ms = 0
        self.alive_seq = 0  # of the MARK that says so: the newest one's, for clocks are set back
        self.torn = 0
        self.in_doubt = False
        self.first = 1
        self.next = 1


def recover(journal, page, meter_at):
    """Bring journal's numbers and tail to what its ground holds; return a Recovery.

    page is room for one segment. Raises OSError when the ground cannot be read.
    """
    ground = journal.ground
    ground.open()
    found = Recovery()
    opens: list = []  # (meter, seq at which it was saved, bytes)
    sealed: list = []  # (meter, seq after its block)
    journal.segments = ground.segments()
    tail = journal.tail
    journal.next = 1
    in_segments = 0
    _take_slot(journal, found, page, "mark", opens, sealed, meter_at, 0)
    # Segments before the other slots: their records win, those in a slot may be older.
    while journal.segments:
        number = journal.segments[-1]
        length = ground.read_segment(number, page)
        if length:
            journal.next = max(journal.next, number)
            in_segments, _ = _take(journal, found, page, length, None, sealed, meter_at)
            break
        journal.segments.pop()  # made, and cut before its content was there
        ground.remove_segment(number)
    for slot in ("base", "delta", "open"):
        _take_slot(journal, found, page, slot, opens, sealed, meter_at, in_segments)
    if opens:
        oldest = min([seq for _, seq, _ in opens])
        _sealed_in_segments(journal, found, page, oldest, sealed, meter_at)
    if found.in_doubt:  # the damage may have said that they are stale: from now on they are
        for meter, _, _ in opens:
            journal.sealed.setdefault(meter, journal.next - 1)
        opens.clear()
    for meter, seq, data in opens:
        stale = [after for other, after in sealed if other == meter and after > seq]
        if stale:
            # The marks of this life go on saying so, until save_open() replaces the open block.
            journal.sealed.setdefault(meter, stale[0] - 1)
        else:
            found.opens.append((meter, data))
    # Whole segments that the collector has wait for housekeep().
    tail.drop(tail.end_of(journal.acked, tail.fill))
    found.alive_ms = journal.alive_ms
    journal.damaged += found.torn
    return found


def _take_slot(journal, found, page, slot, opens, sealed, meter_at, in_segments):
    at = 0
    while True:  # the open blocks of many meters are longer than a page
        length = journal.ground.load(slot, page, at)
        _, done = _take(
            journal, found, page, length, opens, sealed, meter_at, in_segments, slot != "mark"
        )
        if length < len(page):
            return
        at += done


def _take(journal, found, data, length, opens, sealed, meter_at, in_segments=0, is_numbered=True):
    """Take every good record of data[0:length] for what it says.

    opens None: a segment, whose records stay where they are; else a slot, whose records past
    the segments' last go to the tail. is_numbered: damage may have held numbers. A record that the
    page's end cuts is not damaged: it is for the next page. Returns the number of the last good
    record and the index behind it.
    """
    at = 0
    last = 0
    while at < length:
        try:
            size = record_length(data, at, length)
            kind, seq, journal_id, start, end = check_record(data, at, at + size)
        except BadRecord:
            if at and length == len(data) and length - at < PAYLOAD_MAX + OVERHEAD:
                break
            # At most this many numbers were used in the damage; none may be used again.
            found.torn += 1
            behind = next_record(data, at + 1, length, journal.journal_id)
            if is_numbered:
                journal.next += (behind - at) // OVERHEAD
                found.in_doubt = True
            at = behind
            continue
        at += size
        if not journal.journal_id:
            journal.journal_id = journal_id
        if journal_id != journal.journal_id:
            continue
        if kind == MARK:
            _take_mark(journal, found, data, seq, start, end, sealed)
        elif kind == WEAR:
            journal.ground.note_wear(unpack_from(">I", data, start)[0])
        elif kind == OPEN:
            opens.append((data[start], seq, bytes(memoryview(data)[start + 1 : end])))
        else:
            if kind == BLOCK and end - start > meter_at:
                sealed.append((data[start + meter_at], seq + 1))
            tail = journal.tail
            if opens is not None and seq > in_segments and seq > tail.last_in(tail.fill):
                tail.take(data, at - size, at)
            journal.next = max(journal.next, seq + 1)
            last = seq
    return last, at


def _take_mark(journal, found, data, seq, start, end, sealed):
    acked, lost_first, lost_last = unpack_from(">III", data, start)
    journal.acked = max(journal.acked, acked)
    if lost_last > journal.lost_last:
        journal.lost_first = lost_first
        journal.lost_last = lost_last
    alive_ms = unpack_from(">Q", data, start + 12)[0]
    if seq > found.alive_seq or (seq == found.alive_seq and alive_ms > journal.alive_ms):
        found.alive_seq = seq
        journal.alive_ms = alive_ms
    for i in range(start + 20, end):
        sealed.append((data[i], seq))
    journal.next = max(journal.next, seq)


def _sealed_in_segments(journal, found, page, oldest, sealed, meter_at):
    """Note the blocks that segments hold from number oldest on: their open blocks are stale."""
    i = len(journal.segments) - 2
    while i >= 0 and journal.segments[i + 1] > oldest:
        length = journal.ground.read_segment(journal.segments[i], page)
        at = 0
        while at < length:
            try:
                size = record_length(page, at, length)
                kind, seq, _, start, end = check_record(page, at, at + size)
                at += size
            except BadRecord:
                at = next_record(page, at + 1, length, journal.journal_id)
                found.in_doubt = True
                continue
            if kind == BLOCK and end - start > meter_at:
                sealed.append((page[start + meter_at], seq + 1))
        i -= 1
