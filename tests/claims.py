"""`make claims`: the README's table of what holds, from what the proofs printed last.

A claim is a promise, the command that shows it, and how its figures are found in what that left: a
closing line in build/closing/, or figures of build/bench.json. A run that missed its bar is shown
as what it is. What was not run since stays as it was, with its date. Written are the table and
host_tools/compliance/results.json, for the page.
"""

import datetime
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from host_tools.compliance.results import RESULTS
from tests.closing import FOLDER

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BENCH = ROOT / "build" / "bench.json"
_BEGIN, _END = "<!-- claims: written by make claims -->\n", "<!-- end of claims -->\n"


class Claim(NamedTuple):
    """promise, command; then where its figures are.

    lines  (name of a proof, pattern with named groups) of which `words` makes a sentence
    bench  (room, beginning of a figure's name) shown as "name value unit"
    """

    promise: str
    command: str
    words: str = ""
    lines: tuple[tuple[str, str], ...] = ()
    bench: tuple[tuple[str, str], ...] = ()


CLAIMS = (
    Claim(
        "nothing lost, doubled or altered in years of power cuts, outages and damaged lines",
        "make years N=1000",
        "{years} gateway-years, {troubles} troubles, {starts} starts: lost {lost},"
        " doubled {doubled}, altered {altered}",
        (
            (
                "years",
                r"(?P<years>[\d,]+) gateway-years .*?(?P<troubles>[\d,]+) troubles,"
                r" (?P<starts>[\d,]+) starts.* (?P<lost>[\d,]+) lost;"
                r" doubled (?P<doubled>[\d,]+), altered (?P<altered>[\d,]*\d)",
            ),
        ),
    ),
    Claim(
        "the same against real brokers, with a network that cuts at any byte",
        "make chaos N=1000",
        "{rounds} rounds, {records} records: lost {lost}, duplicated {duplicated}",
        (
            (
                "chaos",
                r"(?P<rounds>[\d,]+) rounds, (?P<records>[\d,]+) records:"
                r" lost (?P<lost>\d+), duplicated (?P<duplicated>\d+)",
            ),
        ),
    ),
    Claim(
        "a whole site on the emulated board under power, network and line cuts: nothing grows",
        "make hour",
        "{words}: {answered} answered, lost {lost}, altered {altered}, live heap {heap} bytes,"
        " {growth} grew",
        (
            (
                "hour",
                r"hour: (?P<words>[^;]+); (?P<answered>[\d,]+) answered, lost (?P<lost>\d+),.*"
                r" altered (?P<altered>\d+); live heap (?P<heap>[\d,]+ -> [\d,]+) bytes,"
                r".* (?P<growth>\d+) grew",
            ),
        ),
    ),
    Claim(
        "every program and erase of the flash may be the last, twice in a row",
        "make powercut",
        "{cuts} cuts: acknowledged lost {lost}, unmountable {un}, undeclared gaps {gaps}",
        (
            (
                "powercut",
                r"(?P<cuts>[\d,]+) cuts .*lost (?P<lost>\d+), .*unmountable (?P<un>\d+),"
                r" undeclared gaps (?P<gaps>\d+)",
            ),
        ),
    ),
    Claim(
        "Modbus, TIC and TLS in 192 KB of a 32-bit heap, the firmware frozen into the image",
        "make frozen TREE=...",
        "{readings} readings, mbedTLS in the heap: longest free stretch {longest} bytes",
        (
            (
                "frozen",
                r"frozen: (?P<readings>[\d,]+) readings .* free stretch is (?P<longest>[\d,]+),"
                r".* 0 faults",
            ),
        ),
    ),
    Claim(
        "ten million appends and trims leave the heap of the journal whole",
        "make soak N=10000000",
        "{appends} appends on each of {grounds}: longest free stretch {longest} bytes",
        (
            (
                "soak",
                r"soak: (?P<appends>[\d,]+) appends on each of (?P<grounds>[^:]+): .* stretch"
                r" (?P<longest>[\d,]+) bytes.*; 0 faults",
            ),
        ),
    ),
    Claim(
        "power cuts and field simulator find what is seeded into the sources",
        "make faults",
        "{found} of {all} found",
        (("faults", r"(?P<found>\d+) of (?P<all>\d+) found"),),
    ),
    Claim(
        "tests that see nine in ten small changes of codec, journal, bus, uplink, boot and update",
        "make mutants",
        "{killed} of {tried} killed: {each}",
        (
            (
                "mutants",
                r"mutants: (?P<killed>[\d,]+) of (?P<tried>[\d,]+) killed \([\d.]+%\):"
                r" (?P<each>[^;]+);",
            ),
        ),
    ),
    Claim(
        "every branch of journal, boot and update is tested, and 95 % of the device's code",
        "make coverage",
        "{percent} % ({each})",
        (
            (
                "coverage",
                r"coverage: (?P<percent>[\d.]+) % of .* branches \((?P<each>[^)]+)\);",
            ),
        ),
    ),
    Claim(
        "no forged, changed or older firmware and command is taken",
        "make forge N=1000000",
        "{tried} tried, {accepted} accepted",
        (("forge", r"(?P<tried>[\d,]+) tried .*, (?P<accepted>\d+) accepted"),),
    ),
    Claim(
        "nonsense on any line or from any network is refused, and costs no neighbour",
        "make fuzz BYTES=10000000",
        "{bytes} bytes on lines, {network} from networks: {failures} failures",
        (
            ("fuzz", r"(?P<bytes>[\d,]+) bytes, (?P<failures>\d+) failures"),
            ("fuzz_network", r"(?P<network>[\d,]+) bytes, \d+ failures"),
        ),
    ),
    Claim(
        "bytes, against pcodec's best",
        "make bench",
        bench=(("codec", "ours / pcodec, 60 rows"), ("codec", "ours / pcodec, 240 rows")),
    ),
    Claim(
        "bytes on the wire per reading, everything counted",
        "make bench",
        bench=(("uplink", "bytes on the wire per reading"),),
    ),
    Claim("time without a network", "make bench", bench=(("journal", "autonomy in 1 MB"),)),
    Claim(
        "provisions of EN 303 645, EN 18031, the Cyber Resilience Act and the GDPR",
        "make compliance",
        "{hold} hold, {fail} fail, {beyond} are not the firmware's",
        (
            (
                "compliance",
                r"(?P<hold>\d+) hold, (?P<fail>\d+) fail, .* (?P<beyond>\d+) are not",
            ),
        ),
    ),
)


def seen(claim: Claim, closing: Path, bench: Path) -> dict[str, str] | None:
    """Return {"seen", "date"} of a claim from what was left, or None when nothing was."""
    if claim.lines:
        values: dict[str, str] = {}
        date = ""
        held = True
        for name, pattern in claim.lines:
            path = closing / f"{name}.json"
            if not path.exists():
                return None
            kept = json.loads(path.read_text())
            match = re.search(pattern, kept["line"])
            if not match:
                raise ValueError(f"{path}: {kept['line']!r} is not as {pattern!r}")
            values |= match.groupdict()
            date = max(date, kept["date"])
            held = held and kept.get("held", True)  # of old: its figures said so
        words = claim.words.format(**values)
        return {"seen": words if held else f"**missed**: {words}", "date": date}
    if not bench.exists():
        return None
    rooms = json.loads(bench.read_text())
    found = [
        f"{figure['name']}: {figure['value']:.4g} {figure['unit']}".rstrip()
        for room, begin in claim.bench
        for figure in rooms.get(room, ())
        if figure["name"].startswith(begin)
    ]
    day = datetime.datetime.fromtimestamp(bench.stat().st_mtime, datetime.UTC).date().isoformat()
    return {"seen": "; ".join(found), "date": day} if found else None


def table(kept: dict[str, dict[str, str]]) -> str:
    """Return the README's block; a claim that was never seen is not made."""
    rows = ["| promise | seen | on | command |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {claim.promise} | {kept[claim.promise]['seen']} | {kept[claim.promise]['date']} |"
        f" `{claim.command}` |"
        for claim in CLAIMS
        if claim.promise in kept
    ]
    return _BEGIN + "\n".join(rows) + "\n" + _END


def written(text: str, block: str) -> str:
    """Return the README with this block in the place of the old one."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"README.md lacks {_BEGIN.strip()} .. {_END.strip()}")
    return before + block + after


def main() -> int:
    """Take over what was left, rewrite table and results."""
    results: dict[str, Any] = json.loads(RESULTS.read_text())
    promises = {claim.promise for claim in CLAIMS}
    kept = {name: row for name, row in results.get("claims", {}).items() if name in promises}
    for claim in CLAIMS:
        found = seen(claim, FOLDER, BENCH)
        if found:
            kept[claim.promise] = found | {"command": claim.command}
    results["claims"] = kept
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    README.write_text(written(README.read_text(), table(kept)))
    missing = sorted(promises - kept.keys())
    print(f"claims: {len(kept)} of {len(CLAIMS)} are seen; never: {', '.join(missing) or 'none'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
