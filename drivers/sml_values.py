"""SML: from the bytes of one checked telegram to values.

Not the transport (drivers/sml.py). Source: BSI TR-03109-1 Anlage IV "Smart Message Language",
version 1.04, sections 5 (messages) and 6.2 (binary encoding).

    GetList.Res (0x0701) = list of 7
      clientId, serverId, listName, actSensorTime, valList, listSignature, actGatewayTime
    each of valList = list of 7
      objName, status, valTime, unit, scaler, value, valueSignature
"""

from micropython import const

from drivers.gather import NEW, NOT_WANTED, Gather
from drivers.obis_code import obis_bytes, obis_text
from drivers.reading import GAUGE, STATE, TEXT
from drivers.units import cosem

_OCTETS = const(0)
_BOOLEAN = const(4)
_INTEGER = const(5)
_UNSIGNED = const(6)
_LIST = const(7)
_GET_LIST_RESPONSE = const(0x0701)
_DEPTH = const(12)  # of nested lists; a good telegram has 5


def _key(text):
    """Return the bytes by which a map's code is found; a status word's has one more."""
    code, _, part = text.partition("/")
    if part not in ("", "status"):
        raise ValueError("%s is no OBIS code, nor one with /status" % text)
    return obis_bytes(code) + (b"s" if part else b"")


class SMLValues:
    """Walks the messages of a telegram and gathers the entries of its value lists.

    The code "1-0:1.8.0*255/status" is the status word of that entry.
    """

    def __init__(self, table, options):
        self.gather = Gather(table, options, _key)
        self._status_key = bytearray(b"......s")
        self._has_status = any(row[4].endswith("/status") for row in self.gather.rows)
        # A row's sixth column, "narrow_unsigned": this meter sends positive numbers in signed
        # fields of one to three bytes (DZG: 400.00 W as an int16 that reads -255.36 W).
        self._narrow = tuple(
            len(row) > 5 and row[5] == "narrow_unsigned" for row in self.gather.rows
        )
        self._data = b""
        self._end = 0
        # What _item() leaves: the type, the first byte of its content (a list: its first
        # item), and the length in bytes (a list: in items).
        self._type = 0
        self._at = 0
        self._length = 0

    def read(self, data, start, end):
        """Gather every value of the messages in data[start:end]; ValueError when malformed."""
        self._data = data
        self._end = end
        self.gather.start()
        at = start
        while at < end:
            if data[at] == 0:  # fill bytes, and the end of a message
                at += 1
                continue
            at = self._message(at)

    def _item(self, at):
        """Read the type-length field at `at`; return where its content starts.

        6.2.1: bit 7 more length follows, bits 6..4 type, bits 3..0 length; the length counts
        the field itself but for a list, where it counts items.
        """
        data = self._data
        if at >= self._end:
            raise ValueError("a field starts behind the end")
        first = data[at]
        kind = (first >> 4) & 7
        length = first & 15
        size = 1
        while data[at + size - 1] & 0x80:
            if at + size >= self._end or size == 4:
                raise ValueError("length field at byte %d has no end" % at)
            length = (length << 4) | (data[at + size] & 15)
            size += 1
        if kind != _LIST:
            if first == 0:  # end of message, where an item was expected
                raise ValueError("message ends early at byte %d" % at)
            length -= size
            if length < 0 or at + size + length > self._end:
                raise ValueError("field of %d bytes at byte %d" % (length, at))
        self._type = kind
        self._length = length
        self._at = at + size
        return at + size

    def _skip(self, at, depth=0):
        """Return the place behind the item at `at`."""
        at = self._item(at)
        if self._type != _LIST:
            return at + self._length
        if depth == _DEPTH:
            raise ValueError("lists nested deeper than %d" % _DEPTH)
        for _ in range(self._length):
            at = self._skip(at, depth + 1)
        return at

    def _list(self, at, length):
        """Return the place of the first item of the list at `at`, which must have length items."""
        at = self._item(at)
        if self._type != _LIST or self._length != length:
            raise ValueError("no list of %d at byte %d" % (length, at))
        return at

    def _integer(self, at, narrow=False):
        """Return the integer at `at`, or None for an optional one that is left out.

        Signed and unsigned of 1 to 8 bytes; a boolean is 0 or 1. narrow: fewer than four
        bytes are taken as unsigned.
        """
        at = self._item(at)
        length = self._length
        if length == 0:
            return None
        if self._type < _BOOLEAN or self._type > _UNSIGNED or length > 8:
            raise ValueError("no integer at byte %d" % at)
        data = self._data
        value = data[at]
        if self._type == _INTEGER and value & 0x80 and not (narrow and length < 4):
            value -= 256
        for i in range(at + 1, at + length):
            value = (value << 8) | data[i]
        return value

    def _message(self, at):
        """Read the message at `at` and return the place behind it (5.1: list of 6)."""
        at = self._list(at, 6)
        for _ in range(3):  # transactionId, groupNo, abortOnError
            at = self._skip(at)
        body = self._list(at, 2)
        tag = self._integer(body)
        behind = self._skip(at)
        if tag == _GET_LIST_RESPONSE:
            self._value_list(self._skip(body))
        at = self._skip(behind)  # crc16: the telegram's own checksum covers it
        if at >= self._end or self._data[at] != 0:
            raise ValueError("message without an end at byte %d" % at)
        return at + 1

    def _value_list(self, at):
        """Gather the entries of the GetList.Res at `at`."""
        at = self._list(at, 7)
        for _ in range(3):  # clientId, serverId, listName
            at = self._skip(at)
        sensor_time = self._time(at)
        at = self._skip(at)
        at = self._item(at)
        if self._type != _LIST:
            raise ValueError("no value list at byte %d" % at)
        for _ in range(self._length):
            entry = at
            at = self._skip(at)
            self._entry(entry)
        if sensor_time is not None:
            self.gather.time = sensor_time

    def _time(self, at):
        """Return the seconds since 1970 UTC of the SML_Time at `at`, or None.

        Choice 1, secIndex, counts seconds of operation and is no time of day. Choice 2 is a
        timestamp, choice 3 a local timestamp: list of timestamp, offset and season in minutes.
        """
        first = self._item(at)
        if self._type != _LIST or self._length != 2:
            return None
        choice = self._integer(first)
        at = self._skip(first)
        if choice == 3:
            at = self._item(at)
            if self._type != _LIST:
                return None
        elif choice != 2:
            return None
        return self._integer(at) or None

    def _entry(self, at):
        """Gather one SML_ListEntry."""
        gather = self.gather
        at = self._list(at, 7)
        name = self._item(at)
        if self._type != _OCTETS or self._length != 6:
            return  # nothing that has an OBIS code
        if self._has_status:
            self._put_status(name)
        index = gather.find(self._data, name, name + 6)
        if index == NOT_WANTED or gather.is_filled(index):
            return
        code = obis_text(self._data, name) if index == NEW else ""
        status_at = name + 6
        time_at = self._skip(status_at)
        unit_at = self._skip(time_at)
        scaler_at = self._skip(unit_at)
        value_at = self._skip(scaler_at)
        time = self._time(time_at)
        unit = cosem(self._integer(unit_at) or 0)
        exponent = self._integer(scaler_at) or 0
        self._item(value_at)
        if self._type == _OCTETS:
            text = bytes(self._data[self._at : self._at + self._length])
            gather.put(index, code, text, 0, unit, TEXT, time)
        else:
            if self._type == _LIST:  # SML 1.04: a time as value
                value_at = self._skip(self._list(value_at, 2))
            value = self._integer(value_at, index >= 0 and self._narrow[index])
            gather.put(index, code, value, exponent, unit, GAUGE, time)
        if index == NEW:
            self._item(status_at)
            if self._type >= _BOOLEAN and self._type <= _UNSIGNED and self._length:
                status = self._integer(status_at)
                gather.put(index, code + "/status", status, 0, "", STATE, time)

    def _put_status(self, name):
        """Gather the status word behind the OBIS code at `name`, if a point wants it."""
        key = self._status_key
        for i in range(6):
            key[i] = self._data[name + i]
        index = self.gather.find(key, 0, 7)
        if index != NOT_WANTED and not self.gather.is_filled(index):
            self._item(name + 6)
            if _BOOLEAN <= self._type <= _UNSIGNED and self._length:
                status = self._integer(name + 6)
                time = self._time(self._skip(name + 6))
                self.gather.put(index, "", status, 0, "", STATE, time)
