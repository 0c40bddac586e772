"""What a configuration promises, in words: what leaves the gateway, and who may make it forget.

for line in words(config): print(line)      # config: agent/config.validate, no problems
"""

from collections.abc import Mapping
from typing import Any

from agent.privacy import Privacy


def words(config: Mapping[str, Any]) -> list[str]:
    """Return one line per promise: meters first, then transport, memory and commands."""
    key = bytes.fromhex(config["privacy"]["key"])
    thinned = [
        words
        for meter in config["meters"]
        for row in meter["thin"]
        for words in (_rounded(meter["name"], row), _held(meter["name"], row))
        if words
    ]
    return Privacy(config["meters"], key).words() + thinned + uplink_words(config["uplink"])


def _rounded(meter: str, row: Mapping[str, Any]) -> str:
    points = ", ".join(row["points"]) or "*"
    if not row["resolution"]:
        return ""
    return f"{meter}: {points}: rounded to multiples of {row['resolution']}"


def _held(meter: str, row: Mapping[str, Any]) -> str:
    points = ", ".join(row["points"]) or "*"
    if not row["deadband"]:
        return ""
    return (
        f"{meter}: {points}: repeated while within {row['deadband']} of the last one reported, "
        f"for {row['silence_s']} s at most"
    )


def uplink_words(uplink: Mapping[str, Any]) -> list[str]:
    """Return what the way upstream does and does not promise."""
    return [
        _besides(uplink),
        _transport(uplink),
        _memory(uplink),
        _commands(uplink),
        *_budget(uplink),
    ]


def _besides(uplink: Mapping[str, Any]) -> str:
    """Say what leaves that is no reading."""
    if uplink["format"] == "senml":
        return (
            "besides: names of gateway, meters and points, contacts and faults as texts, and a "
            "live state of counters; no line of the log"
        )
    return (
        "besides: names of gateway, site, meters (a personal one's pseudonym) and points; board, "
        "versions, starts, contacts, faults and their counters; no line of the log"
    )


def _transport(uplink: Mapping[str, Any]) -> str:
    where = f"{uplink['kind']}, {uplink['host']}:{uplink['port']}"
    if not uplink["tls"]:
        return f"transport: {where}, in the clear: whoever is on the way reads and alters it"
    own = "with this gateway's certificate" if uplink["cert"] else "without a certificate of ours"
    return f"transport: {where}, TLS, certificate and host name checked, {own}"


def _memory(uplink: Mapping[str, Any]) -> str:
    """Say what frees the journal, and who could forge that."""
    if uplink["acknowledge"] == "puback":
        return (
            "memory: freed when the broker says PUBACK, stored or not: what it loses in a crash "
            "is lost, what it delivers twice is there twice"
            + ("; SenML leaves out nulls and their reasons" if uplink["format"] == "senml" else "")
        )
    if uplink["key"] and uplink["kind"] == "https":
        return (
            "memory: freed only when the collector has committed, by an acknowledgement under "
            "this gateway's key"
        )
    if uplink["key"]:
        return (
            "memory: freed only when the collector has committed, by an acknowledgement under "
            "this gateway's key, which signs each record too: the broker cannot make it forget, "
            "nor put something else in a reading's place"
        )
    return (
        "memory: freed when the collector has committed; without uplink.key a broker that turns "
        "hostile could forge that and make it forget readings"
    )


def _commands(uplink: Mapping[str, Any]) -> str:
    if uplink["kind"] == "https":
        return "commands: none reach it by https, and no live values leave"
    if uplink["key"]:
        return "commands: only those signed for this gateway, each once"
    return "commands: all are refused: without uplink.key none can be told from a forgery"


def _budget(uplink: Mapping[str, Any]) -> list[str]:
    if not uplink["budget_kb_day"]:
        return []
    return [
        f"budget: {uplink['budget_kb_day']} kB a day (UTC): live values wait first, readings at "
        "nine tenths, commands when all is spent; what waits stays in the journal"
    ]
