"""Writes the journal's slots: a MARK of its numbers, and what belongs behind it.

Not here: when, and what follows from it (journal.py); how a start reads them (recovery.py). Every
call that writes may raise OSError.

    saves.pack_mark(journal, durable)
    saves.write("base", journal.tail, 0)
"""

from struct import pack_into

from micropython import const

from agent.record import HEADER, MARK, OPEN, OVERHEAD, WEAR, pack_record

_MARK_HEAD = const(20)
_SEALED_MAX = const(256)
MARK_MAX = _MARK_HEAD + _SEALED_MAX + OVERHEAD


class Saves:
    """The buffers that a save is built in; owned by the journal.

    length  bytes of the MARK that was packed last
    """

    def __init__(self, ground):
        self.length = 0
        self._ground = ground
        self._mark = bytearray(MARK_MAX)
        self._wear = bytearray(4 + OVERHEAD)

    def pack_mark(self, journal, durable):
        """Build the MARK of a moment when numbers through `durable` are."""
        mark = self._mark  # the payload is put where it will stand, then framed
        pack_into(">III", mark, HEADER, journal.acked, journal.lost_first, journal.lost_last)
        pack_into(">Q", mark, HEADER + 12, journal.alive_ms)
        end = HEADER + _MARK_HEAD
        for meter in journal.sealed:
            if journal.sealed[meter] <= durable:
                mark[end] = meter
                end += 1
        journal_id = journal.journal_id
        self.length = pack_record(mark, MARK, durable + 1, journal_id, mark, HEADER, end)

    def write(self, slot, tail, start):
        """Write the MARK and the tail's records from index start on."""
        ground = self._ground
        ground.begin(slot, self.length + tail.fill - start)
        ground.put(self._mark, 0, self.length)
        ground.put(tail.data, start, tail.fill)
        ground.commit()

    def write_mark(self, journal_id):
        """Write the MARK alone, twice: nothing else may know its numbers one day. And the wear."""
        ground = self._ground
        wear = self._wear
        # No number: it is not one of the journal's records.
        pack_record(wear, WEAR, 0, journal_id, ground.erased.to_bytes(4, "big"), 0, 4)
        ground.begin("mark", 2 * self.length + len(wear))
        ground.put(self._mark, 0, self.length)
        ground.put(self._mark, 0, self.length)
        ground.put(wear, 0, len(wear))
        ground.commit()

    def write_open(self, journal, parts, record):
        """Write the MARK, the records behind base, and an OPEN record for each of parts.

        parts: as of Journal.save_open(). record: a bytearray for the longest OPEN record.
        """
        tail = journal.tail
        ground = self._ground
        whole = self.length + tail.fill - tail.base
        for _, _, start, end in parts:
            whole += end - start + 1 + OVERHEAD
        ground.begin("open", whole)
        ground.put(self._mark, 0, self.length)
        ground.put(tail.data, tail.base, tail.fill)
        for meter, data, start, end in parts:
            # The payload is the meter's number, then the snapshot; put in place, then framed.
            stop = HEADER + 1 + end - start
            record[HEADER] = meter
            record[HEADER + 1 : stop] = memoryview(data)[start:end]
            length = pack_record(
                record, OPEN, journal.next, journal.journal_id, record, HEADER, stop
            )
            ground.put(record, 0, length)
        ground.commit()
