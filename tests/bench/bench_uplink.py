"""The uplink's figures: the price of exactly once on the wire, and what the window buys.

clients.py runs ours and others' on MicroPython, wire.py counts every byte in memory, storm.py
draws.
"""

from tests.bench import clients, peers, storm, wire
from tests.bench.figure import Figure
from tests.on_micropython import ROOT

_BACKLOG = 180 * 144  # blocks of 60 readings ten seconds apart, 180 days
_ROUND_TRIP_S = 0.1
_HEADS = "heads of 40 bytes for each segment and its acknowledgement, no retransmission"


def _others(track: clients.Track, count: int) -> list[tuple[str, float]]:
    """Return (name, records per second) of each client of others; 0 where it is unreachable."""
    rows = []
    for peer, run in (
        (peers.UMQTT_SIMPLE, track.umqtt_simple),
        (peers.MQTT_ASYNC, track.mqtt_async),
    ):
        folder = peers.fetch(peer)
        rows.append((peer.label, run(folder, count) if folder else 0.0))
    return rows


def _against(what: str, ours: float, others: list[tuple[str, float]], how: str) -> list[Figure]:
    figures = []
    for name, rate in others:
        if rate:
            figures.append(Figure(f"{what}, against {name}", ours / rate, "times", how))
        else:
            print(f"{name}: pip reaches no index: not compared")
    return figures


def _rate_figures() -> list[Figure]:
    told = "MicroPython to nats-server on loopback, records of 443 bytes at QoS 1"
    with clients.Track() as track:
        ours = track.ours(2000, 8)
        plain_heap = track.heap
        others = _others(track, 200)
    with clients.Track(tls=True) as track:
        secure = track.ours(1000, 8)
        heap, library = track.heap, track.library
    return [
        Figure("records per second", ours, "1/s", told + ", window 8"),
        Figure("records per second, mutual TLS", secure, "1/s", told + ", window 8"),
        *_against("records per second", ours, others, told),
        Figure("heap of a session", plain_heap / 1024, "KB", _HEAP),
        Figure("heap of a session with mutual TLS", heap / 1024, "KB", _HEAP),
        Figure("memory of mbedTLS beside the heap", library / 1024, "KB", "connected, pages of C"),
    ]


_HEAP = "gc.mem_alloc on line after a collection, 64-bit objects, .mpy; nats-server"


def _drain_figures() -> list[Figure]:
    told = f"measured through a proxy that adds {_ROUND_TRIP_S * 1000:.0f} ms round trip"
    with clients.Track(_ROUND_TRIP_S) as track:
        eight, one = track.ours(300, 8), track.ours(40, 1)
        others = _others(track, 40)
    size = "25,920 blocks of 60 readings"
    hours = [(f"window of 1: {_BACKLOG / one / 3600:.1f} h")]
    hours += [f"{name}: {_BACKLOG / rate / 3600:.1f} h" for name, rate in others if rate]
    return [
        Figure(
            "drain of a 180-day backlog",
            _BACKLOG / eight / 60,
            "minutes",
            f"{size} at the rate {told}, window 8; {', '.join(hours)}",
        ),
        Figure("drain, window 8 against 1", eight / one, "times", told),
        *_against("drain, window 8", eight, others, told),
    ]


def _storm_figures() -> list[Figure]:
    off, on = storm.run(False), storm.run(True)
    path = ROOT / "build" / "uplink-storm.svg"
    storm.picture([off, on], path)
    told = f"{storm.GATEWAYS} gateways, broker away 20 s, then 50 handshakes/s; build/{path.name}"
    return [
        Figure("storm: all back, with jitter", on.online_s, "s", told),
        Figure("storm: all back, without", off.online_s, "s", told),
        Figure("storm: peak of attempts, with jitter", on.peak, "1/s", told),
        Figure("storm: peak of attempts, without", off.peak, "1/s", told),
    ]


def _wire_figures() -> list[Figure]:
    each, whole, connection = wire.blocks_per_reading(50)
    told = "TLS 1.2 records, MQTT, PUBACK and acknowledgement, both ways; 5 points a reading"
    figures = [
        Figure("bytes on the wire per reading", each, "bytes", told + "; blocks of 60"),
        Figure("the same with TCP and IP", whole, "bytes", _HEADS),
        Figure("bytes of a connection", connection, "bytes", "handshake, mutual, to on line"),
    ]
    for form in ("json", "cbor"):
        alone, heavy = wire.messages_per_reading(500, form)
        name = f"SenML {form.upper()} sent per reading, against it"
        figures.append(Figure(name, alone / each, "times", f"{alone:.0f} bytes, QoS 1; " + told))
        with_heads = f"{heavy:.0f} against {whole:.1f} bytes; {_HEADS}"
        figures.append(Figure(name + ", with TCP and IP", heavy / whole, "times", with_heads))
    return figures


def run() -> list[Figure]:
    """Measure; see the module's text for what is not counted."""
    return [*_rate_figures(), *_drain_figures(), *_wire_figures(), *_storm_figures()]
