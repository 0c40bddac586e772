"""A cellular modem on a UART of a board: agent/modem.py dials, the port's network.PPP carries on.

Not here: when to try (firmware/link.py). The modem's supply is the board's: start() and stop()
only open and close what is ours.
"""

import network

from agent.modem import CONNECTED, REFUSED, Modem
from firmware import hal as hal_

_LINE = (115200, 8, "N", 1)


class Ppp:
    """The contract's Interface. open_uart(name) -> Uart; ticks_ms() as the hal's."""

    def __init__(self, open_uart, ticks_ms):
        self._open_uart = open_uart
        self._ticks_ms = ticks_ms
        self._uart = None
        self._modem = None
        self._ppp = None
        self._login: dict = {}
        self._buffer = bytearray(64)
        self.why = ""

    def start(self):
        """Nothing to power: join() opens the port."""

    def stop(self):
        """Hang up; join() dials anew."""
        if self._ppp:
            self._ppp.active(False)
        self._ppp = self._modem = None

    def join(self, network_row):
        """Begin to dial by the modem at network_row["uart"] to network_row["apn"].

        auth: "none", or "pap" or "chap" with user and password: asked for by PPP, once dialled.
        """
        self.stop()
        self._login = {}
        if network_row["auth"] != "none":
            self._login["user"] = network_row["user"]
            self._login["key"] = network_row["password"]
        self._auth = network_row["auth"]
        if self._uart is None:
            self._uart = self._open_uart(network_row["uart"])
            self._uart.configure(_LINE)
        self._modem = Modem(network_row["apn"])

    @property
    def state(self):
        """UP with an address, JOINING, REFUSED or DOWN; looking moves the dialogue on."""
        if self._ppp:
            return hal_.UP if self._ppp.isconnected() else hal_.JOINING
        if self._modem is None:
            return hal_.DOWN
        self._talk()
        modem = self._modem
        self.why = modem.why
        if modem.state == CONNECTED:
            make = getattr(network, "PPP")  # noqa: B009 - the stubs know only half of it
            self._ppp = make(self._uart.stream)
            self._ppp.active(True)
            if self._login:
                self._login["security"] = make.SEC_CHAP if self._auth == "chap" else make.SEC_PAP
            self._ppp.connect(**self._login)
            return hal_.JOINING
        if modem.state == REFUSED:
            return hal_.REFUSED
        return hal_.DOWN if modem.why else hal_.JOINING

    def _talk(self):
        now_ms = self._ticks_ms()
        count = self._uart.readinto(self._buffer)
        while count:
            self._modem.received(self._buffer, 0, count, now_ms)
            count = 0 if self._modem.state else self._uart.readinto(self._buffer)
        length = self._modem.step(self._buffer, now_ms)
        if length:
            self._uart.write(self._buffer, length)

    def signal(self):
        """Return the dBm of the last look, None while unknown."""
        return self._modem.signal if self._modem else None
