r"""Captures that people keep as text: hexadecimal digits, dumps, logs, escapes, XML.

    bytes_of(b"00000000  68 0b 0b 68 |h..h|\n", "mbus")     # b"\x68\x0b\x0b\x68"

Understood are digits in any grouping (`7ea0`, `7E A0`, `7E:A0`, `0x7E, 0xA0`), dumps with offsets
and a column of letters (xxd, hexdump -C, od), logs with times and labels before the bytes, escapes
(`\x02\nADCO`), named controls (`<STX><LF>ADCO`), UTF-16, colours of a terminal, and the XML of a
DLMS notification. What is a meter's own text (TIC, P1, read-outs) stays as it is.
"""

import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from host_tools.problems import INPUT, Problem

_TEXTS = {"tic", "dsmr", "iec62056", "radar", "level"}  # whose frames may be text themselves
_PAIR = r"(?:0[xX])?[0-9A-Fa-f]{2}"
_GROUP = r"(?:0[xX])?[0-9A-Fa-f]+"
_RUN = rf"{_GROUP}(?:[\s,:;.\-]{{1,3}}{_GROUP})*"
_WHOLE = re.compile(rf"[\s\"'{{\[(]*({_RUN})[\s\"',:;}}\])\-\\]*(?://.*|#.*)?")
_BEHIND_A_LABEL = re.compile(
    rf"(?:[\s:=>\])\"'{{(\[])({_PAIR}(?:[\s,:;.\-]{{0,3}}{_PAIR}){{3,}})[\s\"',:;}}\])\-\\]*(?://.*|#.*)?$"
)
_TIME = re.compile(
    r"\s*[\[(]?(?:\d{4}-\d\d-\d\d[T ])?\d\d[:.]\d\d[:.]\d\d(?:[.,]\d+)?Z?[\])]?(?![:.0-9A-Fa-f])"
)
_OFFSET = re.compile(r"\s*(?:0x)?(?:([0-9A-Fa-f]{1,8}):\s|([0-9A-Fa-f]{4,8})(?:[\s|]|$))(.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\([rntave0\\\"'])")
_ESCAPED = {"r": 13, "n": 10, "t": 9, "a": 7, "v": 11, "e": 27, "0": 0}
_NAMES = {
    "NUL": 0,
    "SOH": 1,
    "STX": 2,
    "ETX": 3,
    "EOT": 4,
    "ACK": 6,
    "HT": 9,
    "TAB": 9,
    "LF": 10,
    "CR": 13,
    "NAK": 21,
    "ESC": 27,
    "SP": 32,
}
_NAMED = re.compile(rf"<({'|'.join(_NAMES)})>")
_WIDEST = 64  # bytes of a line of a dump
_LONG = 16  # digits in a row that may go on in the next line

# Elements of a translated DLMS notification: tag, and bytes of the value (0: a length before it)
_DLMS = {
    "Structure": (2, -1),
    "Array": (1, -1),
    "None": (0, None),
    "NullData": (0, None),
    "Boolean": (3, 1),
    "BitString": (4, None),
    "Int32": (5, 4),
    "UInt32": (6, 4),
    "OctetString": (9, 0),
    "String": (10, 0),
    "StringUTF8": (12, 0),
    "BCD": (13, 1),
    "Int8": (15, 1),
    "Int16": (16, 2),
    "UInt8": (17, 1),
    "UInt16": (18, 2),
    "Int64": (20, 8),
    "UInt64": (21, 8),
    "Enum": (22, 1),
    "Float32": (23, 4),
    "Float64": (24, 8),
    "DateTime": (25, 12),
    "Date": (26, 5),
    "Time": (27, 4),
}


def bytes_of(data: bytes, protocol: str = "") -> bytes:
    """Return the bytes that a capture means; a Problem when it is text that holds none.

    protocol: a row of DRIVERS; "": text is kept as it is where it is no hexadecimal.
    """
    text = _as_text(data)
    if text is None or not text.strip():
        return data
    may_be_text = protocol in _TEXTS or not protocol
    if text.lstrip().startswith("<") and ("</" in text or "/>" in text):
        return _of_xml(text)
    if len(_NAMED.findall(text)) > 1:
        text = _NAMED.sub(lambda name: chr(_NAMES[name[1]]), re.sub(r"[\r\n]", "", text))
        return text.encode("latin-1", "replace")
    if len(re.findall(r"\\x[0-9A-Fa-f]{2}|\\[rn]", text)) > 1:
        return _unescaped(text)
    lines = [line for line in text.splitlines() if line.strip()]
    dump = _of_dump(lines)
    if dump is not None:
        return dump
    digits, others = _digits(lines, labels=not may_be_text)
    if digits and not (may_be_text and others):
        if len(digits) % 2:
            raise Problem(
                f"{len(digits)} hexadecimal digits are no whole bytes",
                "compare its lines: one has lost a digit",
                code=INPUT,
            )
        return bytes.fromhex(digits)
    if may_be_text:
        return (
            data if text == data.decode("utf-8", "replace") else text.encode("latin-1", "replace")
        )
    raise Problem(
        f"this file is text without bytes of {protocol}",
        "give bytes as recorded, or hexadecimal digits: 68 0b 0b 68 ..., a dump, a log of them",
        code=INPUT,
    )


def _as_text(data: bytes) -> str | None:
    """Return a capture as text, None when it is binary."""
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = data.decode("utf-16")
        else:
            text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    text = _COLOUR.sub("", text.lstrip("\ufeff"))
    return None if re.search(r"[\x00-\x08\x0b\x0e-\x1f]", text) else text


def _unescaped(text: str) -> bytes:
    """Return what a literal of a program means; its own line ends and quotes are none of it."""
    parts = []
    for line in text.splitlines():
        quoted = re.findall(r'"((?:[^"\\]|\\.)*)"' + r"|'((?:[^'\\]|\\.)*)'", line)
        parts += [one or other for one, other in quoted] or [line]
    found = bytearray()
    at = 0
    literal = "".join(parts)
    for match in _ESCAPE.finditer(literal):
        found += literal[at : match.start()].encode("latin-1", "replace")
        found.append(int(match[1], 16) if match[1] else _ESCAPED.get(match[2], ord(match[2])))
        at = match.end()
    return bytes(found + literal[at:].encode("latin-1", "replace"))


def _of_dump(lines: list[str]) -> bytes | None:
    """Return the bytes of a dump with offsets, None when it is none."""
    rows = []
    for line in lines:
        match = _OFFSET.fullmatch(line)
        if match:
            rows.append((match[1] or match[2], match[3]))
        elif rows:
            break
    wide = [row for row in rows if len(row[0]) >= 4 and int(row[0], 16) == 0]
    if len(rows) < 2 and not wide:
        return None
    for base in (16, 10, 8):
        try:
            data = _of_rows([(int(number, base), rest) for number, rest in rows])
        except ValueError:
            continue
        if data:
            return data
    return None


def _of_rows(rows: list[tuple[int, str]]) -> bytes | None:
    """Return the bytes of these lines, None when they do not follow each other.

    A dump may begin anew at its first offset: one after the other, as they were received.
    """
    first = rows[0][0]
    data = b""
    base = 0
    for place, (offset, rest) in enumerate(rows):
        if offset == first:
            base = len(data)
        if offset != first + len(data) - base:
            return None
        following = rows[place + 1][0] if place + 1 < len(rows) else first
        part = rest.split("|")[0]
        if following == first:  # the last: a column of letters stands behind two blanks, if at all
            groups = re.split(r"\s{2,}", part.strip())
            kept = [group for group in groups if re.fullmatch(r"(?:[0-9A-Fa-f]{2}\s?)*", group)]
            digits = re.sub(r"\s", "", "".join(kept[:2] if len(groups[0]) < 30 else kept[:1]))
        elif 0 < following - offset <= _WIDEST:
            digits = "".join(re.findall(r"[0-9A-Fa-f]{2}", part))[: 2 * (following - offset)]
            if len(digits) < 2 * (following - offset):
                return None
        else:
            return None
        data += bytes.fromhex(digits)
    return data


def _digits(lines: list[str], *, labels: bool) -> tuple[str, int]:
    """Return all hexadecimal digits, and how many lines hold other things.

    labels: text before the bytes of a line, as a log has it, is passed over.
    """
    found = []
    others = 0
    for line in lines:
        time = _TIME.match(line) if labels else None
        rest = line[time.end() :] if time else line
        match = _WHOLE.fullmatch(rest) or (_BEHIND_A_LABEL.search(rest) if labels else None)
        if match and not _is_odd(match[1]):
            found.append(re.sub(r"0[xX](?=[0-9A-Fa-f]{2})|[^0-9A-Fa-f]", "", match[1]))
        else:
            others += 1
    return "".join(found), others


def _is_odd(run: str) -> bool:
    """Tell whether a group of digits is no whole bytes: 045 is a number."""
    groups = [re.sub("0[xX]", "", group) for group in re.split(r"[^0-9A-Fa-fxX]+", run)]
    return any(len(group) % 2 and len(group) < _LONG for group in groups)


def _of_xml(text: str) -> bytes:
    """Return the bytes in an XML: runs of digits, or a translated DLMS notification."""
    try:
        root = ET.fromstring(text.lstrip())
    except ET.ParseError as error:
        raise Problem(f"XML: {error}", "give the file as it was saved", code=INPUT) from None
    runs = [
        re.sub(r"\s", "", part)
        for element in root.iter()
        for part in (element.text or "", element.get("Data", ""), element.get("data", ""))
        if _WHOLE.fullmatch(part.strip() or "-") and len(re.sub(r"\s", "", part)) >= 8
    ]
    if runs and not any(len(run) % 2 for run in runs):
        return bytes.fromhex("".join(runs))
    found = root if root.tag == "DataNotification" else root.find(".//DataNotification")
    body = found.find(".//DataValue") if found is not None else None
    if found is not None and body is not None and len(body):
        try:
            return _of_notification(found, body[0])
        except (KeyError, ValueError, AttributeError, struct.error):
            pass
    raise Problem(
        "this XML holds values, not the bytes of a meter",
        "give the bytes it was made of; of DLMS, the translator's XML with hexadecimal values",
        code=INPUT,
    )


def _of_notification(element: ET.Element, body: ET.Element) -> bytes:
    number = element.find("LongInvokeIdAndPriority")
    clock = element.find("DateTime")
    time = bytes.fromhex(clock.get("Value", "")) if clock is not None else b""
    head = b"\x0f" + bytes.fromhex(number.get("Value", "") if number is not None else "00000000")
    return head + bytes((len(time),)) + time + b"".join(_items(body))


def _items(element: ET.Element) -> Iterator[bytes]:
    tag, size = _DLMS[element.tag]
    told = element.get("Value", "")
    if size is None:
        yield bytes((tag,))
        if tag == 4:
            bits = told.ljust(-(-len(told) // 8) * 8, "0")
            yield _length(len(told)) + int(bits or "0", 2).to_bytes(len(bits) // 8, "big")
    elif size < 0:
        yield bytes((tag,)) + _length(len(element))
        for child in element:
            yield from _items(child)
    else:
        raw = told.encode() if element.tag in ("String", "StringUTF8") else bytes.fromhex(told)
        if size and len(raw) != size:
            raise ValueError(f"{element.tag} of {len(raw)} bytes")
        yield bytes((tag,)) + (b"" if size else _length(len(raw))) + raw


def _length(count: int) -> bytes:
    return bytes((count,)) if count < 128 else b"\x82" + count.to_bytes(2, "big")
