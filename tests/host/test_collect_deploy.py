"""The deployment's files: their form, and that what they call exists as they call it."""

import configparser
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from host_tools.collect.rules import read_rules
from host_tools.commands import collect as collect_command
from host_tools.commands import pages as pages_command
from host_tools.processes.broker import program
from host_tools.trust.permissions import nats_users

FOLDER = Path(__file__).parents[2] / "host_tools" / "collect" / "deploy"
COMMANDS = {"collect": collect_command, "pages": pages_command}


def parsed(words):
    """Check that `eclor VERB ...` would be understood, without running it."""
    import typer

    app = typer.Typer()
    app.command()(COMMANDS[words[0]].command)
    get_command(app).make_context("eclor", list(words[1:]))


@pytest.fixture(scope="module")
def compose():
    return YAML(typ="safe").load(FOLDER / "compose.yaml")


def test_the_compose_file_names_only_what_there_is(compose):
    services = compose["services"]
    for name, service in services.items():
        assert service["image"], name
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not source.startswith("./"):
                assert source in compose["volumes"], (name, source)
            elif source not in ("./pki", "./users.json", "./gateways.conf"):
                assert (FOLDER / source).exists(), (name, source)
    assert services["pages"]["ports"] == ["127.0.0.1:8081:8081"]
    assert (FOLDER.parents[2] / services["pages"]["build"]["dockerfile"]).exists()


def test_its_commands_are_understood(compose):
    for name in ("collector1", "collector2", "collector3", "pages"):
        words = compose["services"][name]["command"]
        assert words[0] == "eclor"
        parsed(words[1:])


@pytest.mark.parametrize("name", ["eclor-collect@.service", "eclor-pages.service"])
def test_a_unit_has_its_sections_and_a_command_that_is_understood(name):
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((FOLDER / name).read_text().replace("\\\n", " "))
    assert unit.sections() == ["Unit", "Service", "Install"]
    words = shlex.split(unit["Service"]["ExecStart"])
    assert words[0].startswith("/")
    assert words[0].endswith("/eclor")
    parsed(words[1:])
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["User"] != "root"


def test_the_rules_are_rules():
    assert len(read_rules(FOLDER / "rules.yaml").alarms) == 4


def test_the_brokers_file_is_understood_by_the_broker(tmp_path):
    text = (FOLDER / "nats.conf").read_text().replace("$NAME", "n1")
    # The certificates are the deployment's own.
    text = re.sub(r"  tls \{.*?\n  \}\n", "", text, flags=re.DOTALL)
    path = tmp_path / "nats.conf"
    path.write_text(text)
    (tmp_path / "gateways.conf").write_text(nats_users(["gw-ecole"]))
    done = subprocess.run(
        [program("nats-server"), "-t", "-c", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ECLOR_NATS_PASSWORD": "word"},
    )
    assert done.returncode == 0, done.stderr
    assert "verify_and_map: true" in (FOLDER / "nats.conf").read_text()
