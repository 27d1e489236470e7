"""Addresses of a site file, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_config.addresses import (
    RtuTcpBus,
    SerialBus,
    TcpBus,
    TlsBus,
    host_and_port,
    parse_bus,
)


@pytest.mark.parametrize(
    ("listen", "parts"),
    [
        ("0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("localhost:0", ("localhost", 0)),
        ("[::]:8080", ("::", 8080)),
    ],
)
def test_listening_address(listen, parts):
    assert parts == host_and_port(listen)


@pytest.mark.parametrize("listen", ["9000", ":9000", "host", "host:", "host:65536", "::1:9000", ""])
def test_what_is_no_listening_address(listen):
    with pytest.raises(ValueError, match="is not an address and a port"):
        host_and_port(listen)


@pytest.mark.parametrize(
    ("url", "bus"),
    [
        ("tcp://192.168.1.20", TcpBus("192.168.1.20", 502)),
        ("tcp://meter.local:5020/", TcpBus("meter.local", 5020)),
        ("tcp://[fe80::1]:502", TcpBus("fe80::1", 502)),
        ("rtutcp://192.168.1.7:4196", RtuTcpBus("192.168.1.7", 4196)),
        ("tls://meter.local", TlsBus("meter.local", 802)),
        ("tls://meter.local:8020?ca=/etc/ca.pem", TlsBus("meter.local", 8020, "/etc/ca.pem")),
        (
            "tls://h?ca=a.pem&certificate=c.pem&key=k.pem",
            TlsBus("h", 802, "a.pem", "c.pem", "k.pem"),
        ),
        ("rtu:///dev/ttyUSB0", SerialBus("/dev/ttyUSB0", 9600, "N", 1)),
        (
            "rtu:///dev/serial/by-id/x?baudrate=19200&parity=e&stopbits=2",
            SerialBus("/dev/serial/by-id/x", 19200, "E", 2),
        ),
        ("rtu://COM3?parity=O", SerialBus("COM3", 9600, "O", 1)),
    ],
)
def test_meter_address(url, bus):
    assert bus == parse_bus(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("192.168.1.20", "neither"),
        ("http://192.168.1.20", "neither"),
        ("tcp://", "host and a port"),
        ("tcp://a:b", "host and a port"),
        ("tcp://a:99999", "host and a port"),
        ("tcp://a/path", "host and a port"),
        ("rtutcp://", "host and a port"),
        ("tls://", "host and a port"),
        ("tls://h?cafile=x", "'cafile'"),
        ("tls://h?key=k.pem", "no certificate"),
        ("tcp://h?ca=x", "host and a port"),
        ("rtu://", "no serial device"),
        ("rtu:///dev/x?baud=9600", "'baud'"),
        ("rtu:///dev/x?baudrate=fast", "baudrate=fast"),
        ("rtu:///dev/x?parity=X", "parity=X"),
        ("rtu:///dev/x?stopbits=3", "stopbits=3"),
    ],
)
def test_what_is_no_meter_address(url, words):
    with pytest.raises(ValueError, match=words):
        parse_bus(url)


@given(
    st.text() | st.builds("tcp://{}".format, st.text()) | st.builds("rtu://{}".format, st.text())
)
def test_any_text_is_an_address_or_a_sentence_why_not(text):
    try:
        assert isinstance(parse_bus(text), TcpBus | SerialBus)
    except ValueError as error:
        assert str(error).startswith(("is ", "has ", "names ", "starts "))
