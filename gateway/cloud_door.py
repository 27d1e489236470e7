"""The cloud asks: its CALL becomes a command, and the gateway's answer a payload again."""

from collections.abc import Callable

from gateway.actions import CloudCommands
from gateway.errors import StoreFailed, Unavailable
from gateway.metrics import Counters
from gateway.ocpp.codec import Codec
from gateway.ocpp.frames import Call, Payload


class CloudDoor:
    """What the uplink calls."""

    def __init__(
        self, commands: CloudCommands, counters: Counters, log: Callable[[str], None]
    ) -> None:
        self._commands = commands
        self._counters = counters
        self._log = log

    async def answer(self, codec: Codec, call: Call) -> Payload:
        """Answer the cloud's CALL; raises Unavailable for what could not be stored."""
        self._counters.count_message("cloud", "in", call.action)
        command = codec.parse_command(call.action, call.payload)
        try:
            answer = await self._commands.answer(command, codec.version)
        except StoreFailed as error:
            raise Unavailable(f"not stored: {error}") from error
        self._log(f"cloud.asked action={call.action}")
        return codec.serialize_command_answer(command, answer)
