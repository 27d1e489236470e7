"""Addresses as they stand in a site file, taken apart: what to listen on, how to reach a meter.

Pure; resolves no name and opens nothing. Every function raises `ValueError` with a sentence
an installer understands.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

MODBUS_TCP_PORT = 502
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class TcpBus:
    """Modbus TCP: a meter, or a converter with meters behind it."""

    host: str
    port: int = MODBUS_TCP_PORT


@dataclass(frozen=True, slots=True)
class SerialBus:
    """Modbus RTU on a serial line, eight data bits."""

    device: str
    baudrate: int = 9600
    parity: str = "N"
    stopbits: int = 1


Bus = TcpBus | SerialBus


def host_and_port(listen: str) -> tuple[str, int]:
    """Take `host:port` or `[ipv6]:port` apart; the brackets are dropped.

    >>> host_and_port("[::1]:9000")
    ('::1', 9000)
    """
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s/]+)):(\d{1,5})", listen)
    if not found or int(found[3]) > HIGHEST_PORT:
        raise ValueError("is not an address and a port, like 0.0.0.0:9000")
    return found[1] or found[2], int(found[3])


def parse_bus(url: str) -> Bus:
    """Take the address of a meter apart; two meters with equal buses share one line.

    >>> parse_bus("rtu:///dev/ttyUSB0?baudrate=19200&parity=E")
    SerialBus(device='/dev/ttyUSB0', baudrate=19200, parity='E', stopbits=1)
    """
    scheme, _, rest = url.partition("://")
    if scheme == "tcp":
        return _tcp_bus(rest)
    if scheme == "rtu":
        device, _, settings = rest.partition("?")
        return _serial_bus(device, settings)
    raise ValueError("starts neither with tcp:// nor with rtu://, like tcp://192.168.1.20:502")


def _tcp_bus(address: str) -> TcpBus:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\s/?\[\]]+)(?::(\d{1,5}))?/?", address)
    if not found or int(found[2] or 0) > HIGHEST_PORT:
        raise ValueError("is not a host and a port, like tcp://192.168.1.20:502")
    return TcpBus(found[1].strip("[]"), int(found[2] or MODBUS_TCP_PORT))


def _serial_bus(device: str, query: str) -> SerialBus:
    if not device:
        raise ValueError("names no serial device, like rtu:///dev/ttyUSB0")
    settings = {key: values[-1] for key, values in parse_qs(query).items()}
    if unknown := settings.keys() - {"baudrate", "parity", "stopbits"}:
        raise ValueError(f"has {min(unknown)!r}; there are only baudrate, parity and stopbits")
    baudrate = settings.get("baudrate", "9600")
    parity = settings.get("parity", "N").upper()
    stopbits = settings.get("stopbits", "1")
    if not re.fullmatch(r"[1-9]\d{2,6}", baudrate):
        raise ValueError(f"has baudrate={baudrate}, which is no number like 9600")
    if parity not in ("N", "E", "O"):
        raise ValueError(f"has parity={parity}; it is N, E or O")
    if stopbits not in ("1", "2"):
        raise ValueError(f"has stopbits={stopbits}; they are 1 or 2")
    return SerialBus(device, int(baudrate), parity, int(stopbits))
