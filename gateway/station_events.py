"""What a station is answered, and in what order: first the disk, then the answer, then the rest.

`answer_station` decides and awaits what it is handed; it owns no socket, no file and no clock.
It is never cancelled between storing and accepting: run it in a task of its own, which a closing
socket does not end, or the books forget what the disk knows.

What should happen besides is returned as `Followup`s, after the answer has left.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.authorization import Authorization, Source
from gateway.commands import RequestStop
from gateway.drafts import UPSTREAM_CONNECTOR
from gateway.errors import StoreFailed
from gateway.events import (
    Acknowledged,
    Answer,
    AuthorizationStatus,
    AuthorizeAsked,
    Booted,
    ChargingNeedsTold,
    ChargingState,
    ConnectorStatus,
    DataAnswered,
    DataSent,
    Event,
    EventType,
    HeartbeatSent,
    IdToken,
    IdTokenInfo,
    Judged,
    MetersSampled,
    NeedsNoted,
    Registered,
    RegistrationStatus,
    SecurityEventOccurred,
    StatusChanged,
    TimeTold,
    TransactionChanged,
)
from gateway.frozen import frozen
from gateway.outcomes import Outcome
from gateway.records import Transaction
from gateway.sampling import Sampling
from gateway.slots import SlotTable
from gateway.transactions import TransactionBooks
from gateway.writes import Write

NO_TRANSACTION = 0
"""What a 1.6 station is told where there is no transaction: no number of ours."""


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """Tell the cloud, by way of the status board. Numbers are upstream's."""

    status: StatusChanged


@dataclass(frozen=True, slots=True)
class ReportChargingState:
    """A 2.0.1 station told it in a transaction; a 1.6 cloud sees it in the status."""

    cloud_evse: int
    state: ChargingState


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Trigger the station's statuses: what it said of the whole has hidden those of its parts."""

    station_id: str


@dataclass(frozen=True, slots=True)
class RefreshAuthorization:
    """Ask the cloud about a token that was answered from the cache."""

    id_token: IdToken


@dataclass(frozen=True, slots=True)
class StopAtStation:
    """Ask the station to stop: the cloud did not accept the token."""

    station_id: str
    command: RequestStop
    transaction: Transaction


@frozen
class TransactionMoved:
    """A transaction began, went on or ended; for the read model and the balancer."""

    transaction: Transaction
    event_type: EventType


@dataclass(frozen=True, slots=True)
class NeedsHeard:
    """A car has said what it wants; a limit is to follow (K15.FR.07)."""

    station_id: str
    needs: ChargingNeedsTold


@dataclass(frozen=True, slots=True)
class Log:
    """One line for people, without tokens."""

    line: str


Followup = (
    ReportStatus
    | ReportChargingState
    | AskStatus
    | RefreshAuthorization
    | StopAtStation
    | TransactionMoved
    | NeedsHeard
    | Log
)


@frozen
class Reply:
    answer: Answer
    followups: tuple[Followup, ...] = ()
    """In order; to be done after the answer has left."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that `answer_station` and `settle` know and await; one for the whole program."""

    slots: SlotTable
    books: TransactionBooks
    authorization: Authorization
    commit: Callable[[Sequence[Write]], Awaitable[None]]
    """Returns once all is on disk; raises StoreFailed when none of it is."""
    turn: Callable[[str], AbstractAsyncContextManager[object]]
    """A lock per station: from asking the books until they accepted."""
    ask_cloud: Callable[[IdToken], Awaitable[IdTokenInfo | None]]
    """Authorize upward within a deadline of a few seconds; None: no answer."""
    is_cloud_connected: Callable[[], bool]
    clock_utc: Callable[[], datetime]
    heartbeat_interval_s: int = 300
    forward_data: Callable[[str, DataSent], Awaitable[DataAnswered]] | None = None
    """DataTransfer of a vendor somebody cares for; None: nobody does."""
    sampling: Sampling = field(default_factory=Sampling)
    """What of the stations' samples the cloud gets."""
    whole_station_down: set[str] = field(default_factory=set)
    """Stations whose last word on the whole (1.6 connector 0) was Unavailable or Faulted."""


async def answer_station(
    event: Event,
    station_id: str,
    version: str,
    around: Surroundings,
    message_id: str | None = None,
) -> Reply:
    """Return what the station is answered, once everything billable is on disk.

    `message_id`: of its CALL, kept with what it brings.

    Raises StoreFailed when it is not: then the station must get no answer at all.
    """
    match event:
        case Booted():
            now = around.clock_utc()
            registered = Registered(RegistrationStatus.ACCEPTED, now, around.heartbeat_interval_s)
            return Reply(registered)
        case HeartbeatSent():
            return Reply(TimeTold(around.clock_utc()))
        case AuthorizeAsked():
            return await _authorize(event, station_id, around)
        case StatusChanged():
            return await _status(event, station_id, version, around, message_id)
        case TransactionChanged():
            return await _transaction(event, station_id, version, around, message_id)
        case MetersSampled():
            outcome = await _apply(event, station_id, version, around, message_id)
            return Reply(Acknowledged(), _moved(outcome, EventType.UPDATED))
        case SecurityEventOccurred():
            outcome = around.books.security_event(
                station_id,
                event,
                now_utc=around.clock_utc(),
                is_cloud_connected=around.is_cloud_connected(),
                message_id=message_id,
            )
            if outcome.writes:
                await around.commit(outcome.writes)
                around.books.accept(outcome)
            return Reply(Acknowledged())
        case ChargingNeedsTold():
            if around.slots.to_cloud(station_id, event.evse_id) is None:
                return Reply(Acknowledged())
            return Reply(NeedsNoted(), (NeedsHeard(station_id, event),))
        case DataSent():
            if around.forward_data is None:
                return Reply(DataAnswered("UnknownVendorId"))
            return Reply(await around.forward_data(station_id, event))
        case _:
            return Reply(Acknowledged())


async def settle(
    station_id: str, decide: Callable[[], Outcome], around: Surroundings
) -> tuple[Followup, ...]:
    """Store and accept what the books say of the cloud's answer; return what it asks for.

    `decide` is `lambda: books.cloud_answered_start(…)` or its like: it is called in the station's
    turn. Raises StoreFailed; then nothing has changed.
    """
    async with around.turn(station_id):
        outcome = decide()
        await _store(outcome, around)
    followups = _moved(outcome, EventType.UPDATED)
    if outcome.stop is None:
        return followups
    stopped = outcome.stop
    stop = StopAtStation(stopped.station_id, RequestStop(stopped.station_transaction_id), stopped)
    return (*followups, stop)


async def ask_about(id_token: IdToken, around: Surroundings) -> IdTokenInfo | None:
    """Ask the cloud and remember its word; None: it did not answer in time."""
    info = await around.ask_cloud(id_token)
    if info is not None:
        writes = around.authorization.learned(id_token, info, around.clock_utc())
        # A verdict is not billable: a full disk costs the memory of it, not the driver's answer.
        with suppress(StoreFailed):
            await around.commit(writes)
    return info


async def _authorize(event: AuthorizeAsked, station_id: str, around: Surroundings) -> Reply:
    info, followups = await _judge(event.id_token, station_id, around)
    return Reply(Judged(info), followups)


async def _judge(
    id_token: IdToken, station_id: str, around: Surroundings
) -> tuple[IdTokenInfo, tuple[Followup, ...]]:
    now = around.clock_utc()
    if around.books.remote.is_token_expected(station_id, id_token, now):
        return IdTokenInfo(AuthorizationStatus.ACCEPTED), ()
    is_connected = around.is_cloud_connected()
    verdict = around.authorization.judge(id_token, now_utc=now, is_cloud_connected=is_connected)
    if verdict.info is not None:
        is_fresh_enough = verdict.source is not Source.CACHE or not is_connected
        return verdict.info, () if is_fresh_enough else (RefreshAuthorization(id_token),)
    if (info := await ask_about(id_token, around)) is not None:
        return info, ()
    return _without_cloud(id_token, around), ()


def _without_cloud(id_token: IdToken, around: Surroundings) -> IdTokenInfo:
    verdict = around.authorization.judge(
        id_token, now_utc=around.clock_utc(), is_cloud_connected=False
    )
    return verdict.info or IdTokenInfo(AuthorizationStatus.UNKNOWN)


async def _transaction(
    event: TransactionChanged,
    station_id: str,
    version: str,
    around: Surroundings,
    message_id: str | None,
) -> Reply:
    outcome = await _apply(event, station_id, version, around, message_id)
    followups = _moved(outcome, event.event_type)
    transaction = outcome.transaction
    if event.charging_state is not None and transaction is not None and version != "ocpp1.6":
        followups += (ReportChargingState(transaction.cloud_evse, event.charging_state),)
    is_start = event.event_type is EventType.STARTED
    number = transaction.number if is_start and transaction and version == "ocpp1.6" else None
    if outcome.is_refused:
        invalid = IdTokenInfo(AuthorizationStatus.INVALID)
        return Reply(Judged(invalid, NO_TRANSACTION if version == "ocpp1.6" else None), followups)
    info = await _verdict(event, station_id, outcome, around)
    if info is None and number is not None:
        info = IdTokenInfo(AuthorizationStatus.ACCEPTED)  # 1.6: idTagInfo is required
    return Reply(Judged(info, number), followups)


async def _verdict(
    event: TransactionChanged, station_id: str, outcome: Outcome, around: Surroundings
) -> IdTokenInfo | None:
    """Judge the token of a transaction message, if it has one."""
    id_token, transaction = event.id_token, outcome.transaction
    if id_token is None:
        return None
    if outcome.is_remote:
        return IdTokenInfo(AuthorizationStatus.ACCEPTED)
    own = transaction.id_token if transaction else None
    is_own = own is not None and own.key == id_token.key
    if transaction is not None and is_own and transaction.verdict is not None:
        return IdTokenInfo(transaction.verdict)
    if event.event_type is EventType.ENDED:
        # It is over, whatever the token: no question to the cloud delays the answer.
        if is_own or around.authorization.may_stop(id_token, own, around.clock_utc()):
            return IdTokenInfo(AuthorizationStatus.ACCEPTED)
        return _without_cloud(id_token, around)
    # Its row asks the cloud anyway: an Authorize beside it would be one message too many.
    info, _ = await _judge(id_token, station_id, around)
    return info


async def _status(
    event: StatusChanged,
    station_id: str,
    version: str,
    around: Surroundings,
    message_id: str | None,
) -> Reply:
    if event.evse_id == 0:
        return Reply(Acknowledged(), _whole_station(event, station_id, around))
    cloud_evse = around.slots.to_cloud(station_id, event.evse_id)
    if cloud_evse is None:
        line = f"status.unknown_evse station={station_id} evse={event.evse_id}"
        return Reply(Acknowledged(), (Log(line),))
    outcome = await _apply(event, station_id, version, around, message_id)
    upstream = replace(event, evse_id=cloud_evse, connector_id=UPSTREAM_CONNECTOR)
    moved = _moved(outcome, EventType.UPDATED)
    return Reply(Acknowledged(), (ReportStatus(upstream), *moved))


def _whole_station(
    event: StatusChanged, station_id: str, around: Surroundings
) -> tuple[Followup, ...]:
    """Fold a word on the whole station onto its EVSEs: 0 upstream is the gateway (1.6 §4.9)."""
    if event.status in (ConnectorStatus.UNAVAILABLE, ConnectorStatus.FAULTED):
        around.whole_station_down.add(station_id)
        numbers = (
            around.slots.to_cloud(station_id, evse_id)
            for evse_id in around.slots.evses_of(station_id)
        )
        return tuple(
            ReportStatus(replace(event, evse_id=number, connector_id=UPSTREAM_CONNECTOR))
            for number in numbers
            if number is not None
        )
    if station_id in around.whole_station_down:
        around.whole_station_down.discard(station_id)
        return (AskStatus(station_id),)
    return ()


async def _apply(
    event: TransactionChanged | MetersSampled | StatusChanged,
    station_id: str,
    version: str,
    around: Surroundings,
    message_id: str | None,
) -> Outcome:
    async with around.turn(station_id):
        outcome = around.books.apply(
            station_id,
            version,
            event,
            now_utc=around.clock_utc(),
            is_cloud_connected=around.is_cloud_connected(),
            message_id=message_id,
        )
        await _store(outcome, around)
    return outcome


async def _store(outcome: Outcome, around: Surroundings) -> None:
    if outcome.writes:
        writes = around.sampling.thinned(outcome.writes)
        await around.commit(writes)
        around.sampling.stored(writes)
    around.books.accept(outcome)


def _moved(outcome: Outcome, event_type: EventType) -> tuple[Followup, ...]:
    followups: tuple[Followup, ...] = tuple(Log(note) for note in outcome.notes)
    if outcome.transaction is not None and outcome.rows:
        followups += (TransactionMoved(outcome.transaction, event_type),)
    return followups
