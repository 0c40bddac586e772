"""The contract of a driver, and the table of protocols.

A driver is one meter's protocol as plain code over bytes: it opens nothing, sleeps never, reads
no clock. The same object serves the gateway, a laptop, the simulator and every test.

    class Driver:
        def __init__(self, table, options): ...
            # table: the MAP literal of a file in maps/, or None (desk use: every value found in
            #   the bytes is given). options: dict of the meter's configuration ("unit": 1 ...).
            # Allocates every buffer it will ever use. Raises ValueError with a plain text
            # when table or options cannot be (agent/config.py shows it to the technician).
        points    # tuple of Point, fixed; () when table is None
        line      # None: the port's configured line settings hold; or (baud, bits, parity, stop)
                  #   wanted from now on ("N", "E", "O"); looked at after each call below
        gap_us    # silence that ends a frame, microseconds
        reply_ms  # longest wait for an answer; for a listener, the longest normal pause
        wait_ms   # least pause between the end of an answer and this meter's next request
        settle_ms # optional: pause between the end of a request and the change of line that
                  #   sent() asked for (IEC 62056-21: the meter needs it to change its speed)
        hint      # optional: what a person should look at ("" when nothing), said once in the log
        waiting   # true from request() until feed() has taken the whole answer to it (or Refused)

        def request(self, out): ...
            # Write the next request of this turn into the bytearray out; return its length.
            # 0: nothing (more) to ask; the turn is over and its reading was emitted; a
            # listener always returns 0. Called again after a NoReply it repeats that request.
            # After it has returned 0, the next call begins a new turn.
        def sent(self, now_ms): ...
            # The last byte of the request has left the wire (IEC 62056-21 changes baud here).
        def feed(self, data, start, end, now_ms, emit): ...
            # Take data[start:end] (bytes-like, not kept), call emit(reading) for each whole
            # answer, return end. Any split of a stream gives the same readings. start == end
            # says: the line has been silent for gap_us. Raises BadFrame or Refused, whose
            # .resume says where to go on: no neighbour is lost to a bad frame.
        def give_up(self, emit, quality): ...
            # The bus has no more retries for this turn: emit what the turn got so far, the
            # rest None with this quality (NO_REPLY or BAD_FRAME), and end the turn.
        def due(self, now_ms, emit): ...
            # Optional, of a listener that counts: its period, a multiple of interval_s on the
            # clock, is over. Emit what was counted, None with MISSING where it was not whole.
        event     # optional: while emit() runs, the name of a change that cannot wait, or ""
        carried   # optional: an int 0 .. 2**63 - 1 that must outlive a power cut, set anew at the
                  #   start; with carried_key, a text: what was carried under another is not taken
        def reset(self): ...
            # Forget a half frame and an unfinished turn (port reopened, power-up).

Why start and end rather than a slice: a slice of a memoryview allocates on MicroPython, and the
byte path allocates nothing. A buffer given to feed() or request() belongs to the caller.

A protocol is one file and one row below. A meter that speaks a known protocol is one file in
maps/: a docstring with its source, and one literal `MAP`. Both are found and tested by name.
"""

import sys

# protocol: (module, class)
DRIVERS = {
    "modbus": ("modbus", "Modbus"),  # Modbus RTU, RTU over TCP and TCP: asks
    "tic": ("tic", "TIC"),  # customer output of Linky and other French meters: listens
    "level": ("level", "Level"),  # distance sensors of tanks and containers: listens
    "radar": ("radar", "Radar"),  # traffic radars, counted on the device: listens
    "pulse": ("pulse", "Pulse"),  # pulse outputs (S0) on an input, counted here: listens
    "contact": ("pulse", "Contact"),  # doors, lids, floods on an input, told at once: listens
    "mbus": ("mbus", "MBus"),  # wired M-Bus, EN 13757-2/-3: asks
    "iec62056": ("iec62056", "IEC62056"),  # IEC 62056-21 modes A to D: asks or listens
    "dsmr": ("dsmr", "DSMR"),  # DSMR P1 v2.2 to v5: listens
    "sml": ("sml", "SML"),  # Smart Message Language, transport version 1: listens
    "dlms": ("dlms", "DLMS"),  # DLMS push over HDLC or M-Bus: listens
}


def load(protocol):
    """Return the driver class of a protocol; its module is imported only now, to save RAM.

    Raises KeyError when DRIVERS has no such protocol.
    """
    module, name = DRIVERS[protocol]
    return getattr(__import__("drivers." + module, None, None, (name,)), name)


def load_map(name):
    """Return the MAP literal of maps/<name>.py: ours, else one that a technician put beside us.

    Own maps are in the folder maps/ of the file system's root (host_tools/planning/map_file.py
    checks them and makes them ready). Raises ImportError when there is none.
    """
    try:
        return __import__("drivers.maps." + name, None, None, ("MAP",)).MAP
    except ImportError:
        return __import__("maps." + name, None, None, ("MAP",)).MAP


def drop(*names):
    """Drop modules of ours that were needed once: their RAM is free when nobody holds them."""
    package = sys.modules["drivers"]
    for name in names:
        sys.modules.pop("drivers." + name, None)
        if hasattr(package, name):
            delattr(package, name)


def forget_maps():
    """Drop the modules of all maps read so far; their tables go once no driver holds them.

    A gateway reads each map once, at its start, and a table of fifty points takes 8 KB of RAM.
    A driver's module may have a function `forget`, which is told.
    """
    for module, _ in DRIVERS.values():
        forget = getattr(sys.modules.get("drivers." + module), "forget", None)
        if forget:
            forget()
    for folder in ("drivers.maps", "maps"):
        prefix = folder + "."
        for name in [name for name in sys.modules if name.startswith(prefix)]:
            del sys.modules[name]
            if hasattr(sys.modules[folder], name[len(prefix) :]):
                delattr(sys.modules[folder], name[len(prefix) :])
