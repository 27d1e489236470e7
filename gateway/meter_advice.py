"""What to check when a meter gives no reading: for the electrician in front of the cabinet. Pure.

Every answer names first what mostly is the cause.
"""

from gateway.errors import Unavailable
from gateway.meters.silence import (
    ConnectionLost,
    ExceptionCode,
    NoAnswer,
    NotConnected,
    Obstacle,
    Refused,
    UnusableFiles,
)
from site_config.addresses import Bus, RtuTcpBus, SerialBus, TlsBus

ONE_CLIENT = "many meters take one client at a time: stop the gateway, or whoever else reads it"
LINE = "baudrate and parity, whether A and B are swapped, termination"

_OBSTACLES = {
    Obstacle.NAME: "how the host's name is spelled, or write its IP address",
    Obstacle.HOST: "the address, the meter's supply and cable, a firewall, and that this PC is in "
    "the meter's network",
    Obstacle.PORT: "the port (502 is usual, 802 with TLS) and that Modbus is switched on in the "
    f"meter; {ONE_CLIENT}",
    Obstacle.CERTIFICATE: "that ca= is the file that signs the meter's certificate, and that the "
    "certificate bears the very name or address of the URL",
    Obstacle.TLS: "the port (802 is usual with TLS); a meter without TLS is read with tcp://",
    Obstacle.DEVICE: "that the adapter is plugged in (ls /dev/serial/by-id), that nobody else uses "
    "it, the gateway included, and that this user may open it (group dialout)",
    Obstacle.OTHER: f"address, port, cable and firewall; {ONE_CLIENT}",
}


def advice(error: Unavailable, bus: Bus) -> str:
    """Return what to check, in the order in which it mostly is the cause."""
    match error:
        case UnusableFiles():
            return "the paths behind ca=, certificate= and key=, and that this user may read them"
        case NotConnected(obstacle=Obstacle.HOST) if isinstance(bus, TlsBus):
            return f"{_OBSTACLES[Obstacle.HOST]}; then {_OBSTACLES[Obstacle.TLS]}"
        case NotConnected(obstacle=obstacle):
            return _OBSTACLES[obstacle]
        case ConnectionLost() if isinstance(bus, TlsBus):
            return (
                "whether the meter asks for a certificate of ours (certificate= and key= in the "
                f"URL), and trusts it; {ONE_CLIENT}"
            )
        case ConnectionLost() if not isinstance(bus, SerialBus):
            return f"whether somebody else reads it, for {ONE_CLIENT}; then the port"
        case ConnectionLost() | NoAnswer():
            return _about_silence(bus)
        case Refused(is_absent=True):
            return f"the unit (`meter scan` finds it) and the line behind the converter: {LINE}"
        case Refused(code=ExceptionCode.DEVICE_BUSY):
            return "that nobody else asks it as often; in the site file a larger poll_s helps"
        case Refused(code=ExceptionCode.DEVICE_FAILURE):
            return "what its display says; switch it off and on"
    return "unit, model and function code against the meter's label and manual; `meter scan` helps"


def _about_silence(bus: Bus) -> str:
    if isinstance(bus, SerialBus):
        return (
            f"unit, {LINE}, whether somebody else asks on this line; 9600 or 19200 baud with "
            "parity N or E are usual, the meter's menu says which; `meter scan` finds the unit"
        )
    if isinstance(bus, RtuTcpBus):
        return f"that the converter passes RTU frames on (else tcp://), the unit, its {LINE}"
    return (
        "the unit; that this is a Modbus TCP port (a converter may want rtutcp://, a meter with "
        f"certificates tls://); {ONE_CLIENT}"
    )
