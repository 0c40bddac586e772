"""One configured meter: its driver, its counters and its health on the line.

Not the driver (drivers/), not the wire (bus.py): the part that bus and App share.
"""

import gc

from micropython import const

from drivers import forget_maps, load, load_map
from drivers.reading import BAD_FRAME, GOOD, IMPLAUSIBLE, NO_REPLY, TEXT

WAITING = const(0)  # nothing heard since the start
OK = const(1)
SILENT = const(2)
GARBLED = const(3)
STATE_NAMES = ("waiting", "ok", "silent", "garbled")


class Meter:
    """One meter of the configuration.

    index    its place in the configuration and in the schema
    name     the technician's name for it
    driver   an object of the contract in drivers/__init__.py
    config   its member of the configuration's `meters`, validated
    """

    def __init__(self, index, config, driver):
        self.index = index
        self.name = config["name"]
        self.shown = self.name  # its name upstream: a pseudonym when it is personal
        self.config = config
        self.driver = driver
        self.retries = config["retries"]
        self.kept = tuple(i for i, p in enumerate(driver.points) if p.kind != TEXT)
        self.thin = None  # agent/thin.Thin, where the configuration has it
        if config.get("thin"):
            from agent.thin import Thin

            self.thin = Thin([driver.points[i] for i in self.kept], config["thin"])
        self.listens = False  # the bus finds out: its first request was empty
        self.state = WAITING
        self.hint = ""  # what its driver asks a person to look at
        self.answers = 0  # whole readings
        self.no_reply = 0  # turns that ended without one
        self.bad_frames = 0
        self.refused = 0
        self.failures = 0  # turns in a row without an answer, the measure of the back-off
        self.retry_at_ms = 0  # not asked before this tick while failures > 0
        self.wanted = False  # a listener's reading of this period has not come yet
        self.bad_at_due = 0  # bad_frames when the period began
        self.at_ms = 0  # when the last reading came, as the block says it
        self.values = [None] * len(self.kept)  # of the last reading, for the live view
        self.quality = bytearray(len(self.kept))

    def take(self, reading):
        """Copy the journaled values of a reading here; return true when one of them is good."""
        good = False
        for to, at in enumerate(self.kept):
            value = reading.values[at]
            self.values[to] = self.thin.coarse(to, value) if self.thin else value
            quality = reading.quality[at]
            self.quality[to] = quality
            if quality in (GOOD, IMPLAUSIBLE):
                good = True
        return good

    def take_nothing(self):
        """Fill the values with nulls that say why: only damaged frames came, or none."""
        quality = BAD_FRAME if self.bad_frames != self.bad_at_due else NO_REPLY
        for i in range(len(self.values)):
            self.values[i] = None
            self.quality[i] = quality
        return quality


def make_meters(config):
    """Return the Meters of a valid configuration. Raises ValueError with a text for a person."""
    ports = {p["name"]: p for p in config["ports"]}
    meters = []
    for index, row in enumerate(config["meters"]):
        port = ports[row["port"]]
        options = dict(row["options"])
        options["points"] = row["points"]
        if port["kind"] == "tcp":
            options.setdefault("transport", "tcp")
        options["line"] = (port["baud"], port["bits"], port["parity"], port["stop"])
        try:
            table = load_map(row["map"])
            driver = load(row["protocol"])(table, options)
            meters.append(Meter(index, row, driver))
        except ImportError:
            raise ValueError("meters[%d].map: there is no map %s" % (index, row["map"]))
        except ValueError as error:
            raise ValueError("meters[%d] (%s): %s" % (index, row["name"], error))
    forget_maps()
    gc.collect()  # what follows wants large pieces: let them lie together
    return meters
