"""Addresses as they stand in a site file, taken apart: what to listen on, how to reach a meter.

Pure; resolves no name and opens nothing. Every function raises `ValueError` with a sentence
an installer understands.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

MODBUS_TCP_PORT = 502
MODBUS_TLS_PORT = 802
"""MODBUS/TCP Security v36 §8.1: mbap/TLS/TCP."""
HIGHEST_PORT = 65535
HIGHEST_UNIT = 255
"""247 on a serial line; some devices with a network socket answer to 255."""


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


@dataclass(frozen=True, slots=True)
class RtuTcpBus:
    """Modbus RTU frames through a converter that passes bytes on: RTU over TCP."""

    host: str
    port: int = MODBUS_TCP_PORT


@dataclass(frozen=True, slots=True)
class TlsBus:
    """Modbus TCP within TLS; the certificate must bear the host's name or address."""

    host: str
    port: int = MODBUS_TLS_PORT
    ca: str | None = None
    """PEM file that signs the meter's certificate; None: the system's trust store."""
    certificate: str | None = None
    """PEM file that names the gateway to the meter; None: it is not asked."""
    key: str | None = None
    """Its private key; None: it stands in the same file."""


Bus = TcpBus | RtuTcpBus | TlsBus | SerialBus
TLS_FILES = ("ca", "certificate", "key")


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
    address, _, settings = rest.partition("?")
    match scheme:
        case "tcp":
            return TcpBus(*_host(rest, MODBUS_TCP_PORT))
        case "rtutcp":
            return RtuTcpBus(*_host(rest, MODBUS_TCP_PORT))
        case "tls":
            return _tls_bus(address, settings)
        case "rtu":
            return _serial_bus(address, settings)
    raise ValueError(
        "starts neither with tcp:// nor with rtu://, rtutcp:// or tls://, "
        "like tcp://192.168.1.20:502"
    )


def _host(address: str, port: int) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\s/?\[\]]+)(?::(\d{1,5}))?/?", address)
    if not found or int(found[2] or 0) > HIGHEST_PORT:
        raise ValueError("is not a host and a port, like tcp://192.168.1.20:502")
    return found[1].strip("[]"), int(found[2] or port)


def _settings(query: str, known: tuple[str, ...]) -> dict[str, str]:
    settings = {key: values[-1] for key, values in parse_qs(query).items()}
    if unknown := settings.keys() - set(known):
        *others, last = known
        raise ValueError(f"has {min(unknown)!r}; there are only {', '.join(others)} and {last}")
    return settings


def _tls_bus(address: str, query: str) -> TlsBus:
    files = _settings(query, TLS_FILES)
    if "key" in files and "certificate" not in files:
        raise ValueError("has a key, but no certificate that it belongs to")
    host, port = _host(address, MODBUS_TLS_PORT)
    return TlsBus(host, port, files.get("ca"), files.get("certificate"), files.get("key"))


def _serial_bus(device: str, query: str) -> SerialBus:
    if not device:
        raise ValueError("names no serial device, like rtu:///dev/ttyUSB0")
    settings = _settings(query, ("baudrate", "parity", "stopbits"))
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
