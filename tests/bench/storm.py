"""1,000 gateways after a broker restart, with jitter and without, in virtual time; and a picture.

The broker is away for 20 s, then makes 50 TLS handshakes a second; 128 more may wait, whoever
comes then is refused. The waits are agent/backoff.py's own; without jitter they are its limits.

    with_jitter = run(True); picture([run(False), with_jitter], Path("build/uplink-storm.svg"))
"""

import heapq
import random
from dataclasses import dataclass, field
from pathlib import Path

from agent.backoff import Backoff

GATEWAYS = 1000
_AWAY_MS = 20_000
_EACH_MS = 20  # one handshake
_QUEUE = 128


@dataclass
class Storm:
    """attempts: per second since the broker went; online_s: when the last gateway was back."""

    jitter: bool
    attempts: list[int] = field(default_factory=list)
    online_s: float = 0.0
    refused: int = 0

    @property
    def peak(self) -> int:
        """The most attempts in one second once the broker is back."""
        return max(self.attempts[_AWAY_MS // 1000 :])


def run(jitter: bool, seed: int = 1) -> Storm:
    """Let all sessions end at 0 and see how they come back."""
    rng = random.Random(seed)
    storm = Storm(jitter)
    waits = [Backoff(rng.randrange if jitter else lambda n: n - 1) for _ in range(GATEWAYS)]
    due = [(wait.wait_ms(), number) for number, wait in enumerate(waits)]
    heapq.heapify(due)
    free_ms = _AWAY_MS  # when the broker has made all handshakes that wait
    while due:
        now_ms, number = heapq.heappop(due)
        second = now_ms // 1000
        storm.attempts += [0] * (second + 1 - len(storm.attempts))
        storm.attempts[second] += 1
        if now_ms < _AWAY_MS or free_ms - now_ms > _QUEUE * _EACH_MS:
            storm.refused += now_ms >= _AWAY_MS
            heapq.heappush(due, (now_ms + 1 + waits[number].wait_ms(), number))
            continue
        free_ms = max(free_ms, now_ms) + _EACH_MS
        storm.online_s = max(storm.online_s, free_ms / 1000)
    return storm


def picture(storms: list[Storm], path: Path) -> None:
    """Draw attempts per second of each storm, one below the other, to one scale."""
    seconds = max(len(storm.attempts) for storm in storms)
    top = max(max(storm.attempts) for storm in storms)
    width, height, left, gap = 760, 150, 50, 60
    scale = width / max(1, seconds)
    parts = []
    for row, storm in enumerate(storms):
        base = (row + 1) * (height + gap) - 20
        words = "with full jitter" if storm.jitter else "without jitter"
        told = f"{words}: all back after {storm.online_s:.0f} s, peak {storm.peak} attempts/s"
        parts.append(f'<text x="{left}" y="{base - height - 8}">{told}</text>')
        parts.append(f'<path d="M{left} {base}h{width}" stroke="#888"/>')
        parts += [
            f'<text x="{left + s * scale:.0f}" y="{base + 16}" text-anchor="middle">{s} s</text>'
            for s in range(0, seconds, max(1, seconds // 6))
        ]
        parts += [
            f'<rect x="{left + second * scale:.1f}" y="{base - count * height / top:.1f}" '
            f'width="{max(1.0, scale):.1f}" height="{count * height / top:.1f}" fill="#2266aa"/>'
            for second, count in enumerate(storm.attempts)
            if count
        ]
    size = f"{width + left + 30} {len(storms) * (height + gap) + 10}"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif" '
        f'font-size="13"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
