"""What the README claims was printed by the command that it names, and by nothing else."""

import importlib
import json
import re
import subprocess
import sys

import pytest

from host_tools.compliance import results
from tests import claims, closing
from tests.claims import CLAIMS, README, ROOT, seen, table, written


def test_the_readme_says_what_was_seen():
    kept = results.read().get("claims", {})
    assert table(kept) in README.read_text(), "run `make claims` and commit"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.command)
def test_each_claim_names_a_target_that_exists(claim):
    target = claim.command.removeprefix("make ").split()[0]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


LINES = {
    "years": "years: 1,004 gateway-years in 9 s; 6,593 troubles, 3,556 starts; 387,684 answered ="
    " 377,911 stored + 145 superseded + 9,628 declared + 0 lost; doubled 0, altered 0; 10 days",
    "chaos": "chaos: 1,000 rounds, 8,426 records: lost 0, duplicated 0; nats, seed 7",
    "hour": "hour: 60 min, cuts of power 120, of the network 119, garbled lines 119; 4,000"
    " answered, lost 0, duplicated 0, altered 0; live heap 324,320 -> 324,416 bytes, newest"
    " reading 15.6 -> 10.9 s old, 0 grew",
    "powercut": "powercut: 21,868 cuts (4,285 at depth 2, 941 on MicroPython), 9 flipped bits and"
    " errors, in 60 s; acknowledged lost 0, ghosts 0, unmountable 0, undeclared gaps 0, open"
    " blocks wrong 0",
    "faults": "seeded faults: 41 of 41 found in 99 s",
    "mutants": "mutants: 901 of 994 killed (90.6%): codec 140/150, boot 320/344; all bars reached"
    " in 900 s",
    "coverage": "coverage: 97.1 % of 9,000 statements and 3,000 branches (agent 97.2, drivers"
    " 96.0); journal, boot, update: 15 of 15 modules whole; all bars reached",
    "soak": "soak: 10,000,000 appends on each of ring and files: longest free stretch 60,736 bytes"
    " of a 32-bit heap of 128 KB, 49,152 are wanted; 0 faults, 1524 s",
    "frozen": "frozen: 10,000 readings of Modbus and TIC under TLS on 32 bits, the firmware frozen"
    " in, mbedTLS in the heap: of 196,608 bytes 128,032 live, the longest free stretch is 62,288,"
    " 40,960 are wanted; 0 faults, 450 s",
    "forge": "forge: 20,000 tried (9 a, 8 b), 0 accepted",
    "fuzz": "fuzz: 110,000,000 bytes, 0 failures",
    "fuzz_network": "fuzz_network: 9,000,000 bytes, 0 failures",
    "compliance": "compliance: 70 provisions: 60 hold, 0 fail, 0 were not run, 10 are not the"
    " firmware's; 999 cases passed; build/x",
}


def test_a_claim_is_read_from_the_closing_lines(tmp_path):
    for name, line in LINES.items():
        closing.close(name, line, tmp_path)
    said = {c.promise: seen(c, tmp_path, tmp_path / "none") for c in CLAIMS if c.lines}
    assert None not in said.values()
    texts = " ".join(row["seen"] for row in said.values() if row)
    for part in (
        "1,004 gateway-years",
        "8,426 records: lost 0",
        "21,868 cuts",
        "41 of 41",
        "0 grew",
        "901 of 994 killed: codec 140/150, boot 320/344",
        "97.1 % (agent 97.2, drivers 96.0)",
    ):
        assert part in texts
    assert "110,000,000 bytes on lines, 9,000,000 from networks: 0 failures" in texts


@pytest.mark.parametrize("name", ["powercut", "years"])
def test_the_closing_line_of_a_proof_is_found_by_its_claim(name):
    total = importlib.import_module(f"tests.{name}").Total
    nothing = total.__new__(total)
    nothing.done = {}
    patterns = dict(pair for claim in CLAIMS for pair in claim.lines)
    assert re.search(patterns[name], nothing.line(1.0))


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_run_that_missed_its_bar_is_shown_as_that(name, tmp_path):
    for each, line in LINES.items():
        closing.close(each, line, tmp_path, held=each != name)
    claim = next(c for c in CLAIMS if name in dict(c.lines))
    row = seen(claim, tmp_path, tmp_path)
    assert row and row["seen"].startswith("**missed**: ")
    assert f"| **missed**: {row['seen'][12:]} |" in table({claim.promise: row})
    closing.close(name, LINES[name], tmp_path)
    assert seen(claim, tmp_path, tmp_path) == row | {"seen": row["seen"][12:]}


def test_the_closing_line_of_a_missed_bar_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(closing.close, "__defaults__", (tmp_path,))
    branches = importlib.import_module("tests.branches")
    monkeypatch.setattr(branches, "BUILD", tmp_path)
    monkeypatch.setattr(sys, "argv", ["branches", "--report"])
    said = {"num_statements": 9, "covered_lines": 4, "num_branches": 0, "covered_branches": 0}
    file = {"summary": said, "missing_lines": [5], "missing_branches": []}
    report = {"files": {f"{folder}/x.py": file for folder in branches.FOLDERS}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    assert branches.main() == 1
    kept = json.loads((tmp_path / "coverage.json").read_text())
    assert not kept["held"] and kept["line"].endswith("0 of 15 modules whole; bars missed")
    claim = next(c for c in CLAIMS if c.command == "make coverage")
    row = seen(claim, tmp_path, tmp_path)
    assert row and row["seen"].startswith("**missed**: 44.4 % (agent 44.4, ")


def test_figures_are_taken_from_the_bench(tmp_path):
    bench = tmp_path / "bench.json"
    row = {"name": "bytes on the wire per reading", "value": 5.9049, "unit": "bytes", "how": "x"}
    bench.write_text(json.dumps({"uplink": [row, row | {"name": "other"}]}))
    claim = next(c for c in CLAIMS if c.bench and c.bench[0][0] == "uplink")
    found = seen(claim, tmp_path, bench)
    assert found and found["seen"] == "bytes on the wire per reading: 5.905 bytes"
    assert seen(claim, tmp_path, tmp_path / "none") is None


def test_a_line_that_says_something_else_is_no_claim(tmp_path):
    closing.close("faults", "seeded faults: all fine", tmp_path)
    with pytest.raises(ValueError, match="is not as"):
        seen(next(c for c in CLAIMS if c.command == "make faults"), tmp_path, tmp_path)


def test_only_the_block_is_rewritten():
    block = claims.table({CLAIMS[0].promise: {"seen": "s", "date": "d"}})
    text = f"a\n{claims._BEGIN}old\n{claims._END}b\n"
    assert written(text, block) == f"a\n{block}b\n"
    with pytest.raises(ValueError, match="lacks"):
        written("a\nb\n", block)
