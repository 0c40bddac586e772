"""Every problem of a configuration is said at once, and secrets never are."""

from agent.config import validate


def _tree():
    return {
        "gateway": "gw",
        "board": "host",
        "ports": [{"name": "line", "uart": "uart1"}],
        "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm630"}],
    }


def test_defaults_complete_a_short_configuration():
    config, problems = validate(_tree())
    assert problems == []
    assert config["ports"][0]["baud"] == 9600 and config["meters"][0]["retries"] == 2
    assert config["block"]["flush_s"] == 60 and config["uplink"]["window"] == 8


def test_all_problems_are_said_at_once():
    tree = _tree()
    tree["ports"][0]["baud"] = 9601
    tree["meters"][0]["port"] = "lime"
    tree["meters"][0]["interval_s"] = 0
    tree["colour"] = "red"
    tree["journal"] = {"size_kb": True}
    del tree["board"]
    problems = validate(tree)[1]
    for path in ("ports[0].baud", "meters[0].port", "meters[0].interval_s", "colour", "board"):
        assert [p for p in problems if p.startswith(path)], (path, problems)
    assert [p for p in problems if "size_kb: True is not a whole number" in p]
    assert len(problems) == 6


def test_modbus_meters_may_be_on_the_network_and_no_others():
    tree = _tree()
    tree["ports"][0] = {"name": "line", "kind": "tcp"}
    assert [p.partition(":")[0] for p in validate(tree)[1]] == ["ports[0].host"]
    tree["ports"][0]["host"] = "192.168.1.20"
    config, problems = validate(tree)
    assert problems == [] and config["ports"][0]["tcp_port"] == 502
    tree["meters"][0]["protocol"] = "tic"
    assert "tic and a port of kind tcp do not go together" in validate(tree)[1][0]


def test_what_would_miss_something_in_a_sleep_is_a_problem():
    tree = _tree()
    tree["power"] = {"sleep": True}
    tree["ports"].append({"name": "inputs", "kind": "pins", "pins": ["in1"]})
    tree["ports"].append({"name": "net", "kind": "tcp", "host": "192.168.1.20"})
    tree["meters"][0]["interval_s"] = 59
    tree["meters"].append({"name": "p", "port": "inputs", "protocol": "pulse", "map": "s0"})
    problems = validate(tree)[1]
    places = ["ports[2].kind", "meters[0].interval_s", "meters[1].protocol"]
    assert [p.partition(":")[0] for p in problems] == places
    tree["power"]["sleep"] = False
    assert validate(tree)[1] == []
    config = validate(dict(_tree(), power={"sleep": True}))[0]
    assert config["block"]["flush_s"] == 86400, "blocks are sealed when they are to be sent"


def test_a_secret_is_not_repeated():
    tree = _tree()
    tree["uplink"] = {"key": 123456789}
    problems = validate(tree)[1]
    assert len(problems) == 1 and "123456789" not in problems[0]


def test_nonsense_is_a_problem_and_not_a_crash():
    for tree in (None, 5, [], {"ports": 5}, {"ports": [5], "meters": [None]}, {"block": []}):
        assert validate(tree)[1]


def test_networks_are_checked_and_their_keys_are_not_repeated():
    tree = _tree()
    tree["network"] = {"wifi": [{"ssid": "mairie", "key": "long-enough"}, {"ssid": "open"}]}
    config, problems = validate(tree)
    assert problems == [] and config["network"]["wifi"][1] == {"ssid": "open", "key": ""}
    tree["network"] = {
        "wifi": [{"ssid": "x" * 33, "key": "short"}, {"key": 1234567890}, 5],
        "kind": "lora",
    }
    problems = validate(tree)[1]
    for path in ("wifi[0].ssid", "wifi[0].key", "wifi[1].ssid", "wifi[1].key", "wifi[2]", "kind"):
        assert [p for p in problems if p.startswith("network." + path)], (path, problems)
    assert "short:" not in " ".join(problems) and "1234567890" not in " ".join(problems)


def test_a_modem_needs_its_port_and_a_name_that_cannot_be_a_command():
    for network, count in (
        ({"kind": "ppp", "uart": "uart2", "apn": "iot.example"}, 0),
        ({"kind": "ppp"}, 2),
        ({"kind": "ppp", "uart": "uart2", "apn": "iot", "auth": "pap", "user": "o"}, 0),
        ({"kind": "ppp", "uart": "uart2", "apn": "iot", "auth": "chap"}, 1),
        ({"kind": "ppp", "uart": "uart2", "apn": "iot", "user": "o"}, 1),
        ({"kind": "ppp", "uart": "uart2", "apn": "iot", "auth": "eap", "user": "o"}, 2),
        ({"kind": "ppp", "uart": "uart2", "apn": 'x"\rATD112;'}, 1),
        ({"kind": "ppp", "uart": "uart2", "apn": "x" * 41}, 1),
    ):
        tree = _tree()
        tree["network"] = network
        assert len(validate(tree)[1]) == count, network


def _uplink(**uplink):
    """Return (the checked uplink, the paths of its problems)."""
    config, problems = validate(dict(_tree(), uplink=dict({"host": "192.0.2.1"}, **uplink)))
    return config["uplink"], [problem.partition(":")[0] for problem in problems]


def test_an_uplink_has_the_port_of_its_kind():
    for uplink, port in (
        ({}, 1883),
        ({"tls": True, "ca": "authority.der"}, 8883),
        ({"kind": "https", "tls": True, "ca": "authority.der"}, 443),
        ({"kind": "https", "host": "127.0.0.1"}, 443),
        ({"port": 4444}, 4444),
    ):
        found, problems = _uplink(**uplink)
        assert (found["port"], problems) == (port, []), uplink


def test_what_does_not_go_together_in_an_uplink_is_a_problem():
    for uplink, paths in (
        ({"tls": True}, ["uplink.ca"]),
        ({"cert": "c.der"}, ["uplink.cert"]),
        ({"cert_key": "k.der"}, ["uplink.cert"]),
        ({"cert": "c.der", "cert_key": "k.der"}, []),
        ({"kind": "https"}, ["uplink.tls"]),
        ({"kind": "https", "host": "127.0.0.1", "format": "senml"}, ["uplink.format"]),
        ({"kind": "https", "host": "127.0.0.1", "acknowledge": "puback"}, ["uplink.acknowledge"]),
        ({"topic": "a/b"}, ["uplink.topic"]),
        ({"acknowledge": "puback"}, []),
    ):
        assert _uplink(**uplink)[1] == paths, uplink
    found, problems = _uplink(format="senml", topic="a/b")
    assert problems == [] and found["acknowledge"] == "puback"  # a platform gives no other word


def test_servers_of_time_have_names_and_those_of_names_are_numbers():
    tree = _tree()
    tree["clock"] = {"ntp": ["pool.example", "192.0.2.1:1123"]}
    tree["network"] = {"dns": ["192.0.2.53", "192.0.2.54:5353"]}
    assert validate(tree)[1] == []
    tree["clock"] = {"ntp": [":123", "a:b", "a:0", "a:65536"]}
    tree["network"] = {"dns": ["dns.example", "192.0.2.256", ""]}
    paths = [problem.partition(": ")[0] for problem in validate(tree)[1]]
    assert paths == ["clock.ntp[%d]" % i for i in range(4)] + [
        "network.dns[%d]" % i for i in range(3)
    ]


def test_a_protocol_that_nobody_speaks_is_named_with_those_that_are():
    tree = _tree()
    tree["meters"][0]["protocol"] = "morse"
    problems = validate(tree)[1]
    assert any("morse is not one of contact, dlms," in problem for problem in problems), problems
