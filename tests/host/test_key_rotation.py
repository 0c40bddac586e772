"""Release keys over three releases: the next one comes signed, the one before it goes for good."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from agent.orders import CannotDo
from agent.upgrade import KEYS
from host_tools.packing import bundle, release
from host_tools.remote.serve_bundle import chunk
from tests.fakes import updating_fleet
from tests.fakes.updating_fleet import Gateway, key_of

NAME = "gw-a"


@pytest.fixture(scope="module")
def keys():
    return [rsa.generate_private_key(65537, 3072) for _ in range(3)]


def _firmware(key, counter, next_key=None):
    files = {"behaves": b"well", "agent/app.mpy": bytes([counter]) * 4000}
    following = release.modulus(next_key) if next_key else b""
    data = bundle.pack(files, f"{counter}.0", counter, ["host"], next_key=following)
    return release.sign(data, key)


def _update(gateway, data, *, acknowledges=True):
    """Offer it, give what is wanted, live until it is decided; CannotDo when it is refused."""
    gateway.app.upgrade.order({"offer": data[:960].hex()})
    wanted = bundle.read(data).version
    for _ in range(3000):
        app = gateway.app
        said = app.uplink._want
        app.uplink._want = None
        if said is not None:
            want = updating_fleet.json.loads(said)
            at = want["at"]
            while at < want["at"] + want["bytes"]:
                count = min(2048, want["at"] + want["bytes"] - at)
                app.upgrade.take(chunk(key_of(NAME), NAME, data, at, count), app.now_ms)
                at += count
        if acknowledges:
            app.journal.trim_through(app.journal.journal_id, app.journal.durable)
        gateway.step()
        slots = gateway.app.upgrade._slots
        if gateway.starts > 1 and not slots.is_on_trial and gateway.version == wanted:
            return
        time.sleep(0.001)
    raise AssertionError("no end")


def test_two_keys_rotate_and_the_first_opens_nothing_any_more(tmp_path, monkeypatch, keys):
    monkeypatch.setattr(
        updating_fleet, "_now", lambda: time.monotonic_ns() // 50_000 & updating_fleet._MASK
    )
    first, second, third = keys
    moduli = [release.modulus(key) for key in keys]
    nowhere = ("127.0.0.1", 9)
    gateway = Gateway(NAME, tmp_path / NAME, nowhere, _firmware(first, 1), moduli[0])

    def held():
        return gateway.app._ground.slots[KEYS]

    with pytest.raises(CannotDo, match="not of a release key"):
        _update(gateway, _firmware(second, 2))
    _update(gateway, _firmware(first, 2, second))
    assert held() == moduli[0] + moduli[1], "both serve"
    with pytest.raises(CannotDo, match="not above 2"):
        _update(gateway, _firmware(second, 2, third))
    _update(gateway, _firmware(second, 3))
    assert held() == moduli[1], "whoever signed with the second has retired the first"
    with pytest.raises(CannotDo, match="not of a release key"):
        _update(gateway, _firmware(first, 4))
    _update(gateway, _firmware(second, 5, third))
    assert held() == moduli[1] + moduli[2]
    with pytest.raises(CannotDo, match="not of a release key"):
        _update(gateway, _firmware(first, 6))
