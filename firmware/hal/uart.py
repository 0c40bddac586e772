"""A UART of a chip, with the pin that turns an RS-485 transceiver round. For rp2 and esp32.

Not the line's protocol: agent/bus.py decides what is sent when. Neither port has an RS-485 mode,
so the direction pin is dropped here, after the last stop bit:

    direction  ____/^^^^^^^^^^^^^^^^^^^^^^\\______
    tx         ----< request            >-------     a stop bit and an idle line are the same level
    us             0              end-12000  end     sleep until 12 ms before, then stay

A meter may answer 1.75 ms after the request (Modbus over Serial Line V1.02, 2.5.1.1), so the last
12 ms, which is a whole Modbus request at 9600 baud, are waited for without letting another task
in: a task that took longer than the meter's pause would cost the answer's first bytes.
"""

import time
from errno import EIO, ENODEV, ETIMEDOUT

import machine
from micropython import const

_HOLD_US = const(12000)
_LATE_US = const(20000)  # beyond the computed end: the peripheral is stuck
_RX_BYTES = const(512)  # 44 ms at 115200 baud: a page erased by littlefs meanwhile
_TX_BYTES = const(288)  # the longest request (agent/bus.py), so that a write never waits
_PARITY = {"N": None, "E": 0, "O": 1}


def char_us(line):
    """Return the microseconds of one character, rounded up: start, bits, parity, stop."""
    baud, bits, parity, stop = line
    return -((1 + bits + (parity != "N") + stop) * -1000000 // baud)


class Uart:
    """wiring: one member of a board's `uarts`. Raises OSError when it cannot be opened."""

    def __init__(self, wiring):
        self._wiring = wiring
        self._char_us = 0
        self._end_us = time.ticks_us()
        self._is_sending = False
        self._direction = None
        if wiring["direction"] is not None:
            self._direction = machine.Pin(wiring["direction"], machine.Pin.OUT, value=0)
        # Pulled up, an open or switched-off receiver is an idle line and no stream of zeros.
        # Pins that have no such resistor are as they are.
        machine.Pin(wiring["rx"], machine.Pin.IN, machine.Pin.PULL_UP)
        try:
            # With its pins from the first: the defaults of an ESP32 are those of its flash.
            self._uart = machine.UART(wiring["id"], 9600, tx=self._pin("tx"), rx=self._pin("rx"))
        except ValueError:
            raise OSError(ENODEV)

    @property
    def stream(self):
        """The port's own UART, for network.PPP."""
        return self._uart

    def _pin(self, role):
        return machine.Pin(self._wiring[role])

    def configure(self, line):
        """Set (baud, bits, parity, stop); what was received before is lost."""
        self._char_us = char_us(line)
        baud, bits, parity, stop = line
        self._uart.init(
            baud,
            bits,
            _PARITY[parity],
            stop,
            tx=self._pin("tx"),
            rx=self._pin("rx"),
            txbuf=_TX_BYTES,
            rxbuf=_RX_BYTES,
            timeout=0,
            timeout_char=0,  # the port makes it a character at least
        )

    def write(self, data, count):
        """Begin to send data[0:count]."""
        if self._direction:
            self._direction.value(1)
        self._is_sending = True
        self._end_us = time.ticks_add(time.ticks_us(), count * self._char_us)
        if self._uart.write(memoryview(data)[:count]) != count:
            self._release()
            raise OSError(EIO)

    def sending(self):
        """Return us until it is worth asking again; 0: all has left and the line is released."""
        if not self._is_sending:
            return 0
        left_us = time.ticks_diff(self._end_us, time.ticks_us())
        if left_us > _HOLD_US:
            return left_us - _HOLD_US
        # Computed and seen: the peripheral's own word comes late where its queue is refilled by
        # interrupts, and the computed end knows nothing of a start that was delayed.
        while left_us > 0 or not self._uart.txdone():
            if left_us < -_LATE_US:
                self._release()
                raise OSError(ETIMEDOUT)
            left_us = time.ticks_diff(self._end_us, time.ticks_us())
        self._release()
        return 0

    def _release(self):
        self._is_sending = False
        if self._direction:
            self._direction.value(0)

    def readinto(self, buffer):
        """Read what is there; return the count, 0 when nothing.

        Never more than is there: rp2 waits a character's time for each one that is not.
        """
        count = self._uart.any()
        if not count:
            return 0
        return self._uart.readinto(buffer, min(count, len(buffer))) or 0
