"""The journal: numbered records that stay until the collector has them, or say that they went.

Not here: files and flash (store.py), what payloads mean (codec.py), when to send (uplink.py).
Why it is built so, and every byte on flash: agent/JOURNAL.md.

    journal = Journal(Files("/flash/journal"), random_u32, 512 * 1024)
    recovery = journal.start()
    seq = journal.append(EVENT, payload, 0, len(payload))
    journal.sync()
    found, length = journal.read_from(seq, out)
    journal.trim_through(journal.journal_id, found)

Numbers are consecutive. A number is readable only once it is durable, so a power cut never
gives a number that was sent to other content. A number that is gone is read as a LOST record.
"""

from micropython import const

from agent import forget
from agent.outage import Outage
from agent.record import BLOCK, OVERHEAD, find_record, pack_lost
from agent.saves import MARK_MAX, Saves
from agent.tail import Tail
from agent.window import Window

_ENOSPC = const(28)  # absent from the unix port's errno; littlefs' LFS_ERR_NOSPC


class Journal:
    """Append, read, trim; one per gateway.

    ground      where the bytes live: an object of store.py
    random_u32  callable() -> int 0 .. 2**32 - 1, asked once, when the journal is made
    size_bytes  what the journal may fill, whole segments
    meter_at    index of the meter's number in a BLOCK payload (FORMAT.md)

    journal_id  drawn at creation; (journal_id, seq) is unique for ever
    first       the lowest number not acknowledged; next when nothing waits
    next        the number the next record gets
    acked       the highest number the collector has
    durable     the highest number that a power cut cannot take
    """

    def __init__(self, ground, random_u32, size_bytes, meter_at=5):
        self.ground = ground
        self.journal_id = 0
        self.next = 1
        self.acked = 0
        self.durable = 0
        self.degraded = False  # nothing can be written: new records live in RAM
        self.blind = False  # the flash could not even be read: it is not touched until a restart
        self.errors = 0
        self.damaged = 0
        self.taken = 0  # bytes appended since agent/forecast.py looked
        self.lost_first = 0  # the last stretch that went because the journal was full
        self.lost_last = 0
        self.alive_ms = 0
        self._outage = Outage()
        self._random_u32 = random_u32
        self._meter_at = meter_at
        self.segments_max = max(4, size_bytes // ground.segment_size)
        self.segments = []  # numbers of their first records, ascending
        self.tail = Tail(ground.segment_size)
        self._saves = Saves(ground)
        self._window = Window(ground.segment_size + MARK_MAX)
        self.sealed: dict = {}  # meter: number of its first BLOCK since save_open()
        self._acked_kept = 0  # acked and lost_last, as a start would find them
        self._lost_kept = 0

    @property
    def first(self):
        """The lowest number not acknowledged: what read_from() gives next."""
        return self.acked + 1

    @property
    def fill_permille(self):
        """How full the journal is, 0 .. 1000; at 1000 the oldest segment goes."""
        size = self.ground.segment_size
        used = len(self.segments) * size + self.tail.fill
        return min(1000, used * 1000 // (self.segments_max * size))

    def start(self):
        """Find what the flash holds; return a Recovery. Call once, before anything else.

        Reads the directory, the slots and the last segment: a bounded amount. A flash that
        cannot be read leaves the journal degraded, in RAM, and the gateway reading meters.
        """
        from agent.recovery import Recovery, recover  # RAM for the start only

        forget("recovery")
        found = Recovery()
        try:
            found = recover(self, self._window.data, self._meter_at)
        except OSError:
            self._note_error()
            try:
                found = recover(self, self._window.data, self._meter_at)
            except OSError:
                self.degraded = self.blind = True
        self._window.forget()
        self._note_saved()
        if not self.journal_id:
            self.journal_id = self._random_u32() or 1
        if not self.degraded:
            self._attempt(self._save_mark)
        found.first = self.first
        found.next = self.next
        return found

    def append(self, kind, data, start, end):
        """Take one record, return its number. It lives in RAM until sync() or save_open().

        data[start:end] is copied. Flash is touched only when the tail is full, which
        housekeep() in quiet moments prevents. Raises ValueError when the payload is too long.
        """
        length = end - start + OVERHEAD
        while not self.tail.fits(length):
            self._make_room()
        seq = self.next
        self.tail.add(kind, seq, self.journal_id, data, start, end)
        self.next = seq + 1
        self.taken += length
        if kind == BLOCK and end - start > self._meter_at:
            self.sealed.setdefault(data[start + self._meter_at], seq)
        return seq

    def sync(self):
        """Make every appended record durable; `durable` says how far that went."""
        tail = self.tail
        while tail.cut:
            if not self._attempt(self._write_segment):
                return
        if tail.solid < tail.fill:
            self._attempt(self._save_tail)

    def save_open(self, wall_ms, parts):
        """Make records and the open blocks durable: what a power cut then costs is nothing.

        wall_ms  wall time now, 0 when it cannot be trusted; a start reports the last one
        parts    list of (meter 0 .. 255, data, start, end): Block.close() of each open block
        """
        if self.tail.is_heavy:
            self.sync()
        before_ms = self.alive_ms
        if wall_ms:
            self.alive_ms = wall_ms
        if self._attempt(self._save_open, parts):
            self.sealed.clear()
        else:
            self.alive_ms = before_ms  # a MARK with the new time would hide what is missing

    def read_from(self, seq, out):
        """Copy the first durable record with a number >= seq into out, in wire form.

        Returns (seq, length); length 0: there is none. Acknowledged numbers are passed over.
        A number that the journal no longer holds gives a LOST record under the number of the
        last one missing. `out` has PAYLOAD_MAX + OVERHEAD bytes. Raises nothing.
        """
        wanted = max(seq, self.acked + 1)
        if wanted > self.durable:
            return 0, 0
        found = 0
        i = self._segment_of(wanted)
        while not found and 0 <= i < len(self.segments):
            data = self._window.data
            found, at, size = self._find(self.segments[i], wanted)
            i += 1
        if not found:
            data = self.tail.data
            solid = self.tail.solid
            at = self.tail.end_of(wanted - 1, solid)
            found, at, size, _ = find_record(data, solid, wanted, self.journal_id, at)
        if not found:
            return self._lost(wanted, self.durable, out)
        if found > wanted:
            return self._lost(wanted, found - 1, out)
        out[0:size] = memoryview(data)[at : at + size]
        return found, size

    def trim_through(self, journal_id, seq):
        """Take the collector's word that it has everything through seq.

        Ignored when the journal id is not ours or the number was never readable: a stale or
        foreign word frees nothing. Never goes backwards. Flash is freed later, by housekeep().
        """
        if journal_id != self.journal_id or not self.acked < seq <= self.durable:
            return
        self.acked = seq
        self.tail.drop(self.tail.end_of(seq, self.tail.solid))

    def housekeep(self, now_ms, quiet):
        """Do one piece of slow flash work that waits, when no line is talking (quiet)."""
        if not quiet or (self.degraded and not self._retry(now_ms)):
            return
        if self.tail.cut:
            if len(self.segments) >= self.segments_max:
                self._attempt(self._free_oldest)
            elif self._owes_mark():
                self._attempt(self._save_mark)
            else:
                self._attempt(self._write_segment)
        elif self._removable():
            self._attempt(self._free_oldest)
        else:
            self._attempt(self.ground.prepare)

    def renew(self):
        """Write the slots anew, so that none holds what was acknowledged; return success.

        What the flash has freed keeps its bytes until it is erased: Files.scrub, Ring.scrub.
        """
        self.sync()
        return self.tail.solid == self.tail.fill and self._attempt(self._renew)

    @property
    def damaged_places(self):
        """How many were found, at the start and since."""
        return self.damaged + self._window.damaged

    # What follows writes flash and may raise OSError; _attempt() is the only caller.

    def _save_tail(self):
        """Write records of the tail: the newest alone where that is small, else all."""
        tail = self.tail
        saves = self._saves
        saves.pack_mark(self, self.next - 1)
        if tail.base and saves.length + tail.fill - tail.base <= self.ground.small:
            saves.write("delta", tail, tail.base)
        else:
            saves.write("base", tail, 0)
            tail.base = tail.fill
        self._note_saved()

    def _renew(self):
        self.ground.renew()
        tail = self.tail
        self._saves.pack_mark(self, self.durable)
        self._saves.write("base", tail, 0)
        tail.base = tail.fill
        self._saves.write("delta", tail, tail.fill)
        self._save_mark()

    def _save_mark(self):
        self._saves.pack_mark(self, self.durable)
        self._saves.write_mark(self.journal_id)
        self._note_kept()

    def _save_open(self, parts):
        self._saves.pack_mark(self, self.next - 1)
        self._window.forget()
        self._saves.write_open(self, parts, self._window.data)
        self._note_saved()

    def _write_segment(self):
        """Write the closed part of the tail as a segment; make room for it first."""
        while len(self.segments) >= self.segments_max:
            self._free_oldest()
        if self._owes_mark():
            self._save_mark()
        tail = self.tail
        number = tail.first
        self.ground.write_segment(number, tail.data, 0, tail.cut)
        self.segments.append(number)
        if tail.solid < tail.cut:
            tail.solid = tail.cut
            self.durable = tail.last_in(tail.cut)
        tail.drop(tail.cut)

    def _free_oldest(self):
        """Do one step, a write to the flash, towards a segment less."""
        if not self._removable():
            self._give_up_oldest()
        elif self._acked_kept < self.acked or self._lost_kept < self.lost_last:
            self._save_mark()
        else:
            self._remove_oldest()

    def _give_up_oldest(self):
        """Declare the oldest segments lost, durably, before they go: a 32nd of all."""
        if not self.lost_first or self.acked >= self.lost_first:
            self.lost_first = self.acked + 1
        count = 1 + self.segments_max // 32
        if count < len(self.segments):
            self.lost_last = self.segments[count] - 1
        else:
            self.lost_last = self._after_oldest() - 1
        self._save_mark()

    def _remove_oldest(self):
        number = self.segments[0]
        self.ground.remove_segment(number)
        self.segments.pop(0)
        if self._window.of == number:
            self._window.forget()

    # What follows touches RAM only.

    def _attempt(self, work, *args):
        """Do flash work; after an OSError mount anew and try once more. Returns success.

        Where there is no room, someone else having filled the file system, the oldest goes.
        """
        tries = 0
        while tries < 2 and not self.degraded:
            try:
                work(*args)
                return True
            except OSError as error:
                is_full = error.errno == _ENOSPC and self.segments
            tries += 1
            if not is_full:
                self._note_error()
                continue
            try:
                self._free_oldest()
                tries -= 1
            except OSError:
                self._note_error()
        self.degraded = True
        return False

    def _retry(self, now_ms):
        """Try to write again; true when the flash is back."""
        if self.blind or not self._outage.is_due(now_ms):
            return False
        self.degraded = False
        if self._attempt(self._save_mark):
            self._outage.is_over()
        else:
            self._outage.goes_on(now_ms)
        return not self.degraded

    def _note_error(self):
        """Count an OSError and mount anew: what littlefs knows after one is undefined."""
        self.errors += 1
        self._window.forget()
        try:
            self.ground.recover()
        except OSError:
            self.errors += 1

    def _make_room(self):
        """The tail is full: write its closed segment now, or lose its oldest records."""
        if not self._attempt(self._write_segment):
            self.tail.drop(self.tail.cut)  # read_from() will declare the numbers as lost

    def _note_saved(self):
        """All of the tail is on the flash."""
        self.tail.solid = self.tail.fill
        self.durable = self.next - 1
        self._note_kept()

    def _note_kept(self):
        self._acked_kept = self.acked
        self._lost_kept = self.lost_last

    def _owes_mark(self):
        """Say whether a start would miss numbers that trimming dropped before the tail's first."""
        return self._acked_kept < self.tail.first - 1 <= self.acked

    def _after_oldest(self):
        """Return the number that follows the oldest segment's last."""
        if len(self.segments) > 1:
            return self.segments[1]
        return self.tail.first or self.next

    def _removable(self):
        """Say whether the collector has the oldest segment, or will be told that it went."""
        gone = max(self.acked, self.lost_last)
        return bool(self.segments) and self._after_oldest() - 1 <= gone

    def _segment_of(self, seq):
        """Return the index of the segment where seq would be, -1 when it is past them all."""
        if self.tail.fill and seq >= self.tail.first:
            return -1
        i = len(self.segments) - 1
        while i > 0 and self.segments[i] > seq:
            i -= 1
        return i

    def _find(self, number, wanted):
        """Return (seq, at, size) of the first good record >= wanted of a segment; seq 0: none."""
        for _ in range(2):  # the second time on a file system mounted anew
            try:
                self._window.hold(self.ground, number)
                return self._window.find(wanted, self.journal_id)
            except OSError:
                self._note_error()
        return 0, 0, 0

    def _lost(self, first, last, out):
        """Build the LOST record of first .. last in out; return (number, length)."""
        why = "damage"
        if self.lost_first <= first <= self.lost_last:
            why = "full"
            last = min(last, self.lost_last)
        return last, pack_lost(out, self.journal_id, first, last, why)
