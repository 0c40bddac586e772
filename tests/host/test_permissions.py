"""A gateway with a good certificate speaks and hears on its own topics only, on real brokers."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import nats
import paho.mqtt.client as mqtt
import pytest

from agent.record import BLOCK
from agent.topics import Topics
from host_tools.collect import Collector, queries
from host_tools.collect.jetstream import JetStream
from host_tools.commands import ca
from host_tools.planning.site_file import read_site
from host_tools.problems import Problem
from host_tools.processes.broker import free_port, program
from host_tools.trust.permissions import (
    COLLECTOR,
    HEARS,
    MOSQUITTO_SETTINGS,
    SAYS,
    mosquitto_acl,
    nats_users,
)
from tests.fakes.authority import Authority
from tests.fakes.gateway_messages import START_MS, birth, readings, wire
from tests.skips import skip

_NATS = """\
server_name: n1
listen: "127.0.0.1:{client}"
jetstream {{ store_dir: "{folder}/store" }}
mqtt {{ listen: "127.0.0.1:{port}", tls {{ cert_file: "{server}.pem"
  key_file: "{server}.key.pem", ca_file: "{ca}", verify_and_map: true }} }}
accounts {{ ECLOR {{ jetstream: enabled, include "gateways.conf" }} }}
"""
_MOSQUITTO = """\
user root
listener {port} 127.0.0.1
cafile {ca}
certfile {server}.pem
keyfile {server}.key.pem
{settings}
acl_file {folder}/acl
"""
_WAIT_S = 10
ROOT = Path(__file__).resolve().parents[2]


class Peer:
    """A client of MQTT with one gateway's certificate; what it was refused and what it heard."""

    def __init__(self, port, ca, paper, name, is_clean=True):
        self.heard, self.answers, self.connected, self.ends = [], [], None, 0
        self._event = threading.Condition()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=mqtt.MQTTv311,
            clean_session=is_clean,
            reconnect_on_failure=False,
        )
        self.client.on_disconnect = lambda *a: self._told("ends", 1)
        self.client.tls_set(str(ca), f"{paper}.pem", f"{paper}.key.pem")
        self.client.on_connect = lambda *a: self._told("connected", not a[3].is_failure)
        self.client.on_subscribe = lambda *a: self._told("answer", not a[3][0].is_failure)
        self.client.on_publish = lambda *a: self._told("answer", True)
        self.client.on_message = lambda *a: self._told("heard", (a[2].topic, a[2].payload))
        self.client.connect("localhost", port)
        self.client.loop_start()
        self.wait(lambda: self.connected is not None)

    def _told(self, what, value):
        with self._event:
            if what == "connected":
                self.connected = value
            elif what == "ends":
                self.ends += value
            else:
                (self.heard if what == "heard" else self.answers).append(value)
            self._event.notify_all()

    def wait(self, condition):
        with self._event:
            assert self._event.wait_for(condition, _WAIT_S)

    def subscribe(self, topic):
        """Tell whether the broker grants it."""
        said = len(self.answers)
        self.client.subscribe(topic, 1)
        self.wait(lambda: len(self.answers) > said)
        return self.answers[-1]

    def publish(self, topic, payload):
        """Publish and wait for the PUBACK, which both brokers also send for what they drop."""
        said = len(self.answers)
        self.client.publish(topic, payload, 1)
        self.wait(lambda: len(self.answers) > said)

    def again(self):
        """Connect again, as a gateway does that was cut off."""
        self.client.loop_stop()
        self.connected = None
        self.client.reconnect()
        self.client.loop_start()
        self.wait(lambda: self.connected)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def papers(tmp_path):
    authority = Authority(tmp_path, "ca")
    names = {"server": "localhost", COLLECTOR: COLLECTOR}
    names |= {name: name for name in ("gw-1", "gw-2", "gw-3")}
    return {"ca": tmp_path / "ca" / "ca.pem"} | {
        name: authority.issue(name, host=host, named=name == "server")
        for name, host in names.items()
    }


def running(command, port, tmp_path, **more):
    process = subprocess.Popen(
        command, stderr=(tmp_path / "log").open("w"), env=dict(os.environ, **more)
    )
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError((tmp_path / "log").read_text())


@pytest.fixture
def nats_port(tmp_path, papers):
    """nats-server as deploy/nats.conf has it, on loopback: (MQTT port, client port)."""
    (tmp_path / "gateways.conf").write_text(nats_users(["gw-1", "gw-2"]))
    port, client = free_port(), free_port()
    conf = tmp_path / "nats.conf"
    conf.write_text(
        _NATS.format(
            client=client, port=port, folder=tmp_path, server=papers["server"], ca=papers["ca"]
        )
    )
    command = [program("nats-server"), "-c", str(conf)]
    process = running(command, port, tmp_path, ECLOR_NATS_PASSWORD="s3cret-word")
    yield port, client
    process.kill()
    process.wait()


def test_on_nats_a_gateway_has_its_own_topics_only(nats_port, papers):
    port, client = nats_port
    one = Peer(port, papers["ca"], papers["gw-1"], "gw-1")
    two = Peer(port, papers["ca"], papers["gw-2"], "gw-2")

    async def collect():
        got = []
        collector = await nats.connect(
            f"nats://127.0.0.1:{client}", user=COLLECTOR, password="s3cret-word"
        )

        async def take(message):
            got.append((message.subject, message.data))

        await collector.subscribe("eclor.>", cb=take)
        await collector.flush()
        own = Topics("gw-1")
        assert await asyncio.to_thread(one.subscribe, own.ack.decode())
        assert await asyncio.to_thread(one.subscribe, own.cmd.decode())
        foreign = ("eclor/1/gw-1/ack", "eclor/1/gw-1/rec", "eclor/1/+/cmd", "#", "$MQTT/sub/#")
        for topic in (*foreign, "$JS/API/#"):
            assert not await asyncio.to_thread(two.subscribe, topic), topic
        for leaf in SAYS:
            await asyncio.to_thread(one.publish, f"eclor/1/gw-1/{leaf}", leaf.encode())
            await asyncio.to_thread(two.publish, f"eclor/1/gw-1/{leaf}", b"forged")
        for leaf in HEARS:  # nobody orders or acknowledges by a gateway's certificate
            await asyncio.to_thread(two.publish, f"eclor/1/gw-1/{leaf}", b"forged")
            await asyncio.to_thread(one.publish, f"eclor/1/gw-1/{leaf}", b"forged")
        await collector.publish("eclor.1.gw-1.ack", b"good")
        await collector.flush()
        await asyncio.to_thread(one.wait, lambda: one.heard)
        await collector.drain()  # what has come is taken first
        return got

    got = asyncio.run(collect())
    assert one.heard == [("eclor/1/gw-1/ack", b"good")]
    assert {subject for subject, _ in got} == {f"eclor.1.gw-1.{leaf}" for leaf in (*SAYS, "ack")}
    assert b"forged" not in {data for _, data in got}
    one.close()
    two.close()


@pytest.mark.parametrize("is_clean", [True, False])
def test_on_nats_who_takes_a_client_name_cuts_off_and_costs_no_reading(
    nats_port, papers, tmp_path, monkeypatch, is_clean
):
    port, client = nats_port
    monkeypatch.setenv("ECLOR_NATS_PASSWORD", "s3cret-word")
    url = f"sqlite:///{tmp_path}/readings.db"
    servers = [f"nats://127.0.0.1:{client}"]
    with Collector(
        "", 0, url, source=lambda told: JetStream(servers, "collectors", told)
    ) as collector:
        assert collector.wait_for(lambda now: now.broker == "up", _WAIT_S), collector.progress
        one = Peer(port, papers["ca"], papers["gw-1"], "gw-1")

        def acked():
            return max((int.from_bytes(data[4:8], "big") for _, data in one.heard), default=0)

        def publish(first, last):
            tree = birth(gateway="gw-1", topic_of="gw-1")
            one.publish(tree.topic, tree.payload.replace(b'"gw-a"', b'"gw-1"'))
            for seq in range(first, last + 1):
                one.publish("eclor/1/gw-1/rec", wire(BLOCK, seq, readings(1, seq)))

        assert one.subscribe("eclor/1/gw-1/ack")
        thieves_heard = []
        for last in (5, 10, 15):
            publish(acked() + 1, last)
            thief = Peer(port, papers["ca"], papers["gw-2"], "gw-1", is_clean)
            one.wait(lambda last=last: one.ends == last // 5)  # that is what it can do
            thief.publish("eclor/1/gw-1/rec", wire(BLOCK, 99, readings(1, 99)))
            thief.subscribe("eclor/1/gw-1/ack")
            thief.close()
            thieves_heard += thief.heard
            one.again()
            assert one.subscribe("eclor/1/gw-1/ack")
        publish(acked() + 1, 20)
        one.wait(lambda: acked() == 20)
        times = [sample.at_ms for sample in queries.samples(collector.engine, point="energy")]
        one.close()
    assert times == [START_MS + 10_000 * seq for seq in range(1, 21)]
    assert thieves_heard == []


def test_on_nats_a_good_certificate_of_no_gateway_is_no_user(nats_port, papers):
    peer = Peer(nats_port[0], papers["ca"], papers["gw-3"], "gw-1")
    assert peer.connected is False
    peer.close()


def test_on_nats_the_collectors_password_is_asked_for(nats_port):
    async def knock(**more):
        async def quiet(_):
            pass

        client = await nats.connect(
            f"nats://127.0.0.1:{nats_port[1]}",
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            allow_reconnect=False,
            error_cb=quiet,
            **more,
        )
        await client.close()

    asyncio.run(knock(user=COLLECTOR, password="s3cret-word"))
    for wrong in ({}, {"user": COLLECTOR, "password": "x"}, {"user": "CN=gw-1", "password": ""}):
        with pytest.raises(Exception, match=r"(?i)authorization|no servers"):
            asyncio.run(knock(**wrong))


def test_on_mosquitto_a_gateway_has_its_own_topics_only(tmp_path, papers):
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if not found:
        skip("mosquitto is not installed: apt-get install mosquitto")
    (tmp_path / "acl").write_text(mosquitto_acl())
    port = free_port()
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(
        _MOSQUITTO.format(
            port=port,
            folder=tmp_path,
            server=papers["server"],
            ca=papers["ca"],
            settings="\n".join(f"{setting} true" for setting in MOSQUITTO_SETTINGS),
        )
    )
    process = running([found, "-c", str(conf)], port, tmp_path)
    peers = {n: Peer(port, papers["ca"], papers[n], n) for n in ("gw-1", "gw-2", COLLECTOR)}
    try:
        assert peers[COLLECTOR].subscribe("eclor/1/#")
        assert peers["gw-1"].subscribe("eclor/1/gw-1/ack")
        peers["gw-2"].subscribe("#")  # granted by mosquitto 2.0; what is delivered counts
        for leaf in SAYS:
            peers["gw-1"].publish(f"eclor/1/gw-1/{leaf}", leaf.encode())
            peers["gw-2"].publish(f"eclor/1/gw-1/{leaf}", b"forged")
        peers["gw-2"].publish("eclor/1/gw-1/ack", b"forged")
        thief = Peer(port, papers["ca"], papers["gw-2"], "gw-1")  # it is gw-2 all the same
        thief.publish("eclor/1/gw-1/rec", b"forged")
        thief.close()
        assert peers["gw-1"].ends == 0
        peers["gw-2"].again()
        peers[COLLECTOR].publish("eclor/1/gw-1/ack", b"good")
        peers["gw-1"].wait(lambda: peers["gw-1"].heard)
        peers[COLLECTOR].wait(lambda: len(peers[COLLECTOR].heard) == len(SAYS) + 1)
        assert peers["gw-1"].heard == [("eclor/1/gw-1/ack", b"good")]
        assert b"forged" not in {payload for _, payload in peers[COLLECTOR].heard}
        assert peers["gw-2"].heard == []
    finally:
        for peer in peers.values():
            peer.close()
        process.kill()
        process.wait()


def test_a_name_cannot_write_configuration():
    for name in ("", "Gw", 'x" }', "a.b", "a/b", "a" * 65, "#", "gw 1"):
        with pytest.raises(Problem, match="cannot be a gateway's name"):
            nats_users(["gw-1", name])


def test_every_topic_of_the_device_is_allowed_one_way():
    topics = Topics("x")
    leaves = {name for name in vars(topics) if not re.match("_", name)}
    assert leaves == set(SAYS) | set(HEARS)
    assert not set(SAYS) & set(HEARS)


def test_the_command_writes_them_for_a_site(tmp_path, capsys):
    site, out = ROOT / "site.example.yaml", tmp_path / "gateways.conf"
    ca.permissions(site, out)
    names = [gateway.name for gateway in read_site(site).gateways]
    assert names and out.read_text() == nats_users(names)
    ca.permissions(site, mosquitto=True)
    assert mosquitto_acl() in capsys.readouterr().out
    wrong = tmp_path / "site.yaml"
    wrong.write_text("site: 5\n")
    with pytest.raises(Problem, match="names no gateway"):
        ca.permissions(wrong, out)
