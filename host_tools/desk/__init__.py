"""A laptop at a line: read one meter, write to one, find unknown ones, record, explain bytes.

    wires.py    a serial port, or a socket, under one small interface
    master.py   the gateway's own bus and drivers, on such a wire
    reader.py   one meter by the name of its map;  writer.py  registers and coils
    scan.py     baud x parity x address, the likeliest first;  mbus_scan.py  the meters of an M-Bus
    identify.py which map fits a meter that answered
    through.py  the same through a gateway's own line (`--via`)
    values.py   a reading as text and JSON: exact decimals, qualities, pseudonyms
    line_record.py  a line recorded (`eclor capture`)
    capture.py  captured bytes to values, by the gateway's own drivers;  capture_text.py  dumps,
                logs and XML to bytes (`eclor parse`)

The bytes are moved by agent/bus.py, as on a gateway: what is read here is read there.
"""
