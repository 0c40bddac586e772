"""The porting contract: what a board must offer. One file per port, and nothing above asks which.

A port begins with twelve functions: the constructor, four of time (ticks_ms, ticks_us, wall_ms,
set_wall), random, heap, open_uart, name_servers, start_watchdog, remount, reset. Each of the
others belongs to a thing that not every board has (inputs, a radio or modem, a raw region of the
flash, memory that outlives a reset, an LED) and is called only where the board's file, the
configuration or the object itself names that thing: a port without it leaves it out.

class Hal:
    def __init__(self, platform, board)  # what boot.py runs on: it resets; a BOARD of boards/
    root                        # where the file system is: "/flash" here, "" on a chip
    runtime                     # text: interpreter, version, machine
    cause                       # "power", "brownout", "soft", "watchdog", "fault", "sleep": why
                                # this life began
    start_ms                    # how long this start had taken when this object was made
    drift_ppm                   # how wrong the clock may go in a sleep; awake it has a crystal
    longest_sleep_ms            # of one sleep()
    id                          # text: the chip's own number, the same for ever; "" where none
    interfaces                  # names for open_interface, the preferred one first; () where the
                                # network is there without our doing
    def ticks_ms(self)          # 0 .. 2**30 - 1, wraps (drivers/ticks.py)
    def ticks_us(self)          # the same in microseconds
    def wall_ms(self)           # ms since 1970 UTC, 0 where no clock can be trusted
    def set_wall(self, ms)      # the port's own clock: TLS checks dates by it
    def random(self, n)         # int in [0, n), n to 2**32
    def heap(self)              # (used, free) bytes
    def open_uart(self, name)   # a Uart, below; OSError when gone
    def open_pins(self, names)  # inputs, pulled up, as an object like a UART's, whose bytes are
                                # their edges (drivers/pulse.py): interrupts or PIO tell them to
                                # firmware/hal/edges.py; OSError when one is absent
    def open_interface(self, name)  # an Interface, below
    def name_servers(self)      # addresses of the network that is up, as texts; [] when none
    def start_watchdog(self, ms)    # -> feed(); unfed for ms (or the chip's longest), it resets;
                                    # None where nothing bites. It cannot be stopped.
    def remount(self)           # mount the file system anew after an OSError
    def open_journal(self)      # the block device of the board's `journal` region, which no file
                                # system uses (agent/ring.py); OSError where there is none
    def memory(self, data=None) # optional: bytes that survive a reset, a hang and a crash, but no
                                # power cut; () reads them, (data) replaces them, 500 at most
    def supply_mv(self)         # optional: what the board lives on, in mV
    def led(self, on)           # optional: the LED that says "here I am"
    def reset(self)             # start again; does not return
    def sleep(self, ms)         # radio and watchdog off, then so deep a sleep that it ends as a
                                # start: cause "sleep", and wall_ms() has gone on

class Uart:
    def configure(self, line)        # (baud, bits, parity, stop), before the first use and again
    def write(self, data, count)     # begin to send data[0:count]; OSError when it cannot
    def sending(self)                # us until it is worth asking again; 0: the last stop bit has
                                     # left, and an RS-485 transceiver listens
    def readinto(self, buffer)       # -> count without waiting, 0 when nothing; OSError when gone

class Interface:
    state                            # property: UP, JOINING, DOWN, REFUSED, ABSENT of this module
    def start(self)                  # power it; OSError when it does not answer
    def stop(self)                   # power it off
    def join(self, network)          # wifi: one row of the configuration's network.wifi;
                                     # ppp: the section `network` itself
    def signal(self)                 # dBm, None where there is no such thing
"""

import os

from micropython import const

UP = const(0)
JOINING = const(1)
DOWN = const(2)
REFUSED = const(3)  # the network says no: a wrong key
ABSENT = const(4)  # no such network is heard
STATE_NAMES = ("up", "joining", "down", "refused", "absent")


def make(platform, board):
    """Return the Hal of the port of this board."""
    port = "host" if board["port"] == "unix" else board["port"]
    return __import__("firmware.hal." + port, None, None, ("Hal",)).Hal(platform, board)


def chip_id():
    """Return the chip's own number as bytes; b"" on this computer, which has none."""
    try:
        from machine import unique_id
    except ImportError:
        return b""
    return unique_id()


def entropy(count):
    """Return random bytes fit for a key.

    The radio is switched on first: only then is an ESP32's generator a true one (ESP-IDF, "Random
    Number Generation"); an RP2 has a ring oscillator of its own, which is mixed in with time.
    """
    try:
        from network import WLAN

        WLAN(0).active(True)
    except (ImportError, OSError):
        pass  # no radio here
    return os.urandom(count)
