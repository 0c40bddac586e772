"""libmodbus by ctypes: an independent server and client, where Debian's package is installed.

if library() is None: skip(...)
with Server(library(), unit=1) as server:      # Modbus TCP on a free port
    server.inputs[4] = 0x4366                  # or holdings, bits, input_bits
"""

import ctypes
import ctypes.util
import socket
import threading

_SIZE = 0x10000
_MOST = 260


class _Mapping(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int) for name in ("nb_bits", "start_bits")],
        *[(name, ctypes.c_int) for name in ("nb_input_bits", "start_input_bits")],
        *[(name, ctypes.c_int) for name in ("nb_input_registers", "start_input_registers")],
        *[(name, ctypes.c_int) for name in ("nb_registers", "start_registers")],
        *[(name, ctypes.POINTER(ctypes.c_uint8)) for name in ("tab_bits", "tab_input_bits")],
        *[
            (name, ctypes.POINTER(ctypes.c_uint16))
            for name in ("tab_input_registers", "tab_registers")
        ],
    ]


def library():
    """Return the loaded library, or None when it is not installed."""
    try:
        loaded = ctypes.CDLL("libmodbus.so.5", use_errno=True)
    except OSError:
        return None
    for name in ("modbus_new_tcp", "modbus_new_rtu", "modbus_mapping_new"):
        getattr(loaded, name).restype = ctypes.c_void_p
    loaded.modbus_strerror.restype = ctypes.c_char_p
    return loaded


class Server:
    """A libmodbus TCP server on 127.0.0.1 with the whole address space, in a thread."""

    def __init__(self, loaded, unit):
        self._lib = loaded
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._context = ctypes.c_void_p(loaded.modbus_new_tcp(b"127.0.0.1", self.port))
        self._mapping = ctypes.c_void_p(loaded.modbus_mapping_new(_SIZE, _SIZE, _SIZE, _SIZE))
        tables = ctypes.cast(self._mapping, ctypes.POINTER(_Mapping)).contents
        self.bits, self.input_bits = tables.tab_bits, tables.tab_input_bits
        self.holdings, self.inputs = tables.tab_registers, tables.tab_input_registers
        loaded.modbus_set_slave(self._context, unit)
        self._listener = loaded.modbus_tcp_listen(self._context, 1)
        assert self._listener >= 0
        self._thread = threading.Thread(target=self._serve, name="libmodbus")

    def __enter__(self):
        self._thread.start()
        return self

    def _serve(self):
        listener = ctypes.c_int(self._listener)
        if self._lib.modbus_tcp_accept(self._context, ctypes.byref(listener)) < 0:
            return
        query = (ctypes.c_uint8 * _MOST)()
        while (count := self._lib.modbus_receive(self._context, query)) >= 0:
            self._lib.modbus_reply(self._context, query, count, self._mapping)

    def __exit__(self, *_):
        try:  # it waits for one connection: give it one that ends at once
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            pass
        self._thread.join(5)
        assert not self._thread.is_alive()
        self._lib.modbus_close(self._context)
        self._lib.modbus_mapping_free(self._mapping)
        self._lib.modbus_free(self._context)


class Client:
    """A libmodbus client: RTU on a terminal, or TCP."""

    def __init__(self, loaded, unit, path="", port=0, baud=9600):
        self._lib = loaded
        if path:
            context = loaded.modbus_new_rtu(path.encode(), baud, ctypes.c_char(b"N"), 8, 1)
        else:
            context = loaded.modbus_new_tcp(b"127.0.0.1", port)
        self._context = ctypes.c_void_p(context)
        loaded.modbus_set_slave(self._context, unit)
        if hasattr(loaded, "modbus_set_response_timeout"):
            loaded.modbus_set_response_timeout(self._context, 1, 0)

    def __enter__(self):
        if self._lib.modbus_connect(self._context) < 0:
            raise OSError(ctypes.get_errno(), "libmodbus cannot connect")
        return self

    def registers(self, function, address, count):
        """Return registers by function 3 or 4; OSError with libmodbus's words."""
        out = (ctypes.c_uint16 * count)()
        call = self._lib.modbus_read_registers
        if function == 4:
            call = self._lib.modbus_read_input_registers
        if call(self._context, address, count, out) != count:
            raise OSError(self._lib.modbus_strerror(ctypes.get_errno()).decode())
        return list(out)

    def bits(self, function, address, count):
        """Return bits by function 1 or 2."""
        out = (ctypes.c_uint8 * count)()
        call = self._lib.modbus_read_bits if function == 1 else self._lib.modbus_read_input_bits
        if call(self._context, address, count, out) != count:
            raise OSError(self._lib.modbus_strerror(ctypes.get_errno()).decode())
        return list(out)

    def write(self, address, values):
        """Write registers by function 16."""
        data = (ctypes.c_uint16 * len(values))(*values)
        if self._lib.modbus_write_registers(self._context, address, len(values), data) < 0:
            raise OSError(self._lib.modbus_strerror(ctypes.get_errno()).decode())

    def __exit__(self, *_):
        self._lib.modbus_close(self._context)
        self._lib.modbus_free(self._context)
