"""Outputs: what leaves, exactly; back-fill, cursors, refusals; open data; on both engines."""

import csv
import json
import queue
import threading
from decimal import Decimal

import httpx
import jsonschema
import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from agent.record import BLOCK, SCHEMA, TIME
from drivers.reading import COUNTER, GAUGE, GOOD, IMPLAUSIBLE, STATE
from host_tools.collect import tables
from host_tools.collect.database import open_database
from host_tools.collect.open_data import export
from host_tools.collect.outputs import Output, Reading, Value
from host_tools.collect.outputs.configured import configured
from host_tools.collect.outputs.influx import Influx, lines
from host_tools.collect.outputs.ngsi import NGSI, batches, encode, normalised
from host_tools.collect.outputs.senml import Republisher, pack
from host_tools.collect.outputs.smart_data import entity_of
from host_tools.collect.rules import parse_rules
from host_tools.collect.store import Store
from host_tools.collect.summaries import summarise
from host_tools.problems import Problem
from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor
from tests.fakes.context_broker import ContextBroker
from tests.fakes.gateway_messages import GOOD as BOTH_GOOD
from tests.fakes.gateway_messages import START_MS, birth, block, readings, record, schema
from tests.fakes.sinks import HTTPSink
from tests.vectors.smart_data import model


def reading(*values, gateway="gw-a", meter="main", at_ms=START_MS):
    made = [
        Value(p, u, k, n, q) for p, u, k, n, q in (v if len(v) > 4 else (*v, GOOD) for v in values)
    ]
    return Reading("s", gateway, meter, "modbus", False, at_ms, tuple(made))


def known(found):
    """Return an entity that there must be."""
    assert found is not None
    return found


@pytest.fixture
def store(database_url):
    engine = open_database(database_url)
    made = Store(engine, lambda: START_MS)
    made.take([birth(), *(record(BLOCK, seq, readings(2, 2 * seq)) for seq in (1, 2, 3))])
    yield made
    engine.dispose()


# -- Influx ----------------------------------------------------------------------------------


def test_a_line_names_meter_and_unit_and_leaves_nulls_out():
    found = lines(
        [
            reading(("energy", "Wh", COUNTER, "10010"), ("power", "W", GAUGE, None)),
            reading(("power", "W", GAUGE, None)),
            reading(("a b", "", GAUGE, "-0.5"), gateway="g,1", meter="x=y\\", at_ms=5),
        ]
    )
    assert found == (
        f"meter,gateway=gw-a,meter=main,site=s energy_Wh=10010 {START_MS}\n"
        "meter,gateway=g\\,1,meter=x\\=y,site=s a\\ b=-0.5 5\n"
    )


def test_influx_is_filled_from_the_oldest_and_then_gets_only_what_is_new(store):
    with HTTPSink() as sink:
        output = Output(
            store.engine, "influx", Influx(sink.url + "write?db=x", "secret").send, most=2
        )
        assert output.run() == 6
        assert output.run() == 0
        store.take([record(BLOCK, 4, readings(1, 50))])
        assert output.run() == 1
        assert Output(store.engine, "other", Influx(sink.url).send).run() == 7
    path, headers, _ = sink.requests[0]
    assert path == "/write?db=x&precision=ms"
    assert headers["Authorization"] == "Token secret"
    times = [
        int(line.split()[-1]) for _, _, body in sink.requests[:3] for line in body.splitlines()
    ]
    assert times == sorted(times)
    assert len(times) == 7


def test_a_receiver_that_refuses_gets_the_same_again(store):
    with HTTPSink() as sink:
        output = Output(store.engine, "influx", Influx(sink.url).send)
        sink.status = 500
        with pytest.raises(httpx.HTTPError):
            output.run()
        sink.status = 204
        assert output.run() == 6


def test_readings_that_are_dated_or_understood_late_follow_then(store):
    with HTTPSink() as sink:
        output = Output(store.engine, "influx", Influx(sink.url).send)
        output.run()
        early = block([(5000, [1, 2], BOTH_GOOD)], clock=0)
        unknown = block([(START_MS, [1, 2], BOTH_GOOD)], config="ffffffff")
        store.take([record(BLOCK, 4, early), record(BLOCK, 5, unknown)])
        assert output.run() == 0
        fix = {"boot": 7, "uptime_ms": 20_000, "wall_ms": START_MS, "source": "ntp"}
        store.take([record(TIME, 6, fix), record(SCHEMA, 7, schema(config="ffffffff"))])
        assert output.run() == 2


def test_while_collectors_write_no_arrival_is_passed_over(database_url):
    engine = open_database(database_url)
    stores = [Store(engine, lambda: START_MS) for _ in range(3)]
    stores[0].take([birth()])
    seen: list[int] = []
    output = Output(engine, "x", lambda found: seen.extend(one.at_ms for one in found), most=7)

    def write(turn):
        for seq in range(turn, 90, 3):
            stores[turn].take([record(BLOCK, seq + 1, readings(1, seq))])

    threads = [threading.Thread(target=write, args=(turn,)) for turn in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        output.run()
    output.run()
    assert sorted(seen) == [START_MS + 10_000 * seq for seq in range(90)]
    engine.dispose()


# -- NGSI-LD ---------------------------------------------------------------------------------


PLACE = (2.35, 48.85)


def at_home(*_):
    return PLACE


def plain(entity):
    return {name: member[0] for name, member in entity.attributes.items()}


def test_an_electricity_meter_is_an_ac_measurement_in_kilowatt_hours():
    found = known(
        entity_of(
            reading(
                ("energy_import", "Wh", COUNTER, "123456789"),
                ("power", "W", GAUGE, "-12.5"),
                ("voltage_l1", "V", GAUGE, "230.4"),
                ("power_l1", "W", GAUGE, "-3"),  # the model has no negative phase
                ("power_factor", "", GAUGE, "1.2"),  # nor such a factor
                ("current_l2", "A", GAUGE, "99", IMPLAUSIBLE),
                ("voltage_l2", "V", GAUGE, None),
                ("voltage_l3", "V", GAUGE, "-1"),  # nor such a voltage
            ),
            PLACE,
        )
    )
    assert (found.id, found.type) == ("urn:ngsi-ld:ACMeasurement:gw-a:main", "ACMeasurement")
    values = plain(found)
    assert str(values.pop("totalActiveEnergyImport")) == "123456.789"
    assert str(values.pop("totalActivePower")) == "-12.5"
    assert values.pop("phaseVoltage").keys() == {"L1"}
    assert values.pop("location")["coordinates"] == [2.35, 48.85]
    assert values == {"dateObserved": "2023-11-14T22:13:20.000Z", "phaseType": "threePhase"}


@pytest.mark.parametrize(
    ("values", "kind", "attribute", "expected"),
    [
        (
            [("volume", "m3", COUNTER, "12.345")],
            "WaterConsumptionObserved",
            "waterConsumption",
            12345,
        ),
        ([("level", "", GAUGE, "0.913")], "WasteContainer", "fillingLevel", 0.913),
        ([("level", "", GAUGE, "1.2")], "WasteContainer", "fillingLevel", 1),
        ([("vehicles", "", COUNTER, "42")], "TrafficFlowObserved", "intensity", 42),
        ([("door", "", STATE, "1"), ("a", "", STATE, "0")], "Device", "value", "a=0;door=1"),
    ],
)
def test_each_kind_of_meter_has_its_model(values, kind, attribute, expected):
    found = known(entity_of(reading(*values), PLACE))
    assert found.type == kind
    value = plain(found)[attribute]
    assert (value if isinstance(value, str) else float(value)) == expected
    assert plain(found)["location"] == {"type": "Point", "coordinates": [2.35, 48.85]}


def as_json(value):
    """Return what an entity's value is for a validator of JSON."""
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_json(one) for one in value]
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value


_POINTS = (
    *(("energy_import", "Wh"), ("energy_export", "Wh"), ("reactive_energy_import", "varh")),
    *((f"{name}{of}", unit) for of in ("", "_l1", "_l2", "_l3") for name, unit in (
        ("power", "W"), ("voltage", "V"), ("current", "A"), ("power_factor", ""),
        ("apparent_power", "VA"), ("reactive_power", "var"))),
    *(("frequency", "Hz"), ("volume", "m3"), ("level", ""), ("level", "%"), ("vehicles", "")),
    *(("speed_mean", "km/h"), ("door", ""), ("lid_1", "")),
)  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(_POINTS),
            st.sampled_from((GAUGE, COUNTER, STATE)),
            st.decimals(-(10**9), 10**12, places=3),
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda value: value[0][0],
    ),
    st.none() | st.just(PLACE),
)
def test_every_entity_is_as_its_model_says(values, place):
    of = reading(*((point, unit, kind, str(n)) for (point, unit), kind, n in values))
    found = entity_of(of, place)
    if found is not None:
        tree = {"id": found.id, "type": found.type, **as_json(plain(found))}
        jsonschema.validate(tree, model(found.type))


def test_the_models_forbid_what_they_should():
    good = {"id": "urn:ngsi-ld:WasteContainer:a:b", "type": "WasteContainer", "fillingLevel": 1}
    place = {"location": {"type": "Point", "coordinates": [2.35, 48.85]}}
    jsonschema.validate(good | place, model("WasteContainer"))
    for bad in (good, good | place | {"fillingLevel": 1.1}, good | place | {"filling": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, model("WasteContainer"))


def test_what_the_models_require_is_there_or_the_entity_is_not_sent():
    assert entity_of(reading(("level", "", GAUGE, "0.5"))) is None  # location is required
    assert entity_of(reading(("energy", "Wh", COUNTER, "5"))) is None
    assert entity_of(reading(("energy", "Wh", COUNTER, None))) is None
    assert entity_of(reading(("humidity", "%", GAUGE, "50"))) is None
    device = entity_of(reading(("door", "", STATE, "1")))
    assert plain(device)["category"] == ["sensor"]
    single = known(entity_of(reading(("power_l1", "W", GAUGE, "5")), PLACE))
    assert plain(single)["phaseType"] == "singlePhase"
    assert plain(device)["controlledProperty"] == ["occupancy"]


def test_a_meter_whose_model_wants_a_place_is_said_once(store, caplog):
    with ContextBroker() as broker:
        assert Output(store.engine, "ngsi", NGSI(broker.url).send).run() == 6
    assert broker.entities == {}
    assert [one.message for one in caplog.records if "place" in one.message] == [
        "gw-a/main: its model wants a place, see `places` of the rules; not sent"
    ]


def test_an_entity_is_once_in_a_request_and_its_history_keeps_its_order(store):
    with ContextBroker() as broker:
        assert Output(store.engine, "ngsi", NGSI(broker.url, at_home).send).run() == 6
    of_power = [row for row in broker.history if row[1] == "totalActivePower"]
    assert len(of_power) == 6
    assert [row[2] for row in of_power] == sorted(row[2] for row in of_power)
    entity = broker.entities["urn:ngsi-ld:ACMeasurement:gw-a:main"]
    assert entity["totalActiveEnergyImport"]["unitCode"] == "KWH"
    assert entity["totalActiveEnergyImport"]["value"] == 10.07


def test_what_the_broker_does_not_want_does_not_hold_up_the_others(store):
    with ContextBroker() as broker:
        broker.unwanted = {"urn:ngsi-ld:ACMeasurement:gw-a:main"}
        sender = NGSI(broker.url, at_home)
        assert Output(store.engine, "ngsi", sender.send).run() == 6
        assert sender.refused == 6
        assert broker.entities == {}


def test_a_broker_that_is_away_is_waited_for(store):
    with ContextBroker() as broker:
        output = Output(store.engine, "ngsi", NGSI(broker.url, at_home).send)
        broker.status = 503
        with pytest.raises(httpx.HTTPError):
            output.run()
        broker.status = 204
        assert output.run() == 6


def test_numbers_keep_their_digits_in_json():
    exact = known(
        entity_of(reading(("energy_import", "Wh", COUNTER, "18446744073709551615")), PLACE)
    )
    assert b'"value":18446744073709551.615' in encode([normalised(exact, ["c"])])


@given(st.lists(st.integers(0, 5), max_size=40))
def test_batches_hold_each_entity_once_and_in_order(meters):
    entities = []
    for at_ms, meter in enumerate(meters):
        row = reading(("volume", "m3", COUNTER, "1"), meter=str(meter), at_ms=at_ms)
        entities.append(known(entity_of(row)))
    made = batches(entities)
    assert sorted(id(one) for batch in made for one in batch) == sorted(map(id, entities))
    for batch in made:
        assert len({one.id for one in batch}) == len(batch)
    for meter in set(meters):
        times = [o.at_ms for batch in made for o in batch if o.id.endswith(f":{meter}")]
        assert times == sorted(times)


# -- SenML -----------------------------------------------------------------------------------


def test_senml_is_published_per_reading(store, tmp_path):
    with Supervisor() as supervisor:
        broker = Broker(supervisor, tmp_path / "broker")
        broker.start()
        packs: queue.Queue[tuple[str, bytes]] = queue.Queue()
        ready = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_message = lambda _, __, found: packs.put((found.topic, bytes(found.payload)))
        client.on_subscribe = lambda *_: ready.set()
        client.connect("127.0.0.1", broker.mqtt_port)
        client.loop_start()
        client.subscribe("senml/#", 1)
        assert ready.wait(20)
        url = f"mqtt://127.0.0.1:{broker.mqtt_port}/senml"
        assert Output(store.engine, "senml", Republisher(url).send).run() == 6
        topic, payload = packs.get(timeout=20)
        client.disconnect()
        client.loop_stop()
        broker.kill()
        with pytest.raises(OSError):
            Republisher(url).send([reading(("power", "W", GAUGE, "5"))])
    assert topic == "senml/gw-a/main"
    assert json.loads(payload)[0]["bn"] == "gw-a/main/"


def test_a_pack_is_exact_and_without_nulls():
    found = pack(
        reading(("t", "degC", GAUGE, "21.50"), ("x", "", GAUGE, None), ("n", "", GAUGE, "1"))
    )
    expected = (
        '[{"bn":"gw-a/main/","bt":1700000000.000,"n":"t","u":"Cel","v":21.50},{"n":"n","v":1}]'
    )
    assert found.decode() == expected


# -- by rule ---------------------------------------------------------------------------------


def test_outputs_come_from_the_rules_and_personal_meters_stay_at_home(store, monkeypatch):
    personal = schema(config="0000000a")
    personal["meters"][0]["personal"] = True
    personal["meters"][0]["name"] = "flat-7"
    data = block([(START_MS, [1, 2], BOTH_GOOD)], config="0000000a")
    store.take([record(SCHEMA, 4, personal), record(BLOCK, 5, data)])
    with HTTPSink() as sink:
        text = f"""
        outputs:
          - {{name: a, kind: influx, url: "{sink.url}", token_env: ECLOR_TEST_TOKEN}}
          - {{name: b, kind: influx, url: "{sink.url}", personal: true}}
          - {{name: c, kind: ngsi, url: "{sink.url}"}}
          - {{name: d, kind: senml, url: "mqtt://127.0.0.1:1/x"}}"""
        with pytest.raises(Problem, match="ECLOR_TEST_TOKEN is not set"):
            configured(store.engine, parse_rules(text))
        monkeypatch.setenv("ECLOR_TEST_TOKEN", "x")
        made = configured(store.engine, parse_rules(text))
        assert [output.run() for output in made[:3]] == [6, 7, 6]


# -- open data -------------------------------------------------------------------------------


def households(store, amounts, personal=True):
    """Add one meter per amount, which consumed so many Wh on one day."""
    meters = [
        {
            "name": f"flat-{i}",
            "protocol": "modbus",
            "map": "x",
            "interval_s": 60,
            "personal": personal,
            "points": [["energy_import", "Wh", 0, 1, "0"], ["power", "W", 0, 0, "1"]],
        }
        for i in range(len(amounts))
    ]
    tree = {"config": "000000aa", "gateway": "gw-a", "site": "s", "meters": meters}
    store.take([record(SCHEMA, 100, tree)])
    blocks = []
    for i, amount in enumerate(amounts):
        rows = [(START_MS, [0, 0], BOTH_GOOD), (START_MS + 600_000, [amount, 0], BOTH_GOOD)]
        blocks.append(record(BLOCK, 101 + i, block(rows, config="000000aa", meter=i)))
    store.take(blocks)
    summarise(store.engine)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_large_enough_group_is_published_with_its_schema(store, tmp_path, form):
    pytest.importorskip("pyarrow")
    households(store, range(100, 112))
    report = export(store.engine, tmp_path, form=form)
    assert report.held_back == {}
    package = json.loads((tmp_path / "datapackage.json").read_text())
    resource = package["resources"][0]
    if form == "csv":
        with (tmp_path / resource["path"]).open() as file:
            rows = list(csv.DictReader(file))
    else:
        import pyarrow.parquet as pq

        rows = pq.read_table(tmp_path / resource["path"]).to_pylist()
    assert list(rows[0]) == [found["name"] for found in resource["schema"]["fields"]]
    mine = [row for row in rows if row["point"] == "energy_import"]
    assert len(mine) == 1
    assert float(mine[0]["consumption"]) == sum(range(100, 112))
    assert int(mine[0]["meters"]) == 12
    keys = [tuple(row[name] for name in resource["schema"]["primaryKey"]) for row in rows]
    assert len(set(keys)) == len(keys)


def test_a_small_group_of_households_is_refused_with_the_reason(store, tmp_path):
    households(store, range(100, 109))
    report = export(store.engine, tmp_path / "some")
    assert report.held_back == {"fewer than 10 meters in s": 1}
    with store.engine.begin() as connection:
        connection.execute(tables.meter.update().values(personal=True))
    with pytest.raises(Problem, match="fewer than 10 meters in s"):
        export(store.engine, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_one_household_that_makes_most_of_a_group_is_held_back(store, tmp_path):
    households(store, [1] * 11 + [1000])
    report = export(store.engine, tmp_path)
    assert report.held_back == {"one household makes most of s": 1}
    assert "energy_import" not in (tmp_path / "consumption.csv").read_text()


def test_public_meters_need_no_group(store, tmp_path):
    households(store, [5], personal=False)
    assert export(store.engine, tmp_path).rows == 2


def test_a_group_that_hides_nobody_is_refused(store, tmp_path):
    with pytest.raises(Problem, match="hides nobody"):
        export(store.engine, tmp_path, least=1)
