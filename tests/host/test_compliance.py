"""The page of provisions tells the truth; what has no other home: secrets, the bill."""

import ast
import contextlib
import copy
import io
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.settings import Settings
from firmware import provision
from host_tools.commands import compliance as compliance_command
from host_tools.compliance import page, results
from host_tools.compliance.provisions import STANDARDS, Provision, proofs
from host_tools.problems import Problem
from tests import compliance, sbom
from tests.fakes.virtual_gateway import TREE, Site
from tests.skips import skip

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {
    "gateway": "gw",
    "board": "host",
    "ports": [{"name": "line", "uart": "uart1"}],
    "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm630"}],
    "uplink": {"host": "h"},
}
CANARIES = {
    "key": "c0ffee00" * 8,
    "privacy": "ba5eba11" * 8,
    "password": "canary-of-the-broker",
    "wifi": "canary-of-the-wifi",
}


# --- the provisions


def functions(path):
    return {
        n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)
    }


@pytest.mark.parametrize("name", proofs())
def test_every_test_that_is_named_exists(name):
    file, _, test = name.partition("::")
    path = ROOT / "tests" / file
    assert path.exists()
    assert not test or test in functions(path)


def test_a_provision_has_tests_or_says_whose_it_is():
    for standard, rows in STANDARDS.items():
        numbers = [row.number for row in rows]
        assert len(numbers) == len(set(numbers)), standard
        for row in rows:
            assert row.asks and (row.how if row.proofs else row.beyond), row.number


def test_the_results_that_travel_know_every_test_and_none_failed():
    found = results.read()
    if not found["tests"]:
        skip("make compliance has not been run")
    for row in results.assess(found):
        wrong = [p for p in row.proofs if p.status != results.HOLDS]
        assert not wrong, f"{row.provision.number}: {wrong}: run `make compliance` and commit"


# --- how a result is read

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_x[1]"/>
<testcase classname="tests.unit.test_a" name="test_x[2]"><skipped/></testcase>
<testcase classname="tests.unit.test_a" name="test_y"><failure/></testcase>
<testcase classname="tests.host.test_b" name="test_z"><error/></testcase>
</testsuite></testsuites>"""


def test_cases_are_counted_for_their_test_and_their_file(tmp_path):
    (tmp_path / "r.xml").write_text(JUNIT)
    names = [
        "unit/test_a.py",
        "unit/test_a.py::test_x",
        "host/test_b.py::test_z",
        "host/test_c.py",
    ]
    assert compliance.count(names, tmp_path / "r.xml") == {
        "unit/test_a.py": [1, 1, 1],
        "unit/test_a.py::test_x": [1, 0, 1],
        "host/test_b.py::test_z": [0, 1, 0],
    }


@pytest.mark.parametrize(
    ("tests", "status"),
    [
        ({"a": [3, 0, 0], "b": [1, 0, 2]}, "holds"),
        ({"a": [3, 0, 0], "b": [9, 1, 0]}, "fails"),
        ({"a": [3, 0, 0], "b": [0, 0, 2]}, "not run"),
        ({"a": [3, 0, 0]}, "not run"),
    ],
)
def test_a_row_is_as_good_as_its_worst_test(monkeypatch, tests, status):
    row = Provision("1", "asks", "how", ("a", "b"))
    alone = Provision("2", "asks", "", (), "the operator")
    monkeypatch.setattr(results, "STANDARDS", {"S": (row, alone)})
    first, second = results.assess({"tests": tests})
    assert (first.status, second.status) == (status, "beyond")


def test_the_page_shows_what_fails_and_escapes_what_it_shows(monkeypatch):
    row = Provision("1", "a < b", "how & why", ("a", "b"), "<script>")
    monkeypatch.setattr(results, "STANDARDS", {"S & T": (row,)})
    text = page.page({"tests": {"a": [1, 2, 3]}, "date": "2026-01-02", "version": "9"})
    assert '<div class="status fails">fails</div>' in text
    assert "a &lt; b" in text and "<script>" not in text and "S &amp; T" in text
    assert "a · 1, failed 2, skipped 3" in text


@pytest.mark.parametrize("text", ["", "{}", '{"tests": {"a": [1]}}', '{"tests": 5}', "[]"])
def test_damaged_results_are_a_problem_and_no_crash(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(Problem, match="holds no results"):
        results.read(path)
    with pytest.raises(Problem, match="there are no results"):
        results.read(tmp_path / "none.json")


def test_the_command_shows_every_provision(tmp_path):
    app = typer.Typer()
    app.command()(compliance_command.command)
    done = CliRunner().invoke(app, ["--json", "--html", str(tmp_path / "p.html")])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["provisions"]) == sum(len(rows) for rows in STANDARDS.values())
    assert "5.13-1" in (tmp_path / "p.html").read_text()


# --- the bill of materials


def test_the_list_of_components_is_whole_and_valid(tmp_path):
    import cyclonedx.schema
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource

    sbom.write(tmp_path / "sbom.json")
    found = json.loads((tmp_path / "sbom.json").read_text())
    folder = Path(cyclonedx.schema.__file__).parent / "_res"
    schemas = {
        path.name: json.loads(path.read_text()) for path in folder.glob("*.SNAPSHOT.schema.json")
    }
    resources = [
        (name, Resource.from_contents(each | {"$id": name})) for name, each in schemas.items()
    ]
    schema = schemas["bom-1.6.SNAPSHOT.schema.json"] | {"$id": "bom"}
    Draft7Validator(schema, registry=Registry().with_resources(resources)).validate(found)

    names = {part["name"] for part in found["components"]}
    locked = dict(
        line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines()
    )
    normal = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in locked.items()}
    for part in found["components"]:
        assert part["licenses"], part["name"]
        if part["type"] == "library":
            assert normal[part["name"]] == part["version"]
    assert {"typer", "pyserial", "esptool", "mpremote", "sqlalchemy", "pyarrow"} <= names
    assert not {"pytest", "mypy", "ruff"} & names
    firmware = next(part for part in found["components"] if part["type"] == "firmware")
    modules = {part["name"] for part in firmware["components"]}
    assert {"micropython", "agent/app.mpy", "drivers/modbus.mpy", "firmware/main.mpy"} <= modules
    assert all(p["hashes"] for p in firmware["components"] if p["type"] == "file")


# --- the policy


def test_the_security_policy_answers_what_is_asked_of_it():
    text = (ROOT / "SECURITY.md").read_text()
    for title in ("Report a weakness", "Supported versions", "Updates", "made of"):
        assert re.search(rf"^## .*{title}", text, re.MULTILINE), title
    assert re.search(r"within \d+ (working )?days", text) and re.search(r"\d+ years", text)


# --- secrets


def test_no_secret_is_in_the_source():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    ).stdout.split("\0")
    places = [name for name in listed if name and not name.startswith("tests/")]
    assert len(places) > 100, "not a checkout"
    for name in places:
        path = ROOT / name
        if path.suffix in (".py", ".yaml", ".md", ".toml", ".json", ".conf", ".service"):
            assert not secrets_in(path.read_text(encoding="utf-8")), name


def secrets_in(text):
    """Return what looks like a private key or 256 random bits; samples are all one, or rise."""
    found = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}", text)
    for digits in re.findall(r"\b[0-9a-f]{64}\b", text):
        if len(set(bytes.fromhex(digits))) > 20 and digits != bytes(range(32)).hex():
            found.append(digits)
    return found


def test_a_secret_in_the_source_would_be_seen():
    import secrets

    assert secrets_in(f'key: "{secrets.token_hex(32)}"')
    assert secrets_in("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAAAAAAAAAAA")
    assert not secrets_in("0" * 64 + " " + bytes(range(32)).hex())


def provisioned(root):
    """Provision a gateway in a folder; return every secret that is on its flash then."""
    root.mkdir()
    said = io.StringIO()
    order = {"config": PLAIN, "make": list(provision.MADE)}
    with contextlib.redirect_stdout(said):
        provision.request("gw", "00" * 32, root=str(root))
        provision.take(json.dumps(order), root=str(root))
    assert said.getvalue().count('"ok": true') == 2, said.getvalue()
    settings = Settings(str(root))
    settings.look()
    kept = settings.stored(settings.state[0])[2]
    return [kept[name] for name in provision.MADE] + [(root / provision.KEY_FILE).read_bytes()]


def test_gateways_share_no_secret(tmp_path):
    # `make compliance` provisions ten thousand; the salt of the computer is always the same here.
    count = int(os.environ.get("ECLOR_GATEWAYS", "100"))
    seen = set()
    for number in range(count):
        seen.update(provisioned(tmp_path / str(number)))
    assert len(seen) == count * 3


def test_a_chip_without_entropy_would_be_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(provision, "entropy", lambda size: b"7" * size)
    assert len({*provisioned(tmp_path / "1"), *provisioned(tmp_path / "2")}) < 6


class Listener:
    """Every byte that a broker takes, but for the CONNECT, which must name user and password."""

    def __init__(self, broker):
        self.heard = b""
        self._take = broker.take
        broker.take = self

    def __call__(self, data):
        if data[:1] != b"\x10":
            self.heard += bytes(data)
        self._take(data)


def live(**uplink):
    """Live an hour with troubles under a configuration full of canaries; return what was heard."""
    tree = copy.deepcopy(TREE)
    tree["uplink"] = {"user": "gw", "password": CANARIES["password"], **uplink}
    tree["privacy"] = {"key": CANARIES["privacy"]}
    tree["network"] = {"wifi": [{"ssid": "hall", "key": CANARIES["wifi"]}]}
    tree["meters"][2]["personal"] = True
    site = Site(7, tree)
    listener = Listener(site.broker)
    lines = []
    site.run(1_800_000, trouble=True)
    lines += site.app.log.lines()
    site.cut()
    site.run(1_800_000)
    lines += site.app.log.lines()
    flash = b"".join(bytes(data) for ground in site._grounds for data in ground.files.values())
    said = json.dumps(site.app.birth().decode() if isinstance(site.app.birth(), bytes) else "")
    return listener.heard, "\n".join(lines) + said + repr(site.app), flash


def leaks(text):
    data = text if isinstance(text, bytes) else text.encode()
    forms = {n: (v.encode(), bytes.fromhex(v) if n in ("key", "privacy") else b"\0" * 99)
             for n, v in CANARIES.items()}  # fmt: skip
    return sorted(name for name, both in forms.items() if any(form in data for form in both))


def test_no_secret_leaves_the_gateway():
    heard, said, flash = live()
    assert len(heard) > 5000 and b"eclor/1/gw/rec" in heard
    assert (leaks(heard), leaks(said), leaks(flash)) == ([], [], [])
    keyed, said, flash = live(key=CANARIES["key"])
    assert len(keyed) > 1000
    assert (leaks(keyed), leaks(said), leaks(flash)) == ([], [], [])


def test_a_leak_would_be_heard():
    for name, value in CANARIES.items():
        assert leaks(f"x{value}y") == [name]
    assert leaks(b"\1" + bytes.fromhex(CANARIES["key"])) == ["key"]
