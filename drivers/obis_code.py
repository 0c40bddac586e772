"""OBIS codes of six bytes, as SML and DLMS send them, and as people write them (IEC 62056-61).

obis_bytes("1-0:1.8.0")           # b"\x01\x00\x01\x08\x00\xff"
"""


def obis_text(data, at):
    """Return the six bytes of an OBIS code at data[at] as text: "1-0:1.8.0*255"."""
    return "%d-%d:%d.%d.%d*%d" % (
        data[at],
        data[at + 1],
        data[at + 2],
        data[at + 3],
        data[at + 4],
        data[at + 5],
    )


def obis_bytes(text):
    """Return the six bytes of "1-0:1.8.0*255" ("*255" may be left out); ValueError when none."""
    head, _, storage = text.partition("*")
    for mark in "-:.":
        head = head.replace(mark, " ")
    fields = head.split() + [storage or "255"]
    if len(fields) != 6:
        raise ValueError("%s is no OBIS code such as 1-0:1.8.0*255" % text)
    return bytes(int(field) for field in fields)
