"""`make fuzz SECONDS=60`: damaged, foreign and nonsensical bytes for every driver.

    python -m tests.fuzz [--seconds N] [--bytes N] [--seed N] [PROTOCOL ...]
    python -m tests.fuzz --replay build/fuzz/sml-0123456789ab.json

Only the four errors of drivers/errors.py may be raised, each must consume a byte, no buffer may
grow, no value may leave the range of a Reading, and no input may take longer than five seconds.
Inputs that fail are kept in build/fuzz/ as the list of calls that were made, in JSON; the exit
code is then 1. Half of the damaged frames carry a right checksum, so that what lies behind it is
reached. The same seed makes the same inputs.
With --bytes each driver is fed so many instead, in at most --seconds each; two at a time.
"""

import argparse
import hashlib
import json
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import host_tools  # noqa: F401 - gives `micropython` to CPython
from drivers import load, load_map
from drivers.errors import BadFrame, Refused
from drivers.modbus_plan import Plan
from drivers.reading import NO_REPLY, VALUE_MAX, VALUE_MIN, Point, Reading, decimal_text
from tests.closing import close
from tests.vectors.frames import BODIES, CLOSE, FRAMES, OTHERS

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "fuzz"
_LIMIT_S = 5
# what a driver learns of its meter: the steps a Modbus plan was split into, at most one an item,
# and which points are refused
_NO_BUFFER = (int, str, bytes, type(None), bool, Plan, Point, Reading)
_LEARNT = ("_found", "_known", "_steps", "refused")
# how each driver is made: (map or None, options)
_MADE: dict[str, tuple[tuple[str | None, dict[str, Any]], ...]] = {
    "modbus": (
        (None, {}),
        ("sdm120", {"unit": 1}),
        ("sdm120", {"unit": 1, "transport": "tcp"}),
        ("sunspec_103", {"unit": 1}),
        ("contacts8", {"unit": 1, "echo": True}),
    ),
    "dsmr": ((None, {}), ("landis_gyr_e350", {}), (None, {"size": 64})),
    "sml": ((None, {}), ("emh_ed300l", {}), (None, {"size": 64})),
    "dlms": (
        (None, {}),
        ("kaifa_ma304", {}),
        ("kaifa_ma304", {"transport": "mbus"}),
        (None, {"size": 64}),
    ),
    "iec62056": (
        (None, {}),
        ("itron_em214", {}),
        ("landis_gyr_uh50", {"mode": "D"}),
        (None, {"size": 64}),
    ),
    "mbus": ((None, {}), ("engelmann_sensostar2", {"address": 5}), (None, {"address": 5})),
    "tic": ((None, {}), ("linky_standard", {}), ("tic_historique", {}), ("pme_pmi", {})),
    "radar": (
        (None, {}),
        ("icoms_tma", {}),
        ("icoms_tma_ascii", {}),
        ("houston_dr500", {}),
        ("omnipresense_ops243", {}),
    ),
    "pulse": ((None, {}), ("s0_electricity", {"pulses": 800}), ("pulse_volume", {"input": 2})),
    "contact": ((None, {}), ("contact_door", {"hold_s": 0}), ("contact_flood", {})),
    "level": ((None, {}), ("a02yyuw", {"empty_mm": 1650, "full_mm": 150}), ("maxbotix_lv", {})),
}
# ["feed", hex] or ["silence"], ["request"], ["sent"], ["give_up"], ["reset"], and of Modbus:
# ["answer", hex] the right frame for the last request with this inside, ["write"] a command first
Call = list[str]
_COMMANDS = (
    (6, 16, 0x1234),
    (16, 1, (1, 2)),
    (15, 19, (1, 0, 1)),
    (5, 172, True),
    (6, 16, 7, True),
)


class TooLongError(Exception):
    """An input took longer than the limit."""


def _stop(*_: object) -> None:
    raise TooLongError(f"longer than {_LIMIT_S} s")


def buffers(thing: object, seen: set[int] | None = None) -> int:
    """Return the bytes of all buffers that a driver holds, its parts' too."""
    if type(thing) in _NO_BUFFER:
        return 0
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, bytearray):
        return len(thing)
    if isinstance(thing, list | tuple):
        size = len(thing) if isinstance(thing, list) else 0
        for part in thing:
            size += buffers(part, seen)
        return size
    size = 0
    if type(thing).__module__.startswith("drivers."):
        for name, part in vars(thing).items():
            if name not in _LEARNT:
                size += buffers(part, seen)
    return size


def _judge(reading: Reading) -> None:
    assert len(reading.values) == len(reading.points) == len(reading.quality)
    for point, value, quality in zip(reading.points, reading.values, reading.quality, strict=True):
        assert 0 <= quality <= 7, quality
        if isinstance(value, int):
            assert VALUE_MIN <= value <= VALUE_MAX, (point.code, value)
            decimal_text(value, point.exponent)
        elif value is None:
            assert quality, point.code
        else:
            assert isinstance(value, bytes), type(value)


def perform(protocol: str, made: int, calls: list[Call]) -> int:
    """Make the driver and these calls; return the bytes fed. Raises what the driver did wrong."""
    name, options = _MADE[protocol][made]
    driver = load(protocol)(load_map(name) if name else None, dict(options))
    out = bytearray(300)
    driver.request(out)  # Modbus lends its meters what they share
    driver.reset()
    held = buffers(driver)
    fed = 0
    ordered = False  # a technician's command
    for call in calls:
        if call[0] in ("feed", "answer"):
            data = bytes.fromhex(call[1])
            if call[0] == "answer":
                data = _answer(out, data, options.get("transport", ""))
            at = 0
            while at < len(data):
                try:
                    at = driver.feed(data, at, len(data), 0, _judge)
                except (BadFrame, Refused) as error:
                    assert at < error.resume <= len(data), ("resume", at, error.resume)
                    at = error.resume
            fed += len(data)
        elif call[0] == "silence":
            try:
                driver.feed(b"", 0, 0, 0, _judge)
            except (BadFrame, Refused):
                pass
        elif call[0] == "request":
            size = driver.request(out)
            assert 0 <= size <= len(out) == 300
            if protocol == "modbus" and size and not ordered:
                assert 1 <= out[7 if options.get("transport") else 1] <= 4, "polling writes"
        elif call[0] == "sent":
            driver.sent(0)
        elif call[0] == "write":
            if name:
                ordered = True
                driver.write(*_COMMANDS[fed % len(_COMMANDS)])
        elif call[0] == "give_up":
            driver.give_up(_judge, NO_REPLY)
        else:
            driver.reset()
    driver.reset()
    assert buffers(driver) <= held, (buffers(driver), held)
    if protocol == "modbus" and name:
        assert len(driver._known) == len(driver._steps) <= len(driver.plan.items)
    return fed


def _answer(out: bytearray, inside: bytes, transport: str) -> bytes:
    """Return a frame that answers the Modbus request in `out`; its first byte chooses what."""
    at = 6 if transport == "tcp" else 0
    kind, function = inside[0], out[at + 1]
    count = out[at + 4] << 8 | out[at + 5]
    if kind < 60:
        pdu = bytes((out[at], function | 0x80, inside[1] if kind < 6 else kind % 12))
    elif function > 4:
        pdu = bytes(out[at : at + 6])
    else:
        if count == 2 and kind & 1:  # the chain of SunSpec models
            inside = b"\0" + (b"SunS", b"SunS", b"\0\x67\0\x32", b"\0\x01\0\x42")[inside[1] % 4]
        size = ((count + 7) // 8 if function <= 2 else 2 * count) & 0xFF
        pdu = bytes((out[at], function, size)) + (inside[1:] * (1 + size // 4))[:size]
    if kind > 250:  # right in all but one byte, and its checksum right
        pdu = pdu[: inside[1] % len(pdu)] + inside[2:3] + pdu[inside[1] % len(pdu) + 1 :]
    if at:
        return bytes(out[:4]) + len(pdu).to_bytes(2, "big") + pdu
    return CLOSE["modbus"](pdu if pdu[0] else b"\1" + pdu[1:])


def _damage(data: bytes, chance: random.Random) -> bytes:
    bad = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(bad)) if bad else 0
        kind = chance.randrange(7)
        if kind == 0 and bad:
            bad[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and bad:
            bad[at] = chance.choice(b"\x00\x01\x7f\x80\xff\x1b\x68\x7e\x28\x29\x0a\x2f\x02\x03")
        elif kind == 2:
            bad[at : at + chance.randrange(9)] = b""
        elif kind == 3:
            bad[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 4:
            bad[at:at] = bad[at : at + chance.randrange(40)]
        elif kind == 5:
            bad = bad[:at]
        elif bad:
            bad[at] = chance.randrange(256)
    return bytes(bad)


def make_input(protocol: str, chance: random.Random) -> list[Call]:
    """Return calls: a stream of good, damaged and random bytes in random pieces."""
    frames = FRAMES[protocol] + OTHERS.get(protocol, ())
    is_long = protocol != "modbus"  # its turns, below, are what counts
    parts = []
    for _ in range(chance.randrange(1, 40 if is_long else 9)):
        kind = chance.randrange(6)
        if kind == 0:
            parts.append(chance.randbytes(chance.randrange(600 if is_long else 60)))
        elif kind == 1:
            parts.append(chance.choice(frames) * chance.choice((1, 1, 2, 9)))
        elif kind == 2:
            parts.append(_damage(chance.choice(frames), chance))
        elif kind == 3:
            byte = chance.choice(chance.choice(frames))
            parts.append(bytes((byte,)) * chance.choice((1, 5, 300, 2100)))
        else:
            body = _damage(chance.choice(BODIES[protocol]), chance)[:250]
            parts.append(CLOSE[protocol](body.ljust(2, b"\0")))
    stream = b"".join(parts)
    calls: list[Call] = [["request"]] if chance.randrange(2) else []
    while stream:
        size = chance.choice((1, 2, 7, 64, 256, 4000))
        calls.append(["feed", stream[:size].hex()])
        stream = stream[size:]
        other = chance.randrange(60 if size < 64 else 6)
        if other < 5:
            calls.append([("silence", "silence", "request", "sent", "give_up")[other]])
    if protocol == "modbus":
        for _ in range(chance.randrange(4)):
            turn = [["write"]] if chance.randrange(8) == 0 else []
            for _ in range(chance.randrange(1, 9)):
                turn += [["request"], ["answer", chance.randbytes(5).hex()]]
            at = chance.randrange(len(calls) + 1)
            calls[at:at] = turn
    calls.append(["silence"])
    return calls


def run(
    protocol: str, seed: int, seconds: float, most: int = 0
) -> Iterator[tuple[int, str, list[Call], int]]:
    """Yield (bytes, "" or what went wrong, calls, which driver) until the time is over.

    most: end when so many bytes were fed; 0: no such limit.
    """
    chance = random.Random(f"{protocol} {seed}")
    signal.signal(signal.SIGALRM, _stop)
    until = time.monotonic() + seconds
    total = 0
    while time.monotonic() < until and (total < most or not most):
        calls = make_input(protocol, chance)
        made = chance.randrange(len(_MADE[protocol]))
        wrong = ""
        fed = 0
        signal.alarm(_LIMIT_S)
        try:
            fed = perform(protocol, made, calls)
        except Exception as error:  # whatever it is, it is looked for
            wrong = f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
        total += fed
        yield fed, wrong, calls, made


def _fuzz(protocol: str, seed: int, seconds: float, most: int) -> tuple[int, int, str]:
    """Fuzz one driver until the time is over or it took `most` bytes; 0: no such limit.

    Returns how many kinds of failure were found, and what to print.
    """
    count = inputs = 0
    kinds: set[str] = set()
    begun = time.monotonic()
    lines = []
    for fed, wrong, calls, made in run(protocol, seed, seconds, most):
        count += fed
        inputs += 1
        if wrong and wrong not in kinds:
            kinds.add(wrong)
            text = json.dumps({"protocol": protocol, "made": made, "calls": calls})
            KEPT.mkdir(parents=True, exist_ok=True)
            name = hashlib.sha256(text.encode()).hexdigest()[:12]
            (KEPT / f"{protocol}-{name}.json").write_text(text)
            lines.append(f"{protocol}: {wrong}: {KEPT / f'{protocol}-{name}.json'}")
    took_s = time.monotonic() - begun
    short = f", {most - count:,} short of what was wanted" if count < most else ""
    lines.append(
        f"{protocol}: {inputs:,} inputs, {count:,} bytes in {took_s:.0f} s{short}, "
        f"{len(kinds)} kinds of failure"
    )
    return len(kinds), count, "\n".join(lines)


def main() -> int:
    """Fuzz each protocol for its share of the time, or of the bytes; 1 when an input failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--bytes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    parser.add_argument("--replay", type=Path)
    parser.add_argument("protocols", nargs="*")
    options = parser.parse_args()
    if options.replay:
        told = json.loads(options.replay.read_text())
        perform(told["protocol"], told["made"], told["calls"])
        print("passes now")
        return 0
    protocols = options.protocols or list(_MADE)
    processes = 2 if options.bytes else 1
    seconds = options.seconds if options.bytes else options.seconds / len(protocols)
    failed = total = 0
    with ProcessPoolExecutor(processes) as pool:
        tasks = [pool.submit(_fuzz, p, options.seed, seconds, options.bytes) for p in protocols]
        for task in tasks:
            kinds, count, text = task.result()
            failed += kinds
            total += count
            print(text, flush=True)
    print(f"seed {options.seed}")
    close("fuzz", f"fuzz: {total:,} bytes, {failed} failures", held=not failed)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
