"""The four errors of a wire, each named for what the caller must do next.

Not here: a value that is absent or implausible. That is no error but a quality
(drivers/reading.py), because the frame around it was good.
"""


class DriverError(Exception):
    """The base of the four; never raised itself."""


class BadFrame(DriverError):
    """A frame was damaged, foreign or nonsense: count it, go on reading, retry if one asked.

    Raised by a driver's feed(). `resume` is the index in the data given to feed() from which
    to go on: the bytes before it are dealt with, those from it on were not looked at.
    Examples: wrong CRC, a length that cannot be, a reply of another unit or function.
    """

    def __init__(self, message, resume=0):
        super().__init__(message)
        self.resume = resume


class NoReply(DriverError):
    """Nothing usable came in time: drain the line, retry, then back off this meter.

    Raised and counted by agent/bus, which owns the time-outs; the other meters of the port go on.
    """


class Refused(DriverError):
    """The meter answered, and the answer is no: do not repeat the same question.

    The driver has changed its plan already (split the block, marked a point REFUSED), so the
    caller simply asks request() again. `code` is the protocol's own (a Modbus exception code),
    `resume` as in BadFrame. `later` is true when the meter is only busy (Modbus 5 and 6).
    """

    def __init__(self, message, code=0, resume=0, later=False):
        super().__init__(message)
        self.code = code
        self.resume = resume
        self.later = later


class LinkDown(DriverError):
    """The port itself failed: close it, and open it again with back-off."""
