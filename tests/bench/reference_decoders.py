"""Independent decoders of the same frames on CPython, for the ratio; those that are installed.

`pip install eclor-edge[bench]` brings dsmr-parser and pyMeterBus. amshan, iec62056-21 and smllib
(under the GPL, no dependency of this project) are measured where somebody installed them.
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


def _iec62056() -> Callable[[bytes], object]:
    from iec62056_21.messages import ReadoutDataMessage

    return lambda data: ReadoutDataMessage.from_bytes(data[data.index(b"\x02") :])


def _dlms() -> Callable[[bytes], object]:
    from han.hdlc import HdlcFrameReader
    from han.kaifa import decode_frame_content

    def decode(data: bytes) -> object:
        (frame,) = HdlcFrameReader(False).read(data)
        return decode_frame_content(frame.payload)

    return decode


_DECODERS: tuple[tuple[str, str, Callable[[], Callable[[bytes], object]]], ...] = (
    ("sml", "smllib", _sml),
    ("mbus", "pyMeterBus", _mbus),
    ("dsmr", "dsmr-parser", _dsmr),
    ("iec62056", "iec62056-21", _iec62056),
    ("dlms", "amshan", _dlms),
)
_KAIFA = 1  # of FRAMES["dlms"]: a list that amshan knows


def costs() -> Iterator[tuple[str, str, float | None]]:
    """Yield (protocol, decoder, microseconds per byte or None where it is not installed)."""
    for protocol, name, make in _DECODERS:
        try:
            decode = make()
        except ImportError:
            yield protocol, name, None
            continue
        data = FRAMES[protocol][_KAIFA if protocol == "dlms" else 0]
        decode(data)
        count = 0
        begun = time.perf_counter()
        while time.perf_counter() - begun < _LEAST_S:
            decode(data)
            count += len(data)
        yield protocol, name, (time.perf_counter() - begun) * 1e6 / count
