"""Why a meter gives no reading at all, as typed errors. Pure.

What is doubtful about a reading that came is in `doubts`, what to check in `meter_advice`.
"""

from enum import Enum, IntEnum, auto

from gateway.errors import Unavailable


class ExceptionCode(IntEnum):
    """Codes of an exception response (Modbus Application Protocol V1.1b3 §7)."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    DEVICE_BUSY = 6
    NO_PATH = 10
    NO_RESPONSE = 11


_RIGHT_MODEL = "is the meter model right?"
_REFUSALS: dict[int, str] = {
    ExceptionCode.ILLEGAL_FUNCTION: f"refuses the function (exception 1): {_RIGHT_MODEL}",
    ExceptionCode.ILLEGAL_ADDRESS: f"has no such registers (exception 2): {_RIGHT_MODEL}",
    ExceptionCode.ILLEGAL_VALUE: f"refuses so many registers (exception 3): {_RIGHT_MODEL}",
    ExceptionCode.DEVICE_FAILURE: "reports its own failure (exception 4)",
    ExceptionCode.DEVICE_BUSY: "is busy (exception 6)",
    ExceptionCode.NO_PATH: "cannot be reached from the converter (exception 10)",
    ExceptionCode.NO_RESPONSE: "does not answer the converter (exception 11): right unit?",
}


class Obstacle(Enum):
    """What stood in the way of a connection."""

    NAME = auto()
    """Nobody knows the host's name."""
    HOST = auto()
    """Nobody answers at the address."""
    PORT = auto()
    """The host is there and refuses the port."""
    CERTIFICATE = auto()
    """The meter's certificate is not believed."""
    TLS = auto()
    """What answers does not speak TLS, or none that we speak."""
    DEVICE = auto()
    """The serial port is not there, taken, or not for this user."""
    OTHER = auto()


class NotConnected(Unavailable):
    """No connection came about."""

    def __init__(self, place: str, obstacle: Obstacle, words: str) -> None:
        self.obstacle = obstacle
        super().__init__(f"cannot connect to {place}: {words}")


class UnusableFiles(Unavailable):
    """The certificate files of the site file cannot be used; the meter was not asked."""

    def __init__(self, words: str) -> None:
        super().__init__(f"cannot use its certificate files: {words}")


class NoAnswer(Unavailable):
    """There is a connection, and nothing comes."""

    def __init__(self) -> None:
        super().__init__("no answer")


class ConnectionLost(Unavailable):
    """The other side closed the connection instead of answering."""

    def __init__(self) -> None:
        super().__init__("connection lost")


class Refused(Unavailable):
    """The device answers, with a Modbus exception."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(_REFUSALS.get(code, f"refuses (exception {code})"))

    @property
    def is_absent(self) -> bool:
        """A converter answers for a device that does not."""
        return self.code in (ExceptionCode.NO_PATH, ExceptionCode.NO_RESPONSE)

    @property
    def is_about_question(self) -> bool:
        """It would answer another question."""
        return self.is_about_registers or self.code == ExceptionCode.ILLEGAL_FUNCTION

    @property
    def is_about_registers(self) -> bool:
        """It refuses these registers or so many of them, not to be asked."""
        return self.code in (ExceptionCode.ILLEGAL_ADDRESS, ExceptionCode.ILLEGAL_VALUE)
