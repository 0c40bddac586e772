"""The collector against a real broker: commit first, acknowledge after, survive kills."""

import os
import queue
import signal
import subprocess
import sys

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent.mac import Mac
from agent.record import BLOCK
from host_tools.collect import Collector, queries
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor
from tests.fakes.gateway_messages import JOURNAL, birth, readings, record

DEADLINE_S = 20


class Gateway:
    """A gateway's side of the broker: publishes records, keeps the acknowledgements it hears."""

    def __init__(self, port, name="gw-a"):
        self.acks: queue.Queue[bytes] = queue.Queue()
        ready: queue.Queue[bool] = queue.Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name)
        self.client.on_message = lambda _, __, message: self.acks.put(bytes(message.payload))
        self.client.on_subscribe = lambda *_: ready.put(True)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe(f"eclor/1/{name}/ack", 1)
        ready.get(timeout=DEADLINE_S)

    def send(self, *messages):
        for message in messages:
            sent = self.client.publish(message.topic, message.payload, qos=1)
            sent.wait_for_publish(DEADLINE_S)

    def acknowledged_through(self, seq):
        """Read acknowledgements until one reaches seq; fails at the deadline."""
        while True:
            payload = self.acks.get(timeout=DEADLINE_S)
            assert int.from_bytes(payload[:4], "big") == JOURNAL
            if int.from_bytes(payload[4:8], "big") >= seq:
                return payload

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def supervisor():
    with Supervisor() as running:
        yield running


@pytest.fixture
def broker(supervisor, tmp_path):
    made = Broker(supervisor, tmp_path / "broker")
    made.start()
    return made


@pytest.fixture
def gateway(broker):
    made = Gateway(broker.mqtt_port)
    yield made
    made.close()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/readings.db"


def test_records_are_stored_then_acknowledged(broker, gateway, url):
    with Collector("127.0.0.1", broker.mqtt_port, url) as collector:
        assert collector.wait_for(lambda now: now.broker == "up", DEADLINE_S)
        gateway.send(birth(), *(record(BLOCK, seq, readings(2, 2 * seq)) for seq in (1, 2, 3)))
        assert len(gateway.acknowledged_through(3)) == 8
        assert queries.stored(collector.engine) == 6
        assert collector.progress.quarantined == 0


def test_a_keyed_gateway_gets_acknowledgements_with_a_mac(broker, gateway, url):
    key = bytes(range(32))
    with Collector("127.0.0.1", broker.mqtt_port, url, keys={"gw-a": key}) as collector:
        assert collector.wait_for(lambda now: now.broker == "up", DEADLINE_S)
        forged = (birth(first=50), record(BLOCK, 1, readings(1, 7)))
        signed = (birth(), record(BLOCK, 1, readings(1)))
        gateway.send(*forged)  # a broker in the middle: all but the key
        gateway.send(*(_sealed(message, bytes(32)) for message in forged))
        assert collector.wait_for(lambda now: now.quarantined == 4, DEADLINE_S)
        gateway.send(*(_sealed(message, key) for message in signed))
        payload = gateway.acknowledged_through(1)
        assert Mac(key).check(b"ackgw-a", payload, 0, len(payload))
        assert queries.stored(collector.engine) == 1


def _sealed(message, key):
    """Return the message as a gateway with this key sends it."""
    _, _, gateway, leaf = message.topic.split("/")
    tag = Mac(key).tag(f"{leaf}{gateway}".encode(), message.payload)
    return Message(message.topic, message.payload + tag)


def test_the_broker_keeps_what_comes_while_the_collector_is_away(broker, gateway, url):
    with Collector("127.0.0.1", broker.mqtt_port, url) as collector:
        assert collector.wait_for(lambda now: now.broker == "up", DEADLINE_S)
        gateway.send(birth(), record(BLOCK, 1, readings(1)))
        gateway.acknowledged_through(1)
    gateway.send(record(BLOCK, 2, readings(1, 1)))
    with Collector("127.0.0.1", broker.mqtt_port, url):
        gateway.acknowledged_through(2)


def test_an_absent_broker_is_said_and_waited_for(broker, url):
    broker.kill()
    with Collector("127.0.0.1", broker.mqtt_port, url) as collector:
        assert collector.wait_for(lambda now: now.broker.startswith("no broker"), DEADLINE_S)
        broker.start()
        assert collector.wait_for(lambda now: now.broker == "up", DEADLINE_S)


def test_a_database_that_refuses_gets_the_batch_again_and_nothing_is_acknowledged(
    broker, gateway, url, mocker
):
    from sqlalchemy.exc import OperationalError

    from host_tools.collect.store import Store

    real = Store.take
    refusals = [OperationalError("INSERT", {}, OSError("database or disk is full"))] * 2

    def take(store, messages):
        if refusals:
            raise refusals.pop()
        return real(store, messages)

    mocker.patch.object(Store, "take", take)
    with Collector("127.0.0.1", broker.mqtt_port, url) as collector:
        assert collector.wait_for(lambda now: now.broker == "up", DEADLINE_S)
        gateway.send(birth())
        assert collector.wait_for(lambda now: "full" in now.database, DEADLINE_S)
        gateway.send(record(BLOCK, 1, readings(1)))
        gateway.acknowledged_through(1)
        assert collector.progress.database == "up"
        assert refusals == []


# A collector that is killed at the worst moment: after the commit, before any acknowledgement.
_KILLED_AFTER_COMMIT = """
import os, signal, sys
from host_tools.collect import Collector
from host_tools.collect.store import Store

take = Store.take

def die(store, messages):
    outcome = take(store, messages)
    if outcome.readings:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome

Store.take = die
with Collector("127.0.0.1", int(sys.argv[1]), sys.argv[2]) as collector:
    collector.wait_for(lambda now: now.broker == "up", 60)
    print("up", flush=True)
    collector.wait_for(lambda now: False, 60)
"""


def test_kill_between_commit_and_acknowledgement_loses_and_doubles_nothing(broker, gateway, url):
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED_AFTER_COMMIT, str(broker.mqtt_port), url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["host_tools/shim", *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        gateway.send(birth(), *(record(BLOCK, seq, readings(1, seq)) for seq in (1, 2, 3)))
        assert child.wait(DEADLINE_S) == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()
    before = queries.stored(engine := open_database(url))
    assert before > 0
    with Collector("127.0.0.1", broker.mqtt_port, url):
        gateway.send(*(record(BLOCK, seq, readings(1, seq)) for seq in (1, 2, 3)))
        gateway.acknowledged_through(3)
    assert queries.stored(engine) == 3
    assert len(list(queries.samples(engine, point="energy"))) == 3
    engine.dispose()
