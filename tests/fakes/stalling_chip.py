"""A chip whose interrupts are off while its flash works, and UARTs that hold only so much.

Virtual time in microseconds. A byte that has left the line lies in the UART's FIFO of 32 until an
interrupt moves it into the port's buffer of 512: when there are four, or when the line has been
silent for 32 bit times (PL011 as the Pico SDK sets it up). While the flash erases or programs, no
interrupt runs, and a byte that finds the FIFO full is lost and counted. RP2: RP2040 datasheet,
4.2.3 and 4.2.6; ports/rp2/rp2_flash.c switches interrupts off around each erase and program.

    chip = Chip()
    flash.busy = chip.busy                # a tests/fakes/nor_flash.NorFlash
    uart = chip.uart(9600, talk)          # talk(now_us) -> (instant of the next start bit, bytes)
    chip.run_to(5000); count = uart.readinto(buffer)

Not here: what meters say. Two that do are below: a Linky that never stops, a Modbus unit.
"""

from tests.fakes.virtual_meters import CountingMeter

FIFO = 32
_LEVEL = 4
_SILENT_BITS = 32
_RX_BYTES = 512


class Uart:
    """One receiver; made by Chip.uart().

    talk   callable(now_us) -> (start_us, bytes) of what comes next, None: nothing as yet
    lost   bytes that found the FIFO or the port's buffer full
    """

    def __init__(self, baud, talk):
        self.lost = 0
        self.heard = 0
        self.spoken = 0
        self._talk = talk
        self._bit_us = 1_000_000 / baud
        self._char_us = 10 * self._bit_us
        self._fifo = bytearray()
        self._ring = bytearray()
        self._data = b""
        self._at = 0
        self._begun_us = 0.0
        self._last_us = -1_000_000.0

    def run_to(self, now_us, is_stalled):
        """Let the line speak until now."""
        while True:
            if self._at == len(self._data):
                following = self._talk(now_us)
                if following is None:
                    break
                self._begun_us, self._data = following
                self._at = 0
            end_us = self._begun_us + (self._at + 1) * self._char_us
            if end_us > now_us:
                break
            if not is_stalled and self._fifo:
                self._interrupt(end_us)
            self.spoken += 1
            if len(self._fifo) == FIFO:
                self.lost += 1
            else:
                self._fifo.append(self._data[self._at])
            self._last_us = end_us
            self._at += 1
            if not is_stalled and len(self._fifo) >= _LEVEL:
                self._drain()
        if not is_stalled and self._fifo:
            self._interrupt(now_us)

    def _interrupt(self, now_us):
        is_silent = now_us - self._last_us >= _SILENT_BITS * self._bit_us
        if is_silent or len(self._fifo) >= _LEVEL:
            self._drain()

    def _drain(self):
        room = _RX_BYTES - len(self._ring)
        self.lost += max(0, len(self._fifo) - room)
        self._ring.extend(self._fifo[:room])
        self._fifo = bytearray()

    def readinto(self, buffer):
        """Move what the port has into a buffer; return the count."""
        count = min(len(self._ring), len(buffer))
        buffer[:count] = self._ring[:count]
        self._ring = self._ring[count:]
        self.heard += count
        return count


class Chip:
    """The time of one core, and its UARTs.

    stalls     times at which interrupts were off, and the longest, in us
    """

    def __init__(self):
        self.now_us = 0
        self.uarts = []
        self.stalls = 0
        self.longest_us = 0

    def uart(self, baud, talk):
        """Add a receiver."""
        self.uarts.append(Uart(baud, talk))
        return self.uarts[-1]

    def run_to(self, now_us):
        """Let time pass, interrupts on; a time that is over is no error."""
        self.now_us = max(self.now_us, now_us)
        for uart in self.uarts:
            uart.run_to(self.now_us, False)

    def busy(self, us):
        """Let the flash work: interrupts are off."""
        self.stalls += 1
        self.longest_us = max(self.longest_us, us)
        self.now_us += us
        for uart in self.uarts:
            uart.run_to(self.now_us, True)
        self.run_to(self.now_us)


def _group(label, data):
    body = label + "\t" + data + "\t"
    check = (sum([ord(c) for c in body]) & 0x3F) + 0x20
    return "\n" + body + chr(check) + "\r"


class Linky:
    """The mode standard without an end: telegrams of a second, pauses of 17 to 33 ms.

    pauses_ms  shortest and longest; number: telegrams begun, in EAST and SINSTS of each
    """

    base = 1_000_000

    def __init__(self, random, pauses_ms=(17, 33)):
        self.number = 0
        self._random = random
        self._pauses_ms = pauses_ms
        self._free_us = 0

    def __call__(self, now_us):
        """Say the next telegram; see Uart."""
        low, high = self._pauses_ms
        begin_us = self._free_us + 1000 * (low + self._random(high - low + 1))
        if begin_us > now_us + 100_000:
            return None
        self.number += 1
        data = "\x02" + _group("ADSC", "041867000000") + _group("VTIC", "02")
        data += _group("EAST", "%09d" % (self.base + self.number))
        for i in range(1, 11):
            data += _group("EASF%02d" % i, "%09d" % (self.base + 10 * i))
        data += _group("SINSTS", "%05d" % (self.number % 1000)) + _group("URMS1", "231")
        data += _group("NGTF", "      BASE      ") + _group("MSG1", "%-32s" % "PAS DE MESSAGE")
        data += _group("PJOURF+1", "00008001 NONUTILE " * 5) + "\x03"
        self._free_us = begin_us + len(data) * 1_000_000 * 10 // 9600
        return begin_us, data.encode()


class Unit:
    """A Modbus unit that answers 5 to 35 ms after a request."""

    def __init__(self, random, number):
        self._random = random
        self._meter = CountingMeter(number)
        self._answer = None

    def asked(self, request, now_us):
        """Take a request, whose last bit left now."""
        reply = self._meter.answer(request)
        if reply:
            self._answer = (now_us + 5000 + self._random(30_000), reply)

    def __call__(self, now_us):
        """Say the answer; see Uart."""
        if self._answer is None or self._answer[0] > now_us:
            return None
        answer = self._answer
        self._answer = None
        return answer
