"""Units on the wire and how they relate, as data.

    relation("kWh", "Wh")     # 3: a number in kWh is that times 10 ** 3 in Wh
    relation("kWh", "V")      # None: not the same quantity
    cosem(30)                 # "Wh", COSEM unit enumeration

Sources: COSEM "Blue Book" (DLMS UA 1000-1 Ed. 14) table of physical units, also used by SML;
spellings of IEC 62056-21 and DSMR telegrams as seen in the field.
"""

# COSEM unit code: text. Codes 0, 254 and 255 are without a unit.
_COSEM = (
    ",a,mo,wk,d,h,min,s,deg,degC,currency,m,m/s,m3,m3,m3/h,m3/h,m3/d,m3/d,l,kg,N,Nm,Pa,bar,J,J/h,"
    "W,VA,var,Wh,VAh,varh,A,C,V,V/m,F,Ohm,Ohm.m2/m,Wb,T,A/m,H,Hz,1/Wh,1/varh,1/VAh,V2h,A2h,kg/s,"
    "S,K,1/V2h,1/A2h,1/m3,%,Ah,,,Wh/m3,J/m3,mol%,g/m3,Pa.s,J/kg,,,,,dBm,dBuV,dB"
)

# unit on the wire: (base unit, power of ten of it in the base unit)
_BASES = {
    "kWh": ("Wh", 3),
    "MWh": ("Wh", 6),
    "GWh": ("Wh", 9),
    "kW": ("W", 3),
    "MW": ("W", 6),
    "kvarh": ("varh", 3),
    "kVArh": ("varh", 3),
    "Mvarh": ("varh", 6),
    "kvar": ("var", 3),
    "kVAr": ("var", 3),
    "VAr": ("var", 0),
    "VArh": ("varh", 0),
    "kVAh": ("VAh", 3),
    "kVA": ("VA", 3),
    "mV": ("V", -3),
    "kV": ("V", 3),
    "mA": ("A", -3),
    "kA": ("A", 3),
    "kJ": ("J", 3),
    "MJ": ("J", 6),
    "GJ": ("J", 9),
    "kJ/h": ("J/h", 3),
    "MJ/h": ("J/h", 6),
    "GJ/h": ("J/h", 9),
    "ml": ("m3", -6),
    "ml/h": ("m3/h", -6),
    "l": ("m3", -3),
    "l/h": ("m3/h", -3),
    "m3ph": ("m3/h", 0),
    "C": ("degC", 0),
    "Deg": ("deg", 0),
    "secs": ("s", 0),
    "mbar": ("bar", -3),
    "t": ("kg", 3),
}

_cosem_units = None


def cosem(code):
    """Return the text of a COSEM unit code, "" when it has none or is unknown."""
    global _cosem_units
    if _cosem_units is None:  # split once, on the first frame that has units
        _cosem_units = tuple(_COSEM.split(","))
    return _cosem_units[code] if 0 <= code < len(_cosem_units) else ""


def relation(unit, wanted):
    """Return the power of ten that turns a number in unit into wanted, or None."""
    if unit == wanted:
        return 0
    base = unit
    power = 0
    row = _BASES.get(unit)
    if row:
        base = row[0]
        power = row[1]
    row = _BASES.get(wanted)
    if row:
        wanted = row[0]
        power -= row[1]
    return power if base == wanted else None


def known(data, start, end):
    """Return the text of the unit in data[start:end] as one fixed string, so as not to allocate.

    A unit that is in no table is made into a new string.
    """
    at = 0
    for name in _SPELLED:
        length = len(name)
        i = 0
        while i < length and start + i < end and data[start + i] == _SPELLINGS[at + i]:
            i += 1
        if i == length == end - start:
            return name
        at += length + 1
    return str(bytes(data[start:end]), "ascii")


# The commonest units, as text and as the bytes on the wire.
_SPELLED = ("kWh", "kW", "m3", "V", "A", "kvarh", "kvar", "Hz", "MWh", "GJ", "W", "Wh", "h", "s")
_SPELLINGS = b"kWh kW m3 V A kvarh kvar Hz MWh GJ W Wh h s"
