"""The three buttons of a demonstration, pressed by a person, or at random by a seed.

buttons = Buttons(world, seed=7)
buttons.cut_power()                  # a button that is still pressed is not pressed again
buttons.calm()                       # no more chance; wait for `pressed` to be empty
buttons.close()
"""

import random
import threading
from collections import Counter
from collections.abc import Callable

from host_tools.demo.world import World
from host_tools.sim.network import MANNERS

POWER_OFF_S = 3.0
NETWORK_OFF_S = 10.0
GARBLED_S = 3.0


class Buttons:
    """Each holds for its time, in a thread of its own; any thread may press."""

    def __init__(self, world: World, seed: int | None = None) -> None:
        """seed: press at random from start() on; None: only who calls presses."""
        self.counts: Counter[str] = Counter()
        self._world = world
        self._seed = seed
        self._pressed: set[str] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._calm = threading.Event()
        self._chance_thread = threading.Thread(target=self._press_at_random, name="chaos")

    @property
    def pressed(self) -> set[str]:
        """What is cut or garbled now: power, network, line."""
        with self._lock:
            return set(self._pressed)

    def start(self) -> None:
        """Begin to press at random, where there is a seed."""
        if self._seed is not None:
            self._chance_thread.start()

    def calm(self) -> None:
        """Press no more at random; what is pressed ends in its time."""
        self._calm.set()

    def close(self) -> None:
        """End; what is pressed is not released any more."""
        self._ending.set()
        self._calm.set()
        if self._chance_thread.is_alive():
            self._chance_thread.join()

    def cut_power(self) -> None:
        """Kill the gateway at once; its power returns after 3 s."""
        world = self._world
        self._hold("power", world.cut_power, POWER_OFF_S, world.return_power)

    def cut_network(self, manner: str = "silent") -> None:
        """Part the gateway from the broker for 10 s; manner: host_tools/sim/network.py."""
        world = self._world
        self._hold(
            "network", lambda: world.cut_network(manner), NETWORK_OFF_S, world.return_network
        )

    def garble_line(self) -> None:
        """Damage bytes on every serial line for 3 s."""
        self._hold("line", lambda: self._world.garble_lines(GARBLED_S), GARBLED_S, lambda: None)

    def _hold(
        self, what: str, begin: Callable[[], None], seconds: float, end: Callable[[], None]
    ) -> None:
        with self._lock:
            if what in self._pressed or self._ending.is_set():
                return
            self._pressed.add(what)
        self.counts[what] += 1
        verb = "garbled" if what == "line" else "cut"
        self._world.line(f"demo: {what} {verb} for {seconds:.0f} s")

        def run() -> None:
            begin()
            self._ending.wait(seconds)
            if not self._ending.is_set():
                end()
            with self._lock:
                self._pressed.discard(what)

        threading.Thread(target=run, name=f"button-{what}", daemon=True).start()

    def _press_at_random(self) -> None:
        """Press a button every 4 to 14 s; each of the three once before any of them twice."""
        chance = random.Random(self._seed)
        buttons: list[str] = []
        while not self._calm.wait(chance.uniform(4, 14)):
            if not buttons:
                buttons = chance.sample(("power", "network", "line"), 3)
            button = buttons.pop()
            if button == "power":
                self.cut_power()
            elif button == "network":
                self.cut_network(chance.choice(MANNERS))
            else:
                self.garble_line()
