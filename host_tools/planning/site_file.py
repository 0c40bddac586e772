"""A technician's site.yaml: read it with its positions, and say every problem at once.

The rules are the device's own (agent/config.py); what only this computer can know is added: which
boards, UARTs, maps and points there are, and what was meant. Not here: words for people about
what a field is for (site_words.py).

    site = read_site(Path("site.yaml"))          # a Problem when it is no YAML
    for finding in site.findings: print(finding)
    site.gateways[0].tree                        # as the device validates it, secrets in it
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from agent.config import validate
from agent.settings import SECRETS
from host_tools.planning import promise
from host_tools.planning.site_rules import rules
from host_tools.problems import INPUT, Problem, did_you_mean

_TOP = ("site", "simulation", "gateways")
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Finding:
    """One thing wrong, or worth a look. Lines and columns count from 1, as editors do."""

    file: str
    line: int
    column: int
    path: str  # gateways[0].ports[1].baud
    value: str  # as written; "" when nothing is
    rule: str  # what it breaks
    remedy: str
    is_wrong: bool = True  # False: it works, but a person should look at it

    def __str__(self) -> str:
        """Return it as compilers write it."""
        kind = "error" if self.is_wrong else "note"
        return f"{self.file}:{self.line}:{self.column}: {kind}: {self.path}: {self.rule}"


@dataclass(frozen=True)
class Gateway:
    """One gateway of a site: the tree its device reads, complete with defaults, and its words."""

    name: str
    tree: dict[str, Any]
    config: dict[str, Any]
    leaves: tuple[str, ...] = ()  # what leaves the device, in words


@dataclass
class Site:
    """A site file as read."""

    path: Path
    name: str = ""
    gateways: list[Gateway] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong; notes do not count."""
        return not any(finding.is_wrong for finding in self.findings)

    def require_good(self, code: int, later: Sequence[str] = ()) -> None:
        """Raise a Problem with that exit code when something is wrong; it names the first.

        later: texts of rules that need not hold yet.
        """
        for finding in self.findings:
            if finding.is_wrong and not any(rule in finding.rule for rule in later):
                raise Problem(
                    f"{self.path} has problems, the first: {finding.path}: {finding.rule}",
                    f"eclor check {self.path}",
                    code=code,
                )


def read_site(path: Path) -> Site:
    """Read and check a site file. A Problem when there is none; all else is in its findings."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise Problem(
            "the file is not UTF-8", "save it as UTF-8", code=INPUT, where=f"{path}:{line}"
        ) from None
    except OSError as error:
        raise Problem(
            f"{path}: {error.strerror}",
            "give the path of a site file; eclor site new writes one",
            code=INPUT,
        ) from None
    return _Reader(path, text).read()


class _Reader:
    """Reads one file."""

    def __init__(self, path: Path, text: str) -> None:
        self._site = Site(path)
        self._text = text
        self._root: Any = None

    def read(self) -> Site:
        try:
            self._root = YAML().load(self._text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = (mark.line, mark.column) if mark else (0, 0)
            what = (error.problem or "this is no YAML").split(" with value")[0]
            remedy = "give the key once" if "duplicate" in what else "mind brackets and indents"
            self._add("", what, remedy, at=at)
            return self._site
        except YAMLError as error:
            self._add("", str(error), "mind brackets and indents", at=(0, 0))
            return self._site
        if not isinstance(self._root, dict):
            self._add("", "this is no site file: it holds no `site:` and `gateways:`", _NEW)
            return self._site
        self._top()
        gateways = self._root.get("gateways")
        if not isinstance(gateways, list) or not gateways:
            self._add("gateways", "is required: a list of one gateway or more", _NEW)
            return self._site
        names: dict[object, int] = {}
        for i, tree in enumerate(gateways):
            if not isinstance(tree, dict):
                self._add(f"gateways[{i}]", "is not a mapping of keys to values", _NEW)
                continue
            self._gateway(i, tree)
            name = tree.get("name")
            if name in names:
                self._add(f"gateways[{i}].name", f"{name} is there twice", "give it its own name")
            names[name] = i
        self._site.findings.sort(key=lambda f: (f.line, f.column, f.path))
        return self._site

    def _top(self) -> None:
        for key in self._root:
            if key not in _TOP:
                self._add(
                    str(key),
                    f"is not a key here; known: {', '.join(_TOP)}",
                    _meant(str(key), _TOP) or "a gateway's settings belong under gateways:",
                )
        name = self._root.get("site")
        if not isinstance(name, str) or not name:
            self._add("site", "is required: a text", "name the place, as site: town-hall")
        else:
            self._site.name = name

    def _gateway(self, index: int, written: Any) -> None:
        where = f"gateways[{index}]."
        tree = _plain(written)
        if "gateway" in tree or "site" in tree:
            key = "gateway" if "gateway" in tree else "site"
            self._add(where + key, "is not a key here", "write name: for the gateway's name")
        tree["gateway"] = tree.pop("name", None)
        tree["site"] = self._site.name
        if tree["gateway"] is None:
            del tree["gateway"]
        config, problems = validate(tree)
        for problem in problems:
            path, _, rule = problem.partition(": ")
            path = re.sub(r"^gateway\b", "name", path)
            if not rule:
                path, rule = "", problem
            self._add(where + path, *self._reworded(where + path, rule))
        told: set[tuple[str, str]] = set()
        wrong = {problem.partition(": ")[0] for problem in problems}
        for note in rules(config, self._site.path.parent):
            if note.path not in wrong and (note.path, note.rule) not in told:
                told.add((note.path, note.rule))
                self._add(where + note.path, note.rule, note.remedy, is_wrong=note.is_wrong)
        leaves: tuple[str, ...] = ()
        if not problems:
            leaves = tuple(promise.words(config))
        self._site.gateways.append(Gateway(str(tree.get("gateway", "")), tree, config, leaves))

    def _reworded(self, path: str, rule: str) -> tuple[str, str]:
        """Return (rule, remedy) of one of the device's problems, without repeating the value."""
        value = self._value(path)
        for shown in (repr(value), str(value), "the value"):
            if rule.startswith(shown + " "):
                rule = rule[len(shown) + 1 :]
                break
        key = path.rpartition(".")[2]
        if rule.startswith("is not a key here; known: "):
            known = rule.partition("known: ")[2].split(", ")
            if "gateway" in known:  # the device's word for what the file calls name
                known = ["name", *(k for k in known if k not in ("gateway", "site"))]
                rule = "is not a key here; known: " + ", ".join(known)
            return rule, _meant(key, known) or "remove it"
        if rule.startswith(("is not one of ", "no port is named ")):
            known = re.split(r", |; there are ", rule.partition("is not one of ")[2] or rule)
            return rule, _meant(str(value), known) or "choose one of them"
        if rule == "is required":
            return rule, f"add {key}:"
        if rule.startswith("is not within "):
            low, _, high = rule.removeprefix("is not within ").partition(" .. ")
            nearest = min((int(low), int(high)), key=lambda limit: abs(limit - int(value)))
            if nearest == int(low):
                return rule, f"write {nearest} or more"
            return rule, f"write {nearest} or less"
        if rule == "is not a text":
            return rule, f'put it in quotes: "{_shown(path, value)}"'
        if rule == "is not a whole number":
            return rule, "write digits alone"
        if rule == "is not true or false":
            return rule, "write true or false"
        if "is there twice" in rule:
            return "is there twice", "give it its own name"
        return rule, _REMEDIES.get(key, "")

    def _add(
        self,
        path: str,
        rule: str,
        remedy: str = "",
        *,
        at: tuple[int, int] | None = None,
        is_wrong: bool = True,
    ) -> None:
        path = path.rstrip(".")
        value, found = self._value(path), at or self._position(path)
        self._site.findings.append(
            Finding(
                str(self._site.path),
                found[0] + 1,
                found[1] + 1,
                path,
                "" if at else _shown(path, value),
                rule,
                remedy,
                is_wrong,
            )
        )

    def _value(self, path: str) -> Any:
        """Return what stands at the path; None when nothing does."""
        node = self._root
        for part in _parts(path):
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def _position(self, path: str) -> tuple[int, int]:
        """Return (line, column) from 0 of the value, or of the nearest thing around it."""
        node, at = self._root, (0, 0)
        for part in _parts(path):
            try:
                if isinstance(part, int):
                    at = node.lc.item(part)
                else:
                    # A value that is no collection begins behind its key; a collection, or none,
                    # is shown at the key.
                    inner = node[part]
                    is_scalar = inner is not None and not isinstance(inner, (dict, list))
                    at = node.lc.value(part) if is_scalar else node.lc.key(part)
                node = node[part]
            except (KeyError, IndexError, TypeError, AttributeError):
                break
        return at


_NEW = "eclor site new writes one that explains itself"
_REMEDIES = {
    "ca": "put the broker's authority on the board as DER, name it here",
    "cert": "give both, or neither",
    "key": "eclor keys makes one: 64 hexadecimal digits; for WiFi 8 to 63 characters",
    "personal": "give privacy.key, or personal: false where no household is behind the meter",
    "resolution": 'write a decimal in the point\'s unit, in quotes: resolution: "0.5"',
    "deadband": 'write a decimal in the point\'s unit, in quotes: deadband: "0.5"',
    "silence_s": "write several intervals: within them a value may be repeated",
    "until": "write it as 2027-03-31",
    "ssid": "write the network's name as the router shows it",
    "uart": "eclor boards shows the UARTs of each board",
    "pins": "eclor boards shows the inputs of each board",
    "host": "write the meter's address on the network, as host: 192.168.1.20",
    "port": "a pulse or contact needs a port of kind pins, every other meter one of kind uart; "
    "Modbus goes on tcp too",
}


def _meant(word: str, known: Any) -> str:
    near = did_you_mean(word, known)
    if near:
        return near
    if re.fullmatch(r"-?\d+", word):
        numbers = [int(k) for k in map(str, known) if re.fullmatch(r"-?\d+", k)]
        if numbers:
            return f"did you mean {min(numbers, key=lambda n: abs(n - int(word)))}?"
    return ""


def _parts(path: str) -> Iterator[str | int]:
    for match in _PART.finditer(path):
        yield int(match[2]) if match[2] else match[1]


def _shown(path: str, value: Any) -> str:
    if value is None or isinstance(value, (dict, list)):
        return ""
    if path.rpartition(".")[2] in SECRETS:
        return _HIDDEN
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(node: Any) -> Any:
    """Return dicts, lists and plain values, as JSON on the device would give."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)  # a date: YAML makes one of 2027-03-31
