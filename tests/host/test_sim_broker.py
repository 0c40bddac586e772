"""The embedded broker starts on free ports, moves a message, and comes back with its own."""

import socket
import threading

import paho.mqtt.client as mqtt

from host_tools.processes.broker import Broker, free_port
from host_tools.processes.supervisor import Supervisor


def _client(port, name, on_message=None):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
    ready = threading.Event()
    client.on_connect = lambda c, *_: (
        c.subscribe("eclor/1/+/rec", 1) if on_message else ready.set()
    )
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(10)
    return client


def test_a_message_for_an_absent_reader_survives_a_kill(tmp_path):
    with Supervisor() as supervisor:
        broker = Broker(supervisor, tmp_path)
        broker.start()
        reader = _client(broker.mqtt_port, "reader", lambda *_: None)
        reader.disconnect()
        reader.loop_stop()
        writer = _client(broker.mqtt_port, "writer")
        writer.publish("eclor/1/gw/rec", b"kept", 1).wait_for_publish(10)
        writer.loop_stop()
        broker.kill()
        assert not broker.running
        broker.start()
        got = threading.Event()
        seen = []

        def keep(client, userdata, message):
            seen.append(message.payload)
            got.set()

        reader = _client(broker.mqtt_port, "reader", keep)
        assert got.wait(10)
        reader.loop_stop()
        assert seen == [b"kept"]


def test_a_taken_port_gives_way_to_the_next():
    first = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert first < free_port(first) < first + 20
    assert free_port(first) == first
