"""Feeds a driver and keeps what it gives: readings as plain tuples, errors as texts.

got = Collected(SML(None, {}))
got.feed(data)
got.frames[0]["1-0:1.8.0*255"]      # (value, exponent, unit, quality, time)
"""

from drivers.errors import BadFrame, Refused


class Collected:
    """The readings and errors of one driver."""

    def __init__(self, driver):
        self.driver = driver
        self.rows = []  # per frame: list of (code, value, exponent, unit, quality, time)
        self.errors = []

    @property
    def frames(self):
        """Per frame a dict: code -> the first value of that code."""
        frames = []
        for rows in self.rows:
            frame = {}
            for row in rows:
                if row[0] not in frame:
                    frame[row[0]] = row[1:]
            frames.append(frame)
        return frames

    def emit(self, reading):
        """Copy a reading."""
        rows = []
        for i, point in enumerate(reading.points):
            time = reading.times[i] if reading.times else None
            value = reading.values[i]
            rows.append((point.code, value, point.exponent, point.unit, reading.quality[i], time))
        self.rows.append(rows)

    def feed(self, data, start=0, end=None, now_ms=0):
        """Feed data[start:end], going on behind each error; return self."""
        end = len(data) if end is None else end
        while start < end:
            try:
                start = self.driver.feed(data, start, end, now_ms, self.emit)
            except (BadFrame, Refused) as error:
                assert start < error.resume <= end, "an error must consume at least one byte"
                self.errors.append(str(error))
                start = error.resume
        return self

    def silence(self, now_ms=0):
        """Tell the driver that the line is silent; return self."""
        try:
            self.driver.feed(b"", 0, 0, now_ms, self.emit)
        except (BadFrame, Refused) as error:
            self.errors.append(str(error))
        return self


def ways_to_cut(make, data):
    """Yield what a fresh driver gives for data whole, byte by byte and in every two-way split."""
    whole = Collected(make()).feed(data).rows
    single = Collected(make())
    for i in range(len(data)):
        single.feed(data, i, i + 1)
    yield whole, single.rows
    for cut in range(1, len(data)):
        yield whole, Collected(make()).feed(data, 0, cut).feed(data, cut).rows
