"""What the cloud asks of "its charging station", and who answers: the action table.

Every command is one of four kinds. *Own*: answered from the gateway's state. *Route*: sent to the
station behind the EVSE, its answer translated back. *Fan out*: sent to all, the answers folded.
*Refuse*: with the code the specification names (`Unsupported` here, unknown actions on the wire).
The cloud is always answered: a station that is away or silent gives Rejected, never silence.

Decides only; whatever waits is handed in. EVSE ids of commands are upstream numbers.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gateway.authorization import Authorization
from gateway.cloud_profiles import CloudProfiles, RunningTransaction
from gateway.commands import (
    ChangeAvailability,
    ChangeConfiguration,
    ClearCache,
    ClearProfile,
    Command,
    CommandAnswer,
    GetBaseReport,
    GetComposite,
    GetConfiguration,
    GetLocalListVersion,
    GetTransactionStatus,
    GetVariables,
    ListVersionAnswer,
    RequestStart,
    RequestStop,
    Reset,
    SendLocalList,
    SetProfile,
    SetVariables,
    StatusAnswer,
    TransactionStatusAnswer,
    Trigger,
    UnlockConnector,
    Unsupported,
)
from gateway.configuration import Configuration
from gateway.errors import GatewayError, PeerError
from gateway.events import ConnectorStatus, DataAnswered, DataSent
from gateway.records import SaveAvailability, SaveSetting, Transaction, Write
from gateway.slots import SlotTable
from gateway.transactions import TransactionBooks

REJECTED = StatusAnswer("Rejected")
ACCEPTED = StatusAnswer("Accepted")


class Stations(Protocol):
    """The charging stations, as far as the cloud's commands need them."""

    def is_connected(self, station_id: str) -> bool: ...

    async def ask(self, station_id: str, command: Command) -> CommandAnswer:
        """Send a command in the station's own numbers; raises GatewayError within 10 s."""

    def status(self, station_id: str, evse_id: int) -> ConnectorStatus | None: ...


class Upward(Protocol):
    """What a command makes the gateway say to the cloud, after its answer."""

    def is_registered(self) -> bool: ...

    def boot_again(self, reason: str) -> None: ...

    def heartbeat_now(self) -> None: ...

    def tell_status(self, cloud_evse: int | None) -> None:
        """Report the status of one EVSE, or of all, once more."""

    def report(self, request_id: int, rows: list[dict[str, object]]) -> None:
        """Send NotifyReport, in as many parts as needed."""

    async def has_rows(self, transaction: Transaction | None) -> bool:
        """Whether rows of a transaction, or any rows, still wait for the cloud."""


@dataclass(frozen=True, slots=True)
class SiteAuthority:
    """What bounds a composite schedule beside the cloud's own profiles, A per phase."""

    local_limit_a: Callable[[int], float]
    """Of an EVSE upstream, or of the grid connection (0)."""


class CloudCommands:
    """Answers one command at a time; `answer` may be called while another still waits."""

    def __init__(
        self,
        *,
        slots: SlotTable,
        books: TransactionBooks,
        authorization: Authorization,
        profiles: CloudProfiles,
        configuration: Configuration,
        authority: SiteAuthority,
        stations: Stations,
        upward: Upward,
        commit: Callable[[Sequence[Write]], Awaitable[None]],
        clock_utc: Callable[[], datetime],
        configuration_changed: Callable[[], None],
        limits_changed: Callable[[], None],
    ) -> None:
        self._slots = slots
        self._books = books
        self._authorization = authorization
        self._profiles = profiles
        self._configuration = configuration
        self._authority = authority
        self._stations = stations
        self._upward = upward
        self._commit = commit
        self._clock_utc = clock_utc
        self._configuration_changed = configuration_changed
        self._limits_changed = limits_changed

    async def answer(self, command: Command, version: str) -> CommandAnswer:
        """Return the answer in the gateway's words.

        Args:
            version: the cloud's; some rules differ where the words do not.

        Raises:
            PeerError: the command cannot be carried out by this station at all.
        """
        match command:
            case RequestStart():
                return await self._request_start(command)
            case RequestStop():
                return await self._request_stop(command)
            case SetProfile():
                return await self._set_profile(command, version)
            case ClearProfile():
                return await self._clear_profile(command)
            case GetComposite():
                return self._composite(command)
            case ChangeAvailability():
                return await self._change_availability(command)
            case UnlockConnector():
                return await self._unlock(command, version)
            case Reset():
                return await self._reset(command)
            case Trigger():
                return await self._trigger(command, version)
            case GetTransactionStatus():
                return await self._transaction_status(command)
            case DataSent():
                return DataAnswered("UnknownVendorId")  # 1.6 §4.3, P01.FR.06
            case Unsupported(action):
                raise PeerError("NotSupported", f"{action} is not supported by this station")
            case _:
                return await self._own(command)

    async def _own(self, command: Command) -> CommandAnswer:
        """Configuration and the local list: state of the gateway itself."""
        match command:
            case GetConfiguration():
                return self._configuration.get_keys(command)
            case GetVariables():
                return self._configuration.get_variables(command)
            case ChangeConfiguration():
                answer, settings = self._configuration.change_key(command)
                await self._configure(settings)
                return answer
            case SetVariables():
                variables, settings = self._configuration.set_variables(command)
                await self._configure(settings)
                return variables
            case GetBaseReport():
                return self._base_report(command)
            case SendLocalList():
                update, writes = self._authorization.local_list_update(command, self._clock_utc())
                await self._commit(writes)
                self._authorization.take(writes)
                return update
            case GetLocalListVersion():
                return ListVersionAnswer(self._authorization.local_list_version)
            case ClearCache():
                writes = self._authorization.cleared()
                await self._commit(writes)
                self._authorization.take(writes)
                return ACCEPTED
        raise PeerError("NotSupported", f"{type(command).__name__} is not supported")

    async def _configure(self, settings: tuple[SaveSetting, ...]) -> None:
        if settings:
            await self._commit(settings)
            self._configuration.take(settings)
            self._configuration_changed()

    def _base_report(self, command: GetBaseReport) -> StatusAnswer:
        if command.base not in {"ConfigurationInventory", "FullInventory", "SummaryInventory"}:
            return StatusAnswer("NotSupported")
        self._upward.report(command.request_id, self._configuration.report_rows())
        return ACCEPTED

    # Transactions.

    async def _request_start(self, command: RequestStart) -> StatusAnswer:
        if not self._upward.is_registered():
            return REJECTED  # 1.6 §4.2, B02.FR.05
        slot = self._start_slot(command)
        if slot is None:
            return StatusAnswer("Rejected", "UnknownEvse")
        station_id, evse_id = slot
        if not self._stations.is_connected(station_id):
            return StatusAnswer("Rejected", "StationOffline", "the charging station is offline")
        running = self._books.open_on(station_id, evse_id)
        if running is not None and running.id_token is not None:
            return StatusAnswer("Rejected", "TxInProgress")
        # Expected before it is asked: the station may begin before its answer is read.
        expected = (station_id, evse_id, command.remote_start_id, command.id_token)
        self._books.remote_start_asked(*expected, now_utc=self._clock_utc())
        asked = replace(command, evse_id=evse_id, connector_id=None, profile=None)
        answer = await self._route(station_id, asked)
        if answer.status != "Accepted":
            self._books.remote_start_refused(station_id, evse_id)
            return replace(answer, transaction_id=None)
        cloud_evse = self._slots.to_cloud(station_id, evse_id)
        if cloud_evse is not None:
            self._profiles.expect(cloud_evse, command.profile)
        return StatusAnswer("Accepted", transaction_id=running.uuid if running else None)

    def _start_slot(self, command: RequestStart) -> tuple[str, int] | None:
        """Return the EVSE asked for, else the best free one: a car waiting, its station there."""
        if command.evse_id is not None:
            return self._slots.to_station(command.evse_id)
        free = [
            slot
            for slot in self._places()
            if self._stations.is_connected(slot[0]) and self._books.open_on(*slot) is None
        ]
        for status in (ConnectorStatus.OCCUPIED, ConnectorStatus.AVAILABLE):
            for slot in free:
                if self._stations.status(*slot) is status:
                    return slot
        return None

    def _places(self) -> list[tuple[str, int]]:
        """Every EVSE of the site, in the order of its number upstream."""
        places = map(self._slots.to_station, self._slots.connected())
        return [place for place in places if place is not None]

    def _find(self, transaction_id: str) -> Transaction | None:
        """Return what the cloud means: our UUID (2.0.1), or its own number (1.6)."""
        found = self._books.by_uuid(transaction_id)
        if found is None and transaction_id.lstrip("-").isdecimal():
            found = self._books.by_cloud_number(int(transaction_id))
        return found

    async def _request_stop(self, command: RequestStop) -> StatusAnswer:
        transaction = self._find(command.transaction_id)
        if transaction is None or transaction.ended_at is not None:
            return StatusAnswer("Rejected", "TxNotFound")
        asked = RequestStop(transaction.station_transaction_id)
        return await self._route(transaction.station_id, asked)

    async def _transaction_status(self, command: GetTransactionStatus) -> TransactionStatusAnswer:
        if command.transaction_id is None:
            return TransactionStatusAnswer(await self._upward.has_rows(None))  # E14.FR.07
        transaction = self._find(command.transaction_id)
        if transaction is None:
            return TransactionStatusAnswer(False, False)  # E14.FR.01
        has_rows = await self._upward.has_rows(transaction)
        return TransactionStatusAnswer(has_rows, transaction.ended_at is None)

    # Charging profiles.

    async def _set_profile(self, command: SetProfile, version: str) -> StatusAnswer:
        running = self._running(command.evse_id)
        answer, changes = self._profiles.set(command, running, version=version)
        if changes:
            await self._commit(changes)
            self._profiles.take(changes)
            self._limits_changed()
        return answer

    async def _clear_profile(self, command: ClearProfile) -> StatusAnswer:
        answer, changes = self._profiles.clear(command)
        if changes:
            await self._commit(changes)
            self._profiles.take(changes)
            self._limits_changed()
        return answer

    def _composite(self, command: GetComposite) -> CommandAnswer:
        is_known = command.evse_id == 0 or self._slots.to_station(command.evse_id) is not None
        return self._profiles.composite(
            command,
            self._clock_utc(),
            running=self._running(command.evse_id),
            local_limit_a=self._authority.local_limit_a(command.evse_id) if is_known else None,
        )

    def _running(self, cloud_evse: int) -> RunningTransaction | None:
        slot = self._slots.to_station(cloud_evse) if cloud_evse else None
        return running_transaction(self._books.open_on(*slot) if slot else None)

    # Connectors and stations.

    async def _change_availability(self, command: ChangeAvailability) -> StatusAnswer:
        if command.evse_id:
            slot = self._slots.to_station(command.evse_id)
            if slot is None:
                return StatusAnswer("Rejected", "UnknownEvse")
            targets = [slot]
        else:
            targets = self._places()
        await self._commit([SaveAvailability(command.evse_id or 0, command.operational)])
        # A station that is away is told when it returns (1.6 §5.2: it survives a reboot).
        answers = [
            await self._route(station_id, replace(command, evse_id=evse_id))
            for station_id, evse_id in targets
            if self._stations.is_connected(station_id)
        ]
        return _folded(answers, ("Rejected", "Scheduled"))

    async def _unlock(self, command: UnlockConnector, version: str) -> StatusAnswer:
        slot = self._slots.to_station(command.evse_id)
        if slot is None:
            unknown = "NotSupported" if version == "ocpp1.6" else "UnknownConnector"
            return StatusAnswer(unknown)  # 1.6 errata 3.85, F05.FR.03
        running = self._books.open_on(*slot)
        if version != "ocpp1.6" and running is not None and running.id_token is not None:
            return StatusAnswer("OngoingAuthorizedTransaction")  # F05.FR.02
        asked = replace(command, evse_id=slot[1])
        return await self._route(slot[0], asked, refusal="UnlockFailed")

    async def _reset(self, command: Reset) -> StatusAnswer:
        """One EVSE: its station. The whole: every station, and the gateway registers anew."""
        if command.evse_id:
            slot = self._slots.to_station(command.evse_id)
            if slot is None:
                return StatusAnswer("Rejected", "UnknownEvse")
            return await self._route(slot[0], replace(command, evse_id=None))
        stations = {station_id for station_id, _ in self._places()}
        answers = [
            await self._route(station_id, command)
            for station_id in sorted(stations)
            if self._stations.is_connected(station_id)
        ]
        answer = _folded(answers, ("Scheduled",))
        self._upward.boot_again("RemoteReset" if command.is_immediate else "ScheduledReset")
        return answer

    async def _trigger(self, command: Trigger, version: str) -> StatusAnswer:
        slot = self._slots.to_station(command.evse_id) if command.evse_id else None
        if command.evse_id and slot is None:
            return StatusAnswer("Rejected", "UnknownEvse")
        match command.message:
            case "BootNotification":
                if version != "ocpp1.6":
                    return REJECTED  # F06.FR.17: it was accepted before
                self._upward.boot_again("Triggered")
                return ACCEPTED
            case "Heartbeat":
                self._upward.heartbeat_now()
                return ACCEPTED
            case "StatusNotification":
                self._upward.tell_status(command.evse_id)
                return ACCEPTED
            case "MeterValues":
                return await self._trigger_meters(command, slot)
            case "TransactionEvent":
                return await self._trigger_transactions(slot)
        return StatusAnswer("NotImplemented")  # F06.FR.08

    async def _trigger_meters(self, command: Trigger, slot: tuple[str, int] | None) -> StatusAnswer:
        targets = [slot] if slot else self._places()
        answers = [
            await self._route(station_id, replace(command, evse_id=evse_id))
            for station_id, evse_id in targets
            if self._stations.is_connected(station_id)
        ]
        if any(answer.status == "Accepted" for answer in answers):
            return ACCEPTED
        return REJECTED

    async def _trigger_transactions(self, slot: tuple[str, int] | None) -> StatusAnswer:
        """Let the stations tell: a 1.6 station has no TransactionEvent, but meter values."""
        for transaction in self._books.running():
            place = (transaction.station_id, transaction.evse_id)
            if slot not in (None, place) or not self._stations.is_connected(place[0]):
                continue
            for message in ("TransactionEvent", "MeterValues"):
                answer = await self._route(place[0], Trigger(message, place[1]))
                if answer.status == "Accepted":
                    break
        return ACCEPTED

    async def _route(
        self, station_id: str, command: Command, refusal: str = "Rejected"
    ) -> StatusAnswer:
        try:
            answer = await self._stations.ask(station_id, command)
        except GatewayError as error:
            return StatusAnswer(refusal, "StationRefused", str(error)[:512])
        return answer if isinstance(answer, StatusAnswer) else StatusAnswer(refusal)


def running_transaction(transaction: Transaction | None) -> RunningTransaction | None:
    """Return what the cloud's profiles need to know of a transaction."""
    if transaction is None:
        return None
    ids = {transaction.uuid}
    if transaction.cloud_number is not None:
        ids.add(str(transaction.cloud_number))
    return RunningTransaction(frozenset(ids), transaction.started_at)


def _folded(answers: Iterable[StatusAnswer], worst_first: tuple[str, ...]) -> StatusAnswer:
    """Fold the stations' answers into one: the worst of them, else Accepted.

    >>> _folded([StatusAnswer("Accepted"), StatusAnswer("Scheduled")], ("Scheduled",)).status
    'Scheduled'
    """
    statuses = {answer.status for answer in answers}
    for status in worst_first:
        if status in statuses:
            return StatusAnswer(status)
    return ACCEPTED
