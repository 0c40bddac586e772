"""The task of the interface: WiFi, Ethernet or a modem, kept up. agent/interface.py decides.

Where the hal has no interface (this computer), the network is there and this does nothing.
"""

import asyncio

from firmware.hal import ABSENT, DOWN, REFUSED, STATE_NAMES, UP

_LONG_MS = 60_000
_AGAIN_MS = 5_000


class Link:
    """is_up: whether a connection can be tried at all; signal: dBm or None."""

    def __init__(self, app, hal):
        settings = app.config["network"]
        self._log = app.log
        self._hal = hal
        self._name = settings["kind"] or (hal.interfaces[0] if hal.interfaces else "")
        self._is_dark = app.sleep is not None and not app.sleep.uplinks  # this life sends nothing
        is_ppp = self._name == "ppp"
        networks = settings["wifi"] if self._name == "wifi" else [settings if is_ppp else {}]
        self._policy = self._interface = None
        if self._name and networks and not self._is_dark:
            from agent.interface import (
                DIAL_MS,
                JOIN_MS,
                Interface,
            )  # RAM that a board with its own network saves

            self._policy = Interface(networks, hal.random, DIAL_MS if is_ppp else JOIN_MS)
        self._shown = DOWN
        self.is_up = not self._name and not self._is_dark
        self.signal = None

    async def keep(self):
        """Keep it up for ever."""
        if not self._policy:
            if self._name and not self._is_dark:
                self._log.error("net", "network.wifi names no network: nothing can leave")
            while True:
                await asyncio.sleep_ms(_LONG_MS)
        interface = self._interface = self._hal.open_interface(self._name)
        interface.start()
        try:
            while True:
                wait_ms = self.step(interface)
                await asyncio.sleep_ms(wait_ms)
        finally:
            self.switch_off()

    def switch_off(self):
        """Let the radio go, or hang up: this task ends, or the gateway falls asleep."""
        self.is_up = False
        if self._interface:
            self._interface.stop()
            self._interface = None

    def step(self, interface):
        """Look at the interface, do what the policy says; return the ms to wait."""
        policy = self._policy
        state = interface.state
        name = policy.network.get("ssid", self._name)
        wait_ms = policy.step(self._hal.ticks_ms(), state == UP, state in (REFUSED, ABSENT))
        if policy.is_up != self.is_up or (state != self._shown and not policy.is_up):
            why = getattr(interface, "why", "")
            self._log.info("net", "%s: %s%s", name, STATE_NAMES[state], why and ", " + why)
        self._shown = state
        self.is_up = policy.is_up
        self.signal = interface.signal() if self.is_up else None
        if policy.action == policy.RESTART:
            self._log.warn("net", "%s is switched off and on", self._name)
            interface.stop()
            interface.start()
        elif policy.action == policy.JOIN:
            interface.join(policy.network)
        return wait_ms
