"""A day of the journal on a simulated flash, and what the outside knows of it at any instant.

Every program and erase of the day is watched: the flash as a power cut there would leave it, in
three forms, is copied, a gateway starts on the copy, is checked against what the outside knew at
that instant, lives on for a while, starts once more and is checked again. In that second life
cuts are explored in the same way (depth 2, sampled). The first life goes on undisturbed, so a
cut costs one start and not one day. At some instants a bit flips instead, or in the life that
follows the flash answers EIO once, or claims success once and changes nothing.

    tally = Tally()
    Day(world, seed=1, depth=2).run(tally)

A world says where the bytes live: `fresh()` -> NorFlash, `again(data)` -> NorFlash of a copy,
`mount(flash)` -> a ground of the journal, `unmount(ground)`, `segments` for the journal,
`rot(data, noise)` flips a bit where the journal must bear it and returns its index.
"""

from agent.journal import Journal
from agent.record import BLOCK, EVENT, LOST, BadRecord, check_record
from tests.fakes.nor_flash import FORMS, Noise, tear
from tests.system.tally import Violation

JOURNAL_ID = 0x5EED
METERS = 3
_OUT = bytearray(4096)
_HEAD = b"HEAD."  # the meter's number follows at index 5, as in a real block


def _short(data):
    return data and (len(data), data[:12])


class Dice:
    """Small random numbers, fast and the same on every runtime."""

    def __init__(self, seed):
        self._state = seed * 2654435761 & 0x3FFFFFFF

    def below(self, limit):
        self._state = (self._state * 1103515245 + 12345) & 0x3FFFFFFF
        return (self._state >> 8) % limit


class Outside:
    """What appenders, collector and reader know; promises are checked against it.

    written   number: payload, of every record that was ever appended and may exist
    promised  the highest number that was said to be durable
    acked     the highest number that the collector acknowledged
    full      the highest number that was declared lost because the journal was full
    opens     meter: (number the next record had, snapshot) of the last completed save_open()
    saving    the same of a save_open() under way, or None
    sealed    meter: numbers of its blocks since that save
    """

    def __init__(self):
        self.written = {}
        self.promised = 0
        self.acked = 0
        self.full = 0
        self.opens = {}
        self.saving = None
        self.sealed = {}
        self.alive = (0,)
        self.rotten = 0  # a bit has flipped: what it held, of numbers below this, may be lost

    def fork(self, journal):
        """Return what the outside would know if power went now."""
        other = Outside()
        other.promised = max(self.promised, journal.durable)
        other.acked = max(self.acked, journal.acked)
        other.full = max(self.full, journal.lost_last)
        other.written = dict(self.written)
        other.opens = self.opens
        other.saving = self.saving
        other.sealed = {m: list(self.sealed[m]) for m in self.sealed}
        other.alive = self.alive
        other.rotten = self.rotten
        return other

    def check_start(self, journal, recovery):
        """Check what a start found; forget what never existed."""
        if journal.degraded:
            raise Violation("unmountable", "the journal is degraded after a start")
        if journal.journal_id != JOURNAL_ID and self.promised:
            raise Violation("lost", "journal id %x" % journal.journal_id)
        if journal.acked > self.acked:
            raise Violation("lost", "acked %d, known %d" % (journal.acked, self.acked))
        if journal.next <= self.promised:
            raise Violation("ghost", "next is %d, %d is promised" % (journal.next, self.promised))
        for seq in [s for s in self.written if s >= journal.next]:
            del self.written[seq]
        for meter in self.sealed:
            self.sealed[meter] = [s for s in self.sealed[meter] if s < journal.next]
        self._check_opens(journal, recovery)
        if recovery.alive_ms not in self.alive and not self.rotten:
            raise Violation("open", "alive %d of %s" % (recovery.alive_ms, self.alive))
        # From now on only what was found is true.
        found = {}
        for opens in (self.opens, self.saving or {}):
            for meter in opens:
                if (meter, opens[meter][1]) in recovery.opens:
                    found[meter] = opens[meter]
        self.opens = found
        self.saving = None
        self.alive = (recovery.alive_ms,)

    def _check_opens(self, journal, recovery):
        got = dict(recovery.opens)
        if len(got) != len(recovery.opens):
            raise Violation("open", "a meter twice in %s" % recovery.opens)
        for meter in range(METERS):
            allowed = [self._open_of(self.opens, meter, journal)]
            if self.rotten:
                allowed.append(None)
            if self.saving is not None:
                allowed.append(self._open_of(self.saving, meter, journal))
            if got.get(meter) not in allowed:
                raise Violation(
                    "open",
                    "meter %d: %s of %s"
                    % (meter, _short(got.get(meter)), [_short(a) for a in allowed]),
                )

    def _open_of(self, opens, meter, journal):
        """Return the snapshot a start must give for a meter, None when it is stale or absent."""
        if meter not in opens:
            return None
        at, data = opens[meter]
        for seq in self.sealed.get(meter, ()):
            if at <= seq < journal.next:
                return None
        return data

    def check_records(self, journal):
        """Read everything as the uplink does and compare with what was written."""
        seq = journal.acked + 1
        spoilt = 0
        while True:
            found, length = journal.read_from(seq, _OUT)
            if not length:
                break
            try:
                kind, number, journal_id, start, end = check_record(_OUT, 0, length)
            except BadRecord as error:
                raise Violation("ghost", "record %d: %s" % (found, error))
            if number != found or journal_id != JOURNAL_ID or found < seq:
                raise Violation("ghost", "%d is %d of %x" % (found, number, journal_id))
            if kind == LOST:
                why = bytes(_OUT[start:end])
                if b'"full"' in why and found <= max(self.full, journal.lost_last):
                    pass
                elif not self.rotten or b'"damage"' not in why:
                    raise Violation("lost", why)
                else:
                    # What the collector has is not lost, whatever the gateway still knows of it.
                    spoilt += max(0, min(found + 1, self.rotten) - max(seq, self.acked + 1))
            else:
                if found != seq:
                    raise Violation("undeclared", "%d where %d was due" % (found, seq))
                if self.written.get(found) != bytes(_OUT[start:end]):
                    raise Violation(
                        "ghost",
                        "%d is %s, written %s"
                        % (found, bytes(_OUT[start : start + 12]), self.written.get(found)),
                    )
            seq = found + 1
        if spoilt > 1:
            raise Violation("lost", "one flipped bit cost %d records" % spoilt)
        if seq != journal.durable + 1:
            raise Violation("undeclared", "reading ends at %d of %d" % (seq, journal.durable))
        if journal.durable < self.promised:
            raise Violation("lost", "durable %d of %d" % (journal.durable, self.promised))
        self.promised = journal.durable
        if journal.lost_last > self.full:
            self._check_fullness(journal)
            self.full = journal.lost_last

    def _check_fullness(self, journal):
        """What was given up must have been the oldest, and only for want of room."""
        held = 0
        for seq in self.written:
            if journal.lost_last < seq <= journal.durable:
                held += len(self.written[seq]) + 16
        if held < (journal.segments_max - 2) * journal.ground.segment_size // 2:
            raise Violation(
                "lost", "given up through %d with %d bytes held" % (journal.lost_last, held)
            )


class Life:
    """A gateway's journal between two power-ups, and the outside that it talks to."""

    def __init__(self, world, flash, outside, name):
        self.name = name
        self.outside = outside
        self.ground = world.mount(flash)
        self.journal = Journal(self.ground, lambda: JOURNAL_ID, 1)
        self.journal.segments_max = world.segments
        self._saves = 0

    def start(self):
        """Start; check numbers, open blocks and records."""
        recovery = self.journal.start()
        self.outside.check_start(self.journal, recovery)
        self.outside.check_records(self.journal)

    def append(self, size, meter=None):
        """Append an event, or a block of a meter."""
        journal = self.journal
        text = b"%d/%s." % (journal.next, self.name.encode())
        data = (text * (size // len(text) + 1))[:size]
        if meter is not None:
            data = _HEAD + bytes([meter]) + data
        expected = journal.next
        # Known before the call: a cut in it may find the record durable already.
        self.outside.written[expected] = data
        if meter is not None:
            self.outside.sealed.setdefault(meter, []).append(expected)
        journal.append(EVENT if meter is None else BLOCK, data, 0, len(data))

    def sync(self, is_read=True):
        """Sync; is_read: then all is read, as by the uplink, and compared."""
        self.journal.sync()
        self._check_durable()
        if is_read:
            self.outside.check_records(self.journal)

    def save(self, size, wall_ms, is_read=True):
        """Snapshot the open blocks of some meters; is_read: as in sync()."""
        outside = self.outside
        journal = self.journal
        self._saves += 1
        saving = {}
        parts = []
        for meter in range(METERS):
            if (self._saves + meter) % 3:
                text = b"open %d %d %s." % (meter, self._saves, self.name.encode())
                data = (text * (size // len(text) + 1))[:size]
                saving[meter] = (journal.next, data)
                parts.append((meter, data, 0, size))
        # Records that are not durable yet become so first, under the numbers they have.
        outside.saving = saving
        outside.alive = (outside.alive[-1], wall_ms)
        journal.save_open(wall_ms, parts)
        self._check_durable()
        outside.opens = saving
        outside.saving = None
        outside.alive = (wall_ms,)
        outside.sealed = {}
        if is_read:
            outside.check_records(journal)

    def _check_durable(self):
        journal = self.journal
        if journal.durable != journal.next - 1 and not journal.degraded:
            raise Violation("lost", "a save left %d of %d" % (journal.durable, journal.next - 1))

    def trim(self, behind):
        """Acknowledge all but the newest few."""
        outside = self.outside
        outside.acked = max(outside.acked, self.journal.durable - behind)
        journal = self.journal
        journal.trim_through(JOURNAL_ID, outside.acked)
        journal.trim_through(JOURNAL_ID ^ 1, journal.durable)  # of another gateway
        journal.trim_through(JOURNAL_ID, journal.next + 5)  # of a number never sent
        journal.trim_through(JOURNAL_ID, outside.acked // 2)  # late
        if journal.acked > outside.acked:
            raise Violation("lost", "acked %d, known %d" % (journal.acked, outside.acked))

    def housekeep(self):
        self.journal.housekeep(0, True)


class Day:
    """The scenario, and the exploration of its cuts.

    world   see the module's text
    seed    which day: sizes, order and phases follow from it
    depth   2: also cuts in the life after a cut, one operation in `deep`
    every   explore one operation in so many, from `phase` on
    """

    def __init__(self, world, seed, depth=2, every=1, phase=0, deep=97, ticks=288, stop=0):
        self.world = world
        self.seed = seed
        self.depth = depth
        self.every = every
        self.phase = phase
        self.deep = deep
        self.ticks = ticks
        self.stop = stop
        self._tally = None
        self._life = None

    def run(self, tally):
        """Live the day; count into tally, whose `first` says what broke first."""
        self._tally = tally
        flash = self.world.fresh()
        outside = Outside()
        dice = Dice(self.seed)
        flash.watch = self._watch
        self._life = None
        where = "day %d" % self.seed
        try:
            life = None
            for tick in range(self.ticks):
                if life is None or tick in (self.ticks // 3, self.ticks * 3 // 4):
                    if life is not None:
                        self.world.unmount(life.ground)
                    self._life = life = Life(self.world, flash, outside, "t%d" % tick)
                    life.start()
                self._tick(life, tick, dice)
                if self.stop and tally.broken:
                    break
        except (Violation, OSError) as error:
            tally.note(error, where + ", tick %d" % tick)
        flash.watch = None
        tally.operations += flash.operations
        if self._life is not None:
            self.world.unmount(self._life.ground)

    def _tick(self, life, tick, dice):
        """Five minutes: readings, snapshots, acknowledgements, as the hour has it."""
        online = not self.ticks // 4 <= tick < self.ticks * 3 // 5
        for _ in range(dice.below(3)):
            life.append(8 + dice.below(90))
        if tick % 3 == 0 or dice.below(4) == 0:
            life.append(60 + dice.below(900), dice.below(METERS))
        if tick % 96 == 50:
            life.append(3990)
        if dice.below(5):
            life.sync()
        if tick % 4 == 3:
            life.save((24, 90, 700, 2600)[dice.below(4)], 1_700_000_000_000 + tick * 300_000)
        if online and dice.below(3):
            life.trim(dice.below(4))
        for _ in range(dice.below(3)):
            life.housekeep()

    def _watch(self, flash, at, source):
        if self._life is None or flash.operations % self.every != self.phase % self.every:
            return
        if self.stop and self._tally.broken:
            return
        life = self._life
        for index, form in enumerate(FORMS):
            data = self.world.copy(flash.data, 1)
            size = flash.block if source is None else len(source)
            seed = self.seed * 1000003 + flash.operations * 4 + index
            tear(data, at, source, size, form, Noise(seed))
            self._tally.cuts += 1
            where = "day %d, operation %d, %s" % (self.seed, flash.operations, form)
            self._after(data, life.outside.fork(life.journal), where, seed)
        if flash.operations % 7 < 3:
            self._trouble(flash, life, flash.operations % 7)

    def _trouble(self, flash, life, sort):
        """What is no power cut, after this instant: a flipped bit, EIO once, a silent failure."""
        data = self.world.copy(flash.data, 1)
        seed = self.seed * 1000003 + flash.operations
        outside = life.outside.fork(life.journal)
        self._tally.troubles += 1
        if sort == 0:
            at = self.world.rot(data, Noise(seed))
            outside.rotten = outside.promised + 1
            where = "day %d, operation %d, bit of %d flipped"
            self._after(data, outside, where % (self.seed, flash.operations, at), seed)
            return
        at = 1 + seed % 23
        again = self.world.again(data)
        if sort == 1:
            again.fail_at = at
        else:
            again.silent_at = at
        where = "day %d, operation %d, %s at the %dth behind it"
        what = ("", "EIO", "no effect")[sort]
        self._after(data, outside, where % (self.seed, flash.operations, what, at), seed, again)

    def _after(self, data, outside, where, seed, flash=None):
        """Start on what a cut left, live a little, start once more."""
        is_sound = flash is None
        flash = flash or self.world.again(data)
        lives = []
        if self.depth > 1 and is_sound:
            flash.watch = self._second_watch(lives, where, seed)
        try:
            self._live(flash, outside, lives, "second", seed)
        except (Violation, OSError) as error:
            self._tally.note(error, where)
        finally:
            flash.watch = None
            for life in lives:
                self.world.unmount(life.ground)

    def _live(self, flash, outside, lives, name, seed):
        """A short life, and a start after it."""
        life = Life(self.world, flash, outside, name)
        lives.append(life)
        life.start()
        life.append(50 + seed % 300, seed % METERS)
        life.append(20)
        life.sync(is_read=False)  # soon all is read
        if seed % 2:
            life.save(40 + seed % 200, 1_800_000_000_000, is_read=False)
        if seed % 3 == 0:
            life.trim(1)
            life.housekeep()
        life.housekeep()
        life.append(30)
        life.sync()
        self.world.unmount(life.ground)
        lives.remove(life)
        life = Life(self.world, flash, outside, name + "'")
        lives.append(life)
        life.start()

    def _second_watch(self, lives, where, seed):
        """Explore, rarely, a cut in the life after a cut."""

        def watch(flash, at, source):
            chance = (seed + flash.operations * 7919) % self.deep
            if chance or not lives:
                return
            life = lives[-1]
            form = FORMS[(seed + flash.operations) % 3]
            data = self.world.copy(flash.data, 2)
            size = flash.block if source is None else len(source)
            tear(data, at, source, size, form, Noise(seed + 1))
            self._tally.deep += 1
            third: list = []
            flash2 = self.world.again(data)
            text = "%s, then operation %d, %s" % (where, flash.operations, form)
            try:
                self._live(flash2, life.outside.fork(life.journal), third, "third", seed + 1)
            except (Violation, OSError) as error:
                self._tally.note(error, text)
            finally:
                for life in third:
                    self.world.unmount(life.ground)

        return watch
