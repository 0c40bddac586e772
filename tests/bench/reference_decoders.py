"""Independent decoders of the same frames on CPython, for the ratio; those that are installed.

`pip install eclor-edge[bench]` brings dsmr-parser and pyMeterBus. smllib is under the GPL and no
dependency of this project; it is measured where somebody installed it.
"""

import time
from collections.abc import Callable, Iterator

from tests.vectors.frames import FRAMES

_LEAST_S = 0.3


def _sml() -> Callable[[bytes], object]:
    from smllib import SmlStreamReader

    def decode(data: bytes) -> object:
        reader = SmlStreamReader()
        reader.add(data)
        return reader.get_frame().get_obis()

    return decode


def _mbus() -> Callable[[bytes], object]:
    import meterbus

    return lambda data: [record.value for record in meterbus.load(data).records]


def _dsmr() -> Callable[[bytes], object]:
    from dsmr_parser import telegram_specifications
    from dsmr_parser.parsers import TelegramParser

    parser = TelegramParser(telegram_specifications.V5)
    return lambda data: parser.parse(data.decode("ascii"))


_DECODERS: tuple[tuple[str, str, Callable[[], Callable[[bytes], object]]], ...] = (
    ("sml", "smllib", _sml),
    ("mbus", "pyMeterBus", _mbus),
    ("dsmr", "dsmr-parser", _dsmr),
)


def costs() -> Iterator[tuple[str, str, float | None]]:
    """Yield (protocol, decoder, microseconds per byte or None where it is not installed)."""
    for protocol, name, make in _DECODERS:
        try:
            decode = make()
        except ImportError:
            yield protocol, name, None
            continue
        data = FRAMES[protocol][0]
        decode(data)
        count = 0
        begun = time.perf_counter()
        while time.perf_counter() - begun < _LEAST_S:
            decode(data)
            count += len(data)
        yield protocol, name, (time.perf_counter() - begun) * 1e6 / count
