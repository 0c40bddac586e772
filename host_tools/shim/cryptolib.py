"""The stand-in for MicroPython's `cryptolib` on CPython: AES in ECB mode, for drivers/gcm.py."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class aes:  # noqa: N801  the name that MicroPython gives it
    """One key; mode 1 is ECB, the only one here."""

    def __init__(self, key: bytes, mode: int) -> None:
        if mode != 1:
            raise ValueError("only ECB")
        self._encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()

    def encrypt(self, block: bytes) -> bytes:
        """Return the encrypted block or blocks of 16 bytes."""
        return self._encryptor.update(block)
