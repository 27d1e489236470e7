"""What the cloud asks of "its charging station", and who answers: the action table.

Every command is one of four kinds. *Own*: answered from the gateway's state. *Route*: sent to the
station behind the EVSE, its answer translated back. *Fan out*: sent to all, the answers folded.
*Refuse*: with the code the specification names (`Unsupported` here, unknown actions on the wire).
The cloud is always answered: a station that is away or silent gives Rejected, never silence.

Decides only; whatever waits is handed in. EVSE ids of commands are upstream numbers.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

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
from gateway.errors import PeerError
from gateway.events import ConnectorStatus, DataAnswered, DataSent, RegistrationStatus
from gateway.maintenance import Maintenance
from gateway.records import Transaction
from gateway.routes import ACCEPTED, REJECTED, UNKNOWN_EVSE, Place, Routes, Upward
from gateway.transactions import TransactionBooks
from gateway.writes import SaveSetting, Write

NOT_FOR_USE = (ConnectorStatus.UNAVAILABLE, ConnectorStatus.FAULTED)


@dataclass(frozen=True, slots=True)
class SiteAuthority:
    """What bounds a composite schedule beside the cloud's own profiles, A per phase."""

    local_limit_a: Callable[[int, datetime], float]
    """Of an EVSE upstream, or of the grid connection (0), at an instant."""


class CloudCommands:
    """Answers one command at a time; `answer` may be called while another still waits."""

    def __init__(
        self,
        *,
        routes: Routes,
        maintenance: Maintenance,
        books: TransactionBooks,
        authorization: Authorization,
        profiles: CloudProfiles,
        configuration: Configuration,
        authority: SiteAuthority,
        upward: Upward,
        commit: Callable[[Sequence[Write]], Awaitable[None]],
        clock_utc: Callable[[], datetime],
        configuration_changed: Callable[[], None],
        limits_changed: Callable[[], None],
    ) -> None:
        self._routes = routes
        self._slots, self._stations = routes.slots, routes.stations
        self._maintenance = maintenance
        self._books = books
        self._authorization = authorization
        self._profiles = profiles
        self._configuration = configuration
        self._authority = authority
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
        if self._upward.registration is RegistrationStatus.REJECTED:
            # B03.FR.08; 1.6 §4.2 asks for silence, which nobody can tell from a dead line.
            raise PeerError("SecurityError", "BootNotification was Rejected")
        match command:
            case RequestStart():
                return await self._request_start(command, version)
            case RequestStop():
                return await self._request_stop(command)
            case SetProfile():
                return await self._set_profile(command, version)
            case ClearProfile():
                return await self._clear_profile(command)
            case GetComposite():
                return self._composite(command)
            case ChangeAvailability():
                return await self._maintenance.change_availability(command, version)
            case UnlockConnector():
                return await self._maintenance.unlock(command, version)
            case Reset():
                return await self._maintenance.reset(command, version)
            case Trigger():
                return await self._maintenance.trigger(command, version)
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
        if command.base not in {"ConfigurationInventory", "FullInventory"}:
            return StatusAnswer("NotSupported")  # B07.FR.02, B07.FR.12
        self._configuration.know(
            "LocalAuthListCtrlr.Entries", str(self._authorization.local_list_size)
        )
        self._configuration.know(
            "SmartChargingCtrlr.Entries.ChargingProfiles", str(len(self._profiles))
        )
        rows = self._configuration.report_rows(is_full=command.base == "FullInventory")
        self._upward.report(command.request_id, rows)
        return ACCEPTED

    # Transactions.

    async def _request_start(self, command: RequestStart, version: str) -> StatusAnswer:
        if self._upward.registration is not RegistrationStatus.ACCEPTED:
            return REJECTED  # 1.6 §4.2, B02.FR.05
        if (refusal := self._profiles.remote_start_refusal(command.profile, version)) is not None:
            return refusal
        place = self._start_place(command)
        if place is None:
            return UNKNOWN_EVSE if command.evse_id else StatusAnswer("Rejected", "NoFreeEvse")
        if not self._stations.is_connected(place[0]):
            return StatusAnswer("Rejected", "StationOffline", "the charging station is offline")
        if self._stations.status(*place) in NOT_FOR_USE:
            return StatusAnswer("Rejected", "UnavailableEvse")  # F01.FR.23, F02.FR.25
        running = self._books.open_on(*place)
        if running is not None and running.id_token is not None:
            return StatusAnswer("Rejected", "TxInProgress")  # F01.FR.24
        return await self._start_at(place, command, running)

    async def _start_at(
        self, place: Place, command: RequestStart, running: Transaction | None
    ) -> StatusAnswer:
        # Expected before it is asked: the station may begin before its answer is read.
        now_utc, token = self._clock_utc(), command.id_token
        timeout_s = float(self._configuration.number("ConnectionTimeOut"))
        self._books.remote.start_asked(
            *place, command.remote_start_id, token, now_utc=now_utc, timeout_s=timeout_s
        )
        asked = replace(command, evse_id=place[1], connector_id=None, profile=None)
        answer = await self._routes.ask(place[0], asked)
        if answer.status != "Accepted":
            self._books.remote.start_refused(*place)
            return replace(answer, transaction_id=None)
        begun = self._books.open_on(*place)
        if begun is None:
            cloud_evse = self._slots.to_cloud(*place)
            until = now_utc + timedelta(seconds=timeout_s)
            if cloud_evse is not None:
                self._profiles.expect(cloud_evse, command.profile, token, until)
        elif command.profile is not None:
            change = self._profiles.for_transaction(command.profile, begun)
            await self._commit([change])
            self._profiles.take([change])
            self._limits_changed()
        return StatusAnswer("Accepted", transaction_id=running.uuid if running else None)

    def _start_place(self, command: RequestStart) -> Place | None:
        """Return the EVSE asked for, else the best free one: a car waiting, its station there."""
        if command.evse_id is not None:
            return self._slots.to_station(command.evse_id)
        free = [
            place
            for place in self._routes.places()
            if self._stations.is_connected(place[0])
            and ((running := self._books.open_on(*place)) is None or running.id_token is None)
            and not self._books.remote.is_start_expected(*place, self._clock_utc())
        ]
        for status in (ConnectorStatus.OCCUPIED, ConnectorStatus.AVAILABLE):
            for place in free:
                if self._stations.status(*place) is status:
                    return place
        return None

    async def _request_stop(self, command: RequestStop) -> StatusAnswer:
        if self._upward.registration is not RegistrationStatus.ACCEPTED:
            return REJECTED  # B02.FR.05
        transaction = self._books.find(command.transaction_id)
        if transaction is None or transaction.ended_at is not None:
            return StatusAnswer("Rejected", "TxNotFound")
        # Expected before it is asked: the station may end before its answer is read.
        self._books.remote.stop_asked(transaction.number)
        asked = RequestStop(transaction.station_transaction_id)
        answer = await self._routes.ask(transaction.station_id, asked)
        if answer.status != "Accepted":
            self._books.remote.stop_settled(transaction.number)
        return answer

    async def _transaction_status(self, command: GetTransactionStatus) -> TransactionStatusAnswer:
        if command.transaction_id is None:
            return TransactionStatusAnswer(await self._upward.has_rows(None))  # E14.FR.07
        transaction = self._books.find(command.transaction_id)
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
        at, evse = self._clock_utc(), command.evse_id
        is_known = evse == 0 or self._slots.to_station(evse) is not None
        return self._profiles.composite(
            command,
            at,
            running=self._running(evse),
            local_limit_a=self._authority.local_limit_a(evse, at) if is_known else None,
        )

    def _running(self, cloud_evse: int) -> RunningTransaction | None:
        place = self._slots.to_station(cloud_evse)
        return self._books.running_on(*place) if place else None
