"""The site as an SVG: meters on their lines, gateway, broker, collector, each in its state.

Not interactive. Two shapes of one picture: lying for a wide window, upright for a phone; the
page's style sheet shows one. Colour never says anything alone: the state is written too.

    lying(view.meters, "gw-a", figures, words, ("meter that gaps",))
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from host_tools.page.view import Figures, MeterView
from host_tools.page.words import LiveWords

GOOD, FAULT, UNKNOWN = "good", "fault", "unknown"
_NAME_MAX = 20
_STATE_MAX = 27

# Drawn in a field of 24 by 24, strokes only.
_ICONS = {
    "modbus": "M4 4h16v16H4zM8 15l3-5 2 3 3-5",
    "tic": "M13 3 5 14h6l-1 7 8-11h-6z",
    "level": "M5 7h14l-1.5 13h-11zM3 7h18M9 4h6M8 13h8",
    "gateway": "M4 8h16v9H4zM8 8V4M16 8V4M8 17v3M12 17v3M16 17v3M8 12h3",
    "broker": "M4 12a5 5 0 0 1 5-5 5.5 5.5 0 0 1 10 3 4 4 0 0 1-1 8H8a4 4 0 0 1-4-6z",
    "collector": "M5 6c0-3 14-3 14 0v12c0 3-14 3-14 0zM5 6c0 3 14 3 14 0M5 12c0 3 14 3 14 0",
}


@dataclass(frozen=True)
class Node:
    """One box of the picture."""

    title: str
    state: str
    words: str
    icon: str


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def chain(gateway: str, figures: Figures, say: LiveWords) -> list[Node]:
    """Return gateway, broker and collector with what is true of them."""
    nodes = []
    for part in ("gateway", "broker", "collector"):
        found = figures.parts.get(part)
        title = gateway if part == "gateway" else say(part)
        if part == "gateway" and figures.power == "cut":
            nodes.append(Node(title, FAULT, say("power_cut"), part))
        elif found is None:
            nodes.append(Node(title, UNKNOWN, say("unknown"), part))
        elif found == "up":
            nodes.append(Node(title, GOOD, say("up"), part))
        else:
            nodes.append(Node(title, FAULT, found, part))
    return nodes


def sources(
    meters: Sequence[MeterView], gaps: Collection[str], figures: Figures, say: LiveWords
) -> list[Node]:
    """Return the meters; one whose newest reading is a gap, or none came yet, says so."""
    nodes = []
    for meter in meters:
        icon = meter.protocol if meter.protocol in _ICONS else "modbus"
        if figures.line == "garbled":
            state = FAULT
        else:
            state = UNKNOWN if meter.name in gaps else GOOD
        nodes.append(Node(meter.name, state, f"{meter.protocol}, {meter.line}", icon))
    return nodes


def _box(x: float, y: float, width: float, node: Node) -> str:
    title, words = escape(_short(node.title, _NAME_MAX)), escape(_short(node.words, _STATE_MAX))
    return (
        f'<g class="node {node.state}" transform="translate({x} {y})">'
        f"<title>{escape(node.title)}: {escape(node.words)}</title>"
        f'<rect class="box" width="{width}" height="56" rx="12"/>'
        f'<g class="icon" transform="translate(14 16)"><path d="{_ICONS[node.icon]}"/></g>'
        f'<text class="name" x="50" y="25">{title}</text>'
        f'<text class="words" x="50" y="43">{words}</text>'
        f'<circle class="dot" cx="{width - 15}" cy="15" r="4.5"/></g>'
    )


def _wire(path: str, state: str) -> str:
    moving = f'<path class="flow" d="{path}"/>' if state == GOOD else ""
    return f'<g class="wire {state}"><path d="{path}"/>{moving}</g>'


def _svg(kind: str, width: float, height: float, body: list[str], say: LiveWords) -> str:
    return (
        f'<svg class="site {kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(say("picture"))}">{"".join(body)}</svg>'
    )


def _links(figures: Figures) -> tuple[str, str, str]:
    """Return the states of the wires: into the gateway, to the broker, to the collector."""
    up = {part: figures.parts.get(part) == "up" for part in ("gateway", "broker", "collector")}
    powered = figures.power != "cut" and up["gateway"]
    line = FAULT if figures.line == "garbled" else GOOD if powered else UNKNOWN
    cut = figures.network == "cut"
    network = FAULT if cut else GOOD if powered and up["broker"] else UNKNOWN
    return line, network, GOOD if up["broker"] and up["collector"] else UNKNOWN


def lying(
    meters: Sequence[MeterView],
    gateway: str,
    figures: Figures,
    say: LiveWords,
    gaps: Collection[str] = (),
) -> str:
    """Return the picture for a wide window: meters left, collector right."""
    left, right = sources(meters, gaps, figures, say), chain(gateway, figures, say)
    height = max(len(left), 2) * 72
    middle = height / 2
    line, network, storage = _links(figures)
    body = []
    for index in range(len(left)):
        y = (height - len(left) * 72) / 2 + index * 72 + 36
        body.append(_wire(f"M250 {y}C305 {y} 285 {middle} 340 {middle}", line))
    body.append(_wire(f"M550 {middle}H620", network))
    body.append(_wire(f"M820 {middle}H890", storage))
    if network == FAULT:
        body.append(_break(585, middle))
    for index, node in enumerate(left):
        body.append(_box(8, (height - len(left) * 72) / 2 + index * 72 + 8, 242, node))
    for x, node in zip((340, 620, 890), right, strict=True):
        body.append(_box(x, middle - 28, 210 if x == 340 else 200, node))
    return _svg("lying", 1098, height, body, say)


def upright(
    meters: Sequence[MeterView],
    gateway: str,
    figures: Figures,
    say: LiveWords,
    gaps: Collection[str] = (),
) -> str:
    """Return the picture for a phone: meters on top, collector at the bottom."""
    left, right = sources(meters, gaps, figures, say), chain(gateway, figures, say)
    line, network, storage = _links(figures)
    body = []
    top = len(left) * 66
    for index in range(len(left)):
        y = index * 66 + 32
        body.append(_wire(f"M40 {y}H18V{top + 44}H44", line))
    for index, state in enumerate((network, storage)):
        y = top + 72 + index * 88
        body.append(_wire(f"M170 {y}V{y + 32}", state))
        if state == FAULT:
            body.append(_break(170, y + 16))
    for index, node in enumerate(left):
        body.append(_box(40, index * 66 + 4, 272, node))
    for index, node in enumerate(right):
        body.append(_box(44, top + 16 + index * 88, 264, node))
    return _svg("upright", 320, top + 256, body, say)


def _break(x: float, y: float) -> str:
    return f'<path class="break" d="M{x - 7} {y - 7}l14 14M{x + 7} {y - 7}l-14 14"/>'
