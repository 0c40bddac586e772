"""A gateway's key or certificate replaced by the broker, while all runs: no cable, nothing lost.

Not here: what the gateway does (agent/keys.py) and what the collector believes (collect/seals.py,
which follows the file of keys). Four steps, and after each the collector and the gateway
understand each other, so whatever ends this in between costs nothing:

    file          gateway               sent
    old           old
    old, new      old                                 both are believed, the old one signs
    old, new      old, new on trial     `key` with a number, by the old key
    new, old      old, new on trial                   acknowledgements by the new key
    new, old      new                   `key` drop, by the new key; or an acknowledgement was first
    new           new

    rotate("gw-ecole", Path("keys.json"), "127.0.0.1", 1883)
    renew("gw-ecole", Path("keys.json"), "127.0.0.1", 1883, {"cert": der})
"""

import os
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from agent.keys import following, name_of
from agent.mac import KEY_BYTES
from host_tools.problems import FAILED, NETWORK, Problem
from host_tools.remote.serve_bundle import BundleServer, refusal
from host_tools.trust.key_file import read_keys, read_keys_of, write_keys

_WAIT_S = 20.0
_TRIES = 10  # of a number, where others gave orders within the same second


def rotate(
    gateway: str,
    path: Path,
    host: str,
    port: int,
    *,
    renew: bool = True,
    wait_s: float = _WAIT_S,
    context: ssl.SSLContext | None = None,
) -> str:
    """Replace a gateway's key; return the name of the one in force, 8 hex digits.

    path     the file that eclor collect --keys follows
    renew    False: only bring a change to its end that was interrupted, or begun by cable
    context  of broker_at.py; None: without TLS

    A Problem when the gateway does not answer or refuses; the file then holds whatever key it may
    have, and the same call goes on.
    """
    with _talking(gateway, path, host, port, wait_s, context) as (office, known):
        if len(known) > KEY_BYTES:
            office.settle(known)
        if not renew:
            return name_of(office.key)
        old, nonce = office.key, os.urandom(KEY_BYTES)
        new = following(old, gateway, nonce)
        office.keep(old + new)
        office.ask(old, {"nonce": nonce.hex()}, name_of(new))
        office.keep(new + old)
        office.ask(new, {"drop": True}, "")
        office.keep(new)
        return name_of(new)


def renew(
    gateway: str,
    path: Path,
    host: str,
    port: int,
    parts: Mapping[str, bytes],
    *,
    restart: bool = False,
    wait_s: float = _WAIT_S,
    context: ssl.SSLContext | None = None,
) -> None:
    """Give a running gateway other certificates, on trial from its next connection on.

    parts    "cert": its own for the key that it has, "ca": who vouches for the broker; DER
    restart  let it restart, and so connect, at once
    context  as above

    It keeps them once the collector has acknowledged something under them, and goes back after
    three sessions without (agent/certificates.py). A Problem when it refuses or is silent; then
    nothing has changed there.
    """
    with _talking(gateway, path, host, port, wait_s, context) as (office, _):
        orders: list[dict[str, Any]] = [{"drop": True}]  # what an interrupted run has left
        orders += [{"part": part, "der": b64encode(data).decode()} for part, data in parts.items()]
        for args in [*orders, {"try": True}]:
            office.order("certificate", args)
        if restart:
            office.order("reboot", {})


@contextmanager
def _talking(
    gateway: str,
    path: Path,
    host: str,
    port: int,
    wait_s: float,
    context: ssl.SSLContext | None,
) -> Iterator[tuple["_Office", bytes]]:
    """Talk to a gateway by the first of its keys; give what the file knows of it as well."""
    known = read_keys_of(path, gateway)
    keys = {gateway: known[:KEY_BYTES]}
    with BundleServer(host, port, bytes(960), keys, context) as server:
        yield _Office(gateway, path, server, keys, wait_s), known


class _Office:
    """Our end of one gateway's exchange."""

    def __init__(
        self,
        gateway: str,
        path: Path,
        server: BundleServer,
        keys: dict[str, bytes],
        wait_s: float,
    ) -> None:
        self._gateway = gateway
        self._path = path
        self._server = server
        self._keys = keys  # the server signs by it
        self._wait_s = wait_s
        self._counter = 0

    @property
    def key(self) -> bytes:
        """The key in force."""
        return self._keys[self._gateway]

    def keep(self, key: bytes) -> None:
        """Write what the gateway's entry of the file is from now on."""
        write_keys(self._path, {**read_keys(self._path), self._gateway: key})

    def settle(self, both: bytes) -> None:
        """Find which of two keys the gateway has, and keep that one alone.

        An order by a key that is on trial makes it the only one; so does an answer's way back
        show that nothing is on trial any more.
        """
        for key in (both[:KEY_BYTES], both[KEY_BYTES:]):
            if self._send(key, "key", {"drop": True}) is not None:
                self.keep(key)
                return
        raise self._silent()

    def ask(self, key: bytes, args: dict[str, Any], trial: str) -> None:
        """Give the order `key`; a Problem unless the gateway then has this key on trial."""
        answer = self._send(key, "key", args)
        if answer is None:
            raise self._silent()
        found = answer.get("result", {}).get("trial") if answer.get("ok") else None
        if found != trial:
            why = refusal(answer.get("why", "")) or f"it has the key {found} on trial, not {trial}"
            raise Problem(
                f"{self._gateway} keeps its key: {why}",
                "both keys are in the file: the same command again goes on",
                code=FAILED,
            )

    def order(self, do: str, args: dict[str, Any]) -> None:
        """Give an order by the key in force; a Problem unless it is done."""
        answer = self._send(self.key, do, args)
        if answer is None:
            raise Problem(
                f"{self._gateway} does not answer", "is it on line? does it sleep?", code=NETWORK
            )
        if not answer.get("ok"):
            raise Problem(
                f"{self._gateway} refuses: {refusal(answer.get('why', ''))}",
                "it keeps the certificates that it has",
                code=FAILED,
            )

    def _send(self, key: bytes, do: str, args: dict[str, Any]) -> dict[str, Any] | None:
        """Send the order signed by a key; return the answer, None when none came."""
        self._keys[self._gateway] = key
        answers = self._server.heard[self._gateway].answers
        answer = None
        for _ in range(_TRIES):
            # Above every order before it: they are numbered by the second.
            self._counter = max(self._counter + 1, int(time.time()))
            name = f"{do}-{self._counter}"
            self._server.command(self._gateway, self._counter, do, args)
            self._server.wait(partial(answers.__contains__, name), self._wait_s)
            answer = answers.get(name)
            if answer is None or answer.get("why") != "old":
                break
        return answer

    def _silent(self) -> Problem:
        return Problem(
            f"{self._gateway} does not answer",
            "is it on line? does it sleep? Both keys are in the file: the same command goes on",
            code=NETWORK,
        )
