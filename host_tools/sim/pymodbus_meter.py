"""A simulated meter of another make: registers, frames and manners are pymodbus's own server.

It shares nothing with host_tools/sim/modbus_meter.py nor with drivers/: what a reading says of it
is agreed by two independent implementations. It needs a terminal of its own, which this file
relays, since the other meters of its line read the line's.

    meter = PymodbusMeter(load_map("em340"), 2, value)   # value(name, now_s) -> Decimal
    await meter.start(write)                             # write(data): onto the line
    meter.received(request, now_s)                       # always []: the answer comes by write()

No faults can be scripted here; no bits (function 1 and 2), texts or packed decimals.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import tty
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from host_tools.sim.taps import pymodbus_type

Values = Callable[[str, float], Any]


class PymodbusMeter:
    """One unit behind a ModbusSerialServer; other units' requests are ignored by it."""

    def __init__(self, table: Mapping[str, Any], unit: int, values: Values) -> None:
        """table: a MAP. values: as of ModbusMeter; never None here."""
        self.table = table
        self.unit = unit
        self.values = values
        self._server: ModbusSerialServer | None = None
        self._master = self._slave = -1
        self._loop: asyncio.AbstractEventLoop | None = None

    def device(self) -> SimDevice:
        """Return the registers, filled at each read, as pymodbus wants them."""
        blocks = [
            [SimData(0, values=[False] * 16, datatype=DataType.BITS)],
            [SimData(0, values=[False] * 16, datatype=DataType.BITS)],
            [self._block(3)],
            [self._block(4)],
        ]
        return SimDevice(id=self.unit, simdata=tuple(blocks), action=self._fill)  # type: ignore[arg-type]

    def _block(self, function: int) -> SimData:
        spans = [
            (row[5], row[5] + pymodbus_type(row[6]).value[1])
            for row in self.table["points"]
            if row[4] == function
        ]
        spans += [(i[1], i[1] + i[2]) for i in self.table.get("identity", ()) if i[0] == function]
        first = min((span[0] for span in spans), default=0)
        end = max((span[1] for span in spans), default=1)
        return SimData(first, count=end - first, values=0, datatype=DataType.REGISTERS)

    async def _fill(
        self,
        function: int,
        first: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if written is not None or function not in (3, 4):
            return None
        now_s = time.time()
        for row in self.table["points"]:
            if row[4] == function and address - 4 < row[5] < address + count:
                words = self._words(row, now_s)
                registers[row[5] - first : row[5] - first + len(words)] = words
        for code, where, size, accepted in self.table.get("identity", ()):
            if code == function:
                words = [accepted[0] >> 16 * i & 0xFFFF for i in reversed(range(size))]
                registers[where - first : where - first + size] = words
        return None

    def _words(self, row: tuple[Any, ...], now_s: float) -> list[int]:
        kind = pymodbus_type(row[6])
        scale = row[7] if len(row) > 7 else 0
        number = Decimal(self.values(row[0], now_s)).scaleb(-scale)
        value: float | int = float(number)
        if not row[6].startswith("float"):
            value = int(number.to_integral_value(ROUND_HALF_EVEN))
        order = self.table.get("words", "ABCD")
        words = ModbusClientMixin.convert_to_registers(
            value, kind, "little" if order in ("CDAB", "DCBA") else "big"
        )
        if order in ("BADC", "DCBA"):
            words = [(word & 0xFF) << 8 | word >> 8 for word in words]
        return words

    # --- a meter of a line

    async def start(self, write: Callable[[bytes], None]) -> None:
        """Begin to answer, by calling write; in the loop's thread."""
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._loop.add_reader(self._master, lambda: write(os.read(self._master, 4096)))
        self._server = ModbusSerialServer(
            self.device(),
            framer=FramerType.RTU,
            port=os.ttyname(self._slave),
            baudrate=115200,  # the line paces, not this terminal
            ignore_missing_devices=True,
            trace_packet=self._passed,
        )
        await self._server.serve_forever(background=True)

    def _passed(self, sending: bool, data: bytes) -> bytes:
        """Hold back what it says to other units' requests: with SimDevice, exception 4 (3.16)."""
        return b"" if sending and data[0] != self.unit else data

    def received(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Hand bytes of the line to the server."""
        if self._master >= 0:
            os.write(self._master, data)
        return []

    def silence(self) -> None:
        """Do nothing: pymodbus judges by checksum alone."""

    def close(self) -> None:
        """Stop; in the loop's thread."""
        if self._server and self._loop and self._master >= 0:
            self._server.serving.cancel()
            self._server.close()
            self._loop.remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            self._master = -1
