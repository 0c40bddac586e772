"""`eclor rollout` against a small fleet over a real broker: waves, and the stop by itself."""

import json
from contextlib import ExitStack

import paho.mqtt.client as mqtt
import pytest
import typer
from cryptography.hazmat.primitives.asymmetric import rsa

from host_tools.commands import rollout as verb
from host_tools.packing import bundle, release
from host_tools.problems import FAILED, OK
from tests.fakes.broker_process import BrokerProcess
from tests.fakes.updating_fleet import Fleet, acknowledge, key_of, keys_file

NAMES = [f"gw-{i}" for i in range(4)]


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(65537, 3072)


def _firmware(key, version, counter, behaves):
    files = {"behaves": behaves.encode(), "agent/app.mpy": version.encode() * 3000}
    return release.sign(bundle.pack(files, version, counter, ["host"]), key)


@pytest.mark.parametrize(
    ("behaves", "why", "taken"),
    [
        ("well", "", 4),
        ("crash", "it went back to 1.0", 1),
        ("deaf", "1 of 2 meters answer", 1),
    ],
)
def test_waves_go_on_while_gateways_prove_it_and_stop_when_health_worsens(
    tmp_path, monkeypatch, capsys, key, behaves, why, taken
):
    monkeypatch.setattr(verb, "_LOOK_S", 0.1)
    (tmp_path / "new.bundle").write_bytes(_firmware(key, "2.0", 2, behaves))
    (tmp_path / "release.pub").write_bytes(release.modulus(key))
    old = _firmware(key, "1.0", 1, "well")
    (tmp_path / "broker").mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(BrokerProcess("nats", tmp_path / "broker"))
        collector = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        collector.connect("127.0.0.1", broker.port)
        acknowledge(collector, {name: key_of(name) for name in NAMES})
        collector.loop_start()
        stack.callback(collector.loop_stop)
        address = ("127.0.0.1", broker.port)
        fleet = stack.enter_context(
            Fleet(tmp_path / "fleet", address, NAMES, old, release.modulus(key))
        )
        with pytest.raises(typer.Exit) as ended:
            verb.command(
                tmp_path / "new.bundle",
                f"127.0.0.1:{broker.port}",
                keys_file(tmp_path / "keys.json", NAMES),
                tmp_path / "release.pub",
                tmp_path / "rollout.json",
                waves="25,50,100",
                bad=0,
                hours=0.05,
                as_json=True,
            )
    assert fleet.error is None
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    offered = [row for row in rows if row.get("status") == "offered"]
    assert ended.value.exit_code == (FAILED if why else OK)
    assert rows[-1]["state"] == ("stopped" if why else "done") and why in rows[-1]["why"]
    assert len(offered) == taken
    versions = sorted(fleet.versions().values())
    if behaves == "well":
        assert [row["wave"] for row in offered] == [1, 2, 3, 3]
        assert versions == ["2.0"] * 4
        # A wave begins when all of the one before have confirmed.
        order = [(row["wave"], row["status"]) for row in rows[:-1]]
        assert order.index((2, "offered")) > order.index((1, "confirmed"))
        assert order.index((3, "offered")) > [i for i, o in enumerate(order) if o[0] == 2][-1]
    else:
        back = "1.0" if behaves == "crash" else "2.0"  # the gateway itself is content with half
        assert versions == sorted(["1.0"] * 3 + [back])
        starts = [gateway.starts for gateway in fleet.gateways if gateway.starts > 1]
        assert len(starts) == 1, "nobody else was touched"
        assert starts[0] <= 5
