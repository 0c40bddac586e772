"""The rules file of a collector: what is kept how long, what is an alarm, who is told.

Not the work (retention.py, alarms.py, delivery.py). Every problem is reported with its line.

    keep:                       # the first line that matches a meter counts
      - {meters: "*/water*", raw_days: 30, summary_days: 400}
      - {meters: "*", raw_days: 1200, summary_days: 0}      # 0: for ever
    alarms:
      - {name: silent, kind: silent, after_h: 2}
      - {name: leak, kind: leak, meters: "*/water*", point: volume, hours: 24, at_least: "0.001"}
    tell:
      - {webhook: "https://example.org/hook", names: "*"}
      - {mail_to: "agent@mairie.example", mail_from: "eclor@mairie.example", language: fr}

    outputs:
      - {name: grafana, kind: influx, url: "http://127.0.0.1:8086/write?db=eclor"}
    places:
      - {meters: "gw-tilleuls/glass*", longitude: 2.3522, latitude: 48.8566}

    rules = read_rules(Path("rules.yaml"))
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from host_tools.problems import INPUT, Problem

KINDS = ("silent", "stuck", "leak", "full", "tamper")


@dataclass(frozen=True)
class Keep:
    """How long readings and summaries of meters are kept, in days; 0: for ever."""

    meters: str
    raw_days: int = 0
    summary_days: int = 0


@dataclass(frozen=True)
class Alarm:
    """One rule. meters: a pattern of gateway/meter; what else counts depends on the kind.

    silent  nothing of the gateway for after_h hours
    stuck   a meter's point (a pattern) did not change for `hours` while it was read
    leak    a counter rose by at_least or more in each of the last `hours` hours
    full    a gauge's newest value is at_least or more (below: at most, for a free height)
    tamper  an event of the gateway whose name matches `point`
    """

    name: str
    kind: str
    meters: str = "*"
    point: str = "*"
    hours: int = 24
    after_h: int = 2
    at_least: Decimal = Decimal(0)
    below: bool = False


@dataclass(frozen=True)
class Tell:
    """Who is told of the alarms whose names match: a webhook, or mail addresses."""

    names: str = "*"
    webhook: str = ""
    mail_to: str = ""
    mail_from: str = ""
    server: str = "127.0.0.1:25"
    language: str = "en"


@dataclass(frozen=True)
class OutputRule:
    """What another platform gets (outputs/).

    kind       influx (url: write address), ngsi (url: context broker) or senml (url:
               mqtt://HOST:PORT/TOPIC)
    token_env  name of the environment's variable that holds the token
    personal   whether readings of personal meters may leave
    """

    name: str
    kind: str
    url: str
    token_env: str = ""
    tenant: str = ""
    personal: bool = False


@dataclass(frozen=True)
class Place:
    """Where meters (a pattern) or a gateway are, degrees of WGS 84."""

    meters: str
    longitude: Decimal
    latitude: Decimal


@dataclass(frozen=True)
class Rules:
    """A whole file."""

    keep: tuple[Keep, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    tell: tuple[Tell, ...] = field(default=())
    outputs: tuple[OutputRule, ...] = ()
    places: tuple[Place, ...] = ()

    def place_of(self, gateway: str, meter: str) -> tuple[float, float] | None:
        """Return (longitude, latitude) of a meter by the first line that matches it."""
        for place in self.places:
            if matches(place.meters, gateway, meter):
                return float(place.longitude), float(place.latitude)
        return None


def matches(pattern: str, gateway: str, meter: str) -> bool:
    """Whether a pattern of gateway/meter (or of either alone) means this meter."""
    if "/" in pattern:
        return fnmatchcase(f"{gateway}/{meter}", pattern)
    return pattern == "*" or fnmatchcase(meter, pattern) or fnmatchcase(gateway, pattern)


def read_rules(path: Path) -> Rules:
    """Read and check a rules file; one Problem with every mistake in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Problem(
            "the file is not UTF-8", "save it as UTF-8", code=INPUT, where=str(path)
        ) from None
    except OSError as error:
        remedy = "give the path of a rules file"
        raise Problem(f"{path}: {error.strerror}", remedy, code=INPUT) from None
    return parse_rules(text, str(path))


_Row = TypeVar("_Row", Keep, Alarm, Tell, OutputRule, Place)
_SECTIONS = ("keep", "alarms", "tell", "outputs", "places")


def parse_rules(text: str, name: str = "rules") -> Rules:
    """Check the text of a rules file; a Problem lists every mistake with its line."""
    try:
        tree: Any = YAML(typ="rt").load(StringIO(text))
    except YAMLError as error:
        raise Problem(f"{name} is no YAML: {error}", "mend the line named", code=INPUT) from None
    mistakes: list[str] = []
    if tree is None:
        return Rules()
    if not hasattr(tree, "lc") or not hasattr(tree, "get"):
        raise Problem(
            f"{name}: sections like keep and alarms are expected",
            "host_tools/collect/deploy/rules.yaml shows some",
            code=INPUT,
        )
    for key in tree:
        if key not in _SECTIONS:
            line = tree.lc.key(key)[0] + 1
            mistakes.append(f"{name}:{line}: {key} is no section; {', '.join(_SECTIONS)} are")

    def section(key: str, kind: type[_Row], check: Callable[[_Row], str]) -> tuple[_Row, ...]:
        rows = []
        for index, found in enumerate(tree.get(key) or []):
            at = f"{name}:{tree[key].lc.item(index)[0] + 1}"
            row = _row(found, kind, at, mistakes)
            if row is not None:
                wrong = check(row)
                if wrong:
                    mistakes.append(f"{at}: {wrong}")
                rows.append(row)
        return tuple(rows)

    rules = Rules(
        section("keep", Keep, _check_keep),
        section("alarms", Alarm, _check_alarm),
        section("tell", Tell, _check_tell),
        section("outputs", OutputRule, _check_output),
        section("places", Place, _check_place),
    )
    names = [row.name for row in rules.alarms] + [row.name for row in rules.outputs]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        mistakes.append(f"{name}: the name {twice!r} twice")
    if mistakes:
        raise Problem("\n".join(mistakes), "mend these lines", code=INPUT)
    return rules


def _row(found: Any, kind: type[_Row], at: str, mistakes: list[str]) -> _Row | None:
    if not isinstance(found, dict):
        mistakes.append(f"{at}: members like {{meters: ...}} are expected")
        return None
    values: dict[str, Any] = {}
    known = {member.name: member.type for member in fields(kind)}
    before = len(mistakes)
    for key, value in found.items():
        wanted = known.get(key)
        if wanted is None:
            mistakes.append(f"{at}: {key} is not known; {', '.join(known)} are")
        elif wanted is Decimal:
            try:
                values[key] = Decimal(str(value))
            except InvalidOperation:
                mistakes.append(f"{at}: {key}: {value!r} is no number")
        elif isinstance(value, bool) != (wanted is bool) or not isinstance(value, wanted):  # type: ignore[arg-type]
            mistakes.append(f"{at}: {key}: {value!r}, {wanted.__name__} is expected")  # type: ignore[union-attr]
        else:
            # The reader's own kinds of int and str remember how they were written.
            values[key] = wanted(value)  # type: ignore[operator]
    if len(mistakes) > before:
        return None
    try:
        return kind(**values)
    except TypeError as error:
        mistakes.append(f"{at}: {str(error).removeprefix(kind.__name__ + '.__init__() ')}")
        return None


def _check_keep(row: Keep) -> str:
    if row.raw_days < 0 or row.summary_days < 0:
        return "days count from 0, which means for ever"
    if row.summary_days and (not row.raw_days or row.summary_days < row.raw_days):
        return "summaries are kept at least as long as the readings"
    return ""


def _check_alarm(row: Alarm) -> str:
    if row.kind not in KINDS:
        return f"kind {row.kind!r} is none of {', '.join(KINDS)}"
    if not 1 <= row.hours <= 24 * 366 or not 1 <= row.after_h <= 24 * 366:
        return "hours are 1 .. 8784"
    return ""


def _check_tell(row: Tell) -> str:
    if bool(row.webhook) == bool(row.mail_to):
        return "either webhook or mail_to is expected"
    if row.webhook and not row.webhook.startswith(("http://", "https://")):
        return f"webhook {row.webhook!r} is no http address"
    if row.mail_to and not row.mail_from:
        return "mail_from is missing"
    return "" if row.language in ("en", "fr") else "language is en or fr"


def _check_output(row: OutputRule) -> str:
    schemes = {"influx": ("http://", "https://"), "senml": ("mqtt://",)}
    schemes["ngsi"] = schemes["influx"]
    if row.kind not in schemes:
        return f"kind {row.kind!r} is none of influx, ngsi, senml"
    if not row.url.startswith(schemes[row.kind]):
        return f"url {row.url!r} does not begin with {' or '.join(schemes[row.kind])}"
    return ""


def _check_place(row: Place) -> str:
    if abs(row.longitude) > 180 or abs(row.latitude) > 90:
        return "longitude is -180 .. 180, latitude -90 .. 90"
    return ""
