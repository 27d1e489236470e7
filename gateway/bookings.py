"""What one word of a station means for its transactions: which rows, which changed transaction.

Rule 1: a transaction has one STARTED, which is its first row, and at most one ENDED, its last.
Rule 2: nothing changes here; a `Draft` collects, and `TransactionBooks.accept` makes it true.
Rule 3: a station that lost us, its memory or our answer is believed as far as it can be, and
whatever was made up on the way stands in `notes`: one log line each, without tokens.

Rows carry upstream EVSE numbers, connector 1, and no transaction id: that is put in when sending.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.closings import NEW_ONE, close_by_rule, heard_late, keep_nobodys
from gateway.drafts import UPSTREAM_CONNECTOR, Draft
from gateway.events import (
    AuthorizationStatus,
    ChargingState,
    EventType,
    MetersSampled,
    StatusChanged,
    TransactionChanged,
)
from gateway.records import Transaction
from gateway.remote_asks import RemoteStart
from gateway.station_clocks import TOLERANCE_S
from gateway.told_registers import Told, continued_event, last_instant, registers_of

STATUS_OF_NOW = timedelta(seconds=10)
"""An older status was kept while the station was away, or its clock is wrong."""


def book(draft: Draft, event: TransactionChanged | MetersSampled | StatusChanged) -> None:
    """Say in `draft` what `event` means."""
    match event:
        case TransactionChanged(event_type=EventType.STARTED):
            _started(draft, event)
        case TransactionChanged(event_type=EventType.UPDATED):
            _updated(draft, event)
        case TransactionChanged():
            _ended(draft, event)
        case MetersSampled():
            _sampled(draft, event)
        case StatusChanged():
            _status_changed(draft, event)


def _started(draft: Draft, event: TransactionChanged) -> None:
    evse_id = _evse_of(draft, event)
    cloud_evse = draft.slots.to_cloud(draft.station_id, evse_id) if evse_id else None
    if evse_id is None or cloud_evse is None:
        draft.is_refused = True
        draft.note("transaction.refused", evse=evse_id, why="EVSE not in the site file")
        return
    if (known := _known_start(draft, event, evse_id)) is not None:
        draft.transaction = known
        if (
            known.started_told_at or known.started_at
        ) == event.told_at or known.ended_at is not None:
            draft.is_duplicate = True
        else:
            # Its Updated came first, so a Started was made up. The cloud gets the rest as news.
            _update(draft, known, replace(event, event_type=EventType.UPDATED))
        return
    for old in draft.table.running_on(draft.station_id, evse_id):
        if old.started_at <= event.at:
            close_by_rule(draft, old, NEW_ONE)
    _open(draft, event, evse_id, cloud_evse)


def _known_start(draft: Draft, event: TransactionChanged, evse_id: int) -> Transaction | None:
    if draft.is_numbered:
        # c6: our answer was lost, the station says the same again.
        return draft.table.same_start(
            draft.station_id,
            evse_id,
            connector_id=event.connector_id or UPSTREAM_CONNECTOR,
            told_at=event.told_at,
            register_wh=event.register_wh,
            id_token=event.id_token,
        )
    known = draft.table.by_station_id(draft.station_id, event.transaction_id or "")
    if known is not None and event.told_at > _newest_told(known):
        return None  # the station uses an id again
    return known


def _newest_told(known: Transaction) -> datetime:
    """Return its end, or its start, by the station's own clock."""
    if known.ended_at is not None:
        return known.ended_told_at or known.ended_at
    return known.started_told_at or known.started_at


def _open(draft: Draft, event: TransactionChanged, evse_id: int, cloud_evse: int) -> Transaction:
    """Begin a transaction; `event` is its STARTED."""
    number = draft.new_number()
    registers = registers_of(event, is_numbered=draft.is_numbered)
    token = event.id_token if event.id_token and event.id_token.value else None
    remote = _remote_start(draft, event, evse_id)
    draft.used = remote
    remote_start_id = remote.remote_start_id if remote else event.remote_start_id
    if draft.is_numbered and event.charging_state is None:
        event = replace(event, charging_state=ChargingState.EV_CONNECTED)
    register_start_wh = registers.begin_wh if registers.begin_wh is not None else registers.first_wh
    transaction = Transaction(
        number=number,
        uuid=draft.new_uuid(),
        station_id=draft.station_id,
        evse_id=evse_id,
        connector_id=event.connector_id or UPSTREAM_CONNECTOR,
        cloud_evse=cloud_evse,
        started_at=event.at,
        station_transaction_id=str(number) if draft.is_numbered else event.transaction_id or "",
        id_token=token,
        register_start_wh=register_start_wh,
        register_last_wh=registers.last_wh,
        charging_state=event.charging_state,
        remote_start_id=remote_start_id,
        is_start_queued=True,
        last_heard_at=last_instant(event),
        started_told_at=_doubtful(draft, event),
        clock_shift_s=event.clock_shift_s,
    )
    draft.save(transaction)
    started = replace(event, register_wh=register_start_wh, remote_start_id=remote_start_id)
    if remote is not None:
        started = replace(started, trigger_reason="RemoteStart")  # F02.FR.21
    draft.send(cloud_evse, started, transaction)
    return transaction


def _doubtful(draft: Draft, event: TransactionChanged) -> datetime | None:
    """Return the station's own time of an event where it is not, or could not be, believed."""
    is_checked = abs((draft.now_utc - event.at).total_seconds()) <= TOLERANCE_S
    return None if is_checked and not event.clock_shift_s else event.told_at


def _updated(draft: Draft, event: TransactionChanged) -> None:
    transaction = _found_or_opened(draft, event)
    if transaction is not None:
        _update(draft, transaction, event)


def _update(draft: Draft, transaction: Transaction, event: TransactionChanged) -> None:
    if transaction.ended_at is not None:
        _late(draft, transaction, event)
        return
    event, told = continued_event(draft, transaction, event)
    if event.remote_start_id is not None:
        # F01.FR.25: the car was plugged in before; what was expected has come.
        draft.used = _remote_start(draft, event, transaction.evse_id)
        transaction = replace(transaction, remote_start_id=event.remote_start_id)
    transaction = draft.save(_with_news(transaction, event, told))
    draft.send(transaction.cloud_evse, event, transaction)


def _with_news(before: Transaction, event: TransactionChanged, told: Told) -> Transaction:
    registers = told.registers
    last_wh = before.register_last_wh if told.last_wh is None else told.last_wh
    start_wh = before.register_start_wh
    if start_wh is None:
        start_wh = registers.begin_wh if registers.begin_wh is not None else registers.first_wh
    token = before.id_token
    if token is None and event.id_token is not None and event.id_token.value:
        token = event.id_token
    return replace(
        before,
        register_start_wh=start_wh,
        register_last_wh=last_wh,
        register_offset_wh=told.offset_wh,
        id_token=token,
        charging_state=event.charging_state or before.charging_state,
        last_heard_at=max(before.last_heard_at or before.started_at, last_instant(event)),
    )


def _ended(draft: Draft, event: TransactionChanged) -> None:
    transaction = _found_or_opened(draft, event)
    if transaction is None:
        return
    is_over = transaction.ended_at is not None
    event, told = continued_event(draft, transaction, event)
    end_wh = told.last_wh
    if is_over:
        draft.transaction = transaction
        draft.is_duplicate = True
        if transaction.is_estimated and transaction.ended_told_at is None:
            heard_late(draft, transaction, replace(event, register_wh=end_wh), end_wh)
        return
    news = _with_news(transaction, event, told)
    if draft.is_numbered and event.stopped_reason is None:
        event = _reason_left_out(draft, transaction, event)
    is_remote = event.stopped_reason == "Remote" or event.trigger_reason == "RemoteStop"
    if is_remote and is_refused(news):
        # 1.6 §3.5.4: we stopped it because the cloud did not accept its token.
        event = replace(event, stopped_reason="DeAuthorized", trigger_reason="Deauthorized")
    if event.at < transaction.started_at:
        draft.note("transaction.ended_before_start", transaction=news.number, at=event.at)
    told_at = event.told_at if event.clock_shift_s else None
    news = replace(news, ended_at=event.at, ended_told_at=told_at)
    news = draft.save(replace(news, stopped_reason=event.stopped_reason))
    draft.send(news.cloud_evse, replace(event, register_wh=end_wh), news)


def _reason_left_out(
    draft: Draft, transaction: Transaction, event: TransactionChanged
) -> TransactionChanged:
    """1.6 §6.49: what names no reason is Local; there are stations that never name one."""
    if transaction.number in draft.remote.stops:
        return replace(event, stopped_reason="Remote", trigger_reason="RemoteStop")
    return replace(event, stopped_reason="Local")


def _late(draft: Draft, transaction: Transaction, event: TransactionChanged) -> None:
    """Keep the meter values of an event that comes after the end; the end stays the last row."""
    draft.note("transaction.late_event", transaction=transaction.number, at=event.at)
    draft.transaction = transaction
    if event.meter_values:
        sampled = MetersSampled(transaction.cloud_evse, UPSTREAM_CONNECTOR, event.meter_values)
        draft.send(transaction.cloud_evse, sampled)


def _found_or_opened(draft: Draft, event: TransactionChanged) -> Transaction | None:
    """Return the transaction an Updated or Ended is about."""
    if draft.is_numbered:
        if (found := _by_number_or_guess(draft, event)) is None:
            draft.note("transaction.unknown", told=event.transaction_id, at=event.at)
            if event.event_type is EventType.ENDED and not _was_ours(draft, event):
                keep_nobodys(draft, event)
        return found
    known = draft.table.by_station_id(draft.station_id, event.transaction_id or "")
    if known is not None:
        return known
    evse_id = _evse_of(draft, event)
    cloud_evse = draft.slots.to_cloud(draft.station_id, evse_id) if evse_id else None
    if evse_id is None or cloud_evse is None:
        draft.note("transaction.unknown", evse=evse_id, at=event.at)
        return None
    draft.note("transaction.start_made_up", evse=evse_id, at=event.at)
    for old in draft.table.running_on(draft.station_id, evse_id):
        close_by_rule(draft, old, NEW_ONE)
    registers = registers_of(event, is_numbered=draft.is_numbered)
    started = TransactionChanged(
        EventType.STARTED,
        _first_instant(event),
        event.transaction_id,
        "AbnormalCondition",
        0,
        evse_id=evse_id,
        connector_id=event.connector_id,
        id_token=event.id_token,
        is_offline=event.is_offline,
        charging_state=event.charging_state,
        register_wh=registers.begin_wh if registers.begin_wh is not None else registers.first_wh,
    )
    return _open(draft, started, evse_id, cloud_evse)


def _by_number_or_guess(draft: Draft, event: TransactionChanged) -> Transaction | None:
    """Return the transaction of a numbered station's Stop (c4.7).

    A number we never gave (-1, 0, a former CSMS's) is matched by token and time, if only one
    running transaction fits; one we gave and forgot was ended long ago.
    """
    number = _number(event.transaction_id)
    found = draft.table.by_number(number) if number is not None else None
    if found is not None and found.station_id == draft.station_id:
        return found
    if _was_ours(draft, event):
        return None
    running = [
        found
        for found in draft.table.running_at(draft.station_id)
        if event.evse_id in (None, found.evse_id) and found.started_at <= event.at
    ]
    if event.id_token is not None:
        key = event.id_token.key
        same = [found for found in running if found.id_token and found.id_token.key == key]
        running = same or running  # a token of the same group may stop it too
    return running[0] if len(running) == 1 else None


def _was_ours(draft: Draft, event: TransactionChanged) -> bool:
    """Whether we gave the number and have forgotten it: all of it was delivered long ago."""
    number = _number(event.transaction_id)
    if number is None or not 0 < number < draft.next_number:
        return False
    return draft.table.by_number(number) is None


def _sampled(draft: Draft, event: MetersSampled) -> None:
    cloud_evse = draft.slots.to_cloud(draft.station_id, event.evse_id)
    if cloud_evse is None:
        # Of 0 too: upstream that is the gateway itself, and a station's main meter is not its.
        draft.note("meters.kept_here", evse=event.evse_id)
        return
    transaction = _sampled_transaction(draft, event)
    if transaction is None or transaction.ended_at is not None:
        values = MetersSampled(cloud_evse, UPSTREAM_CONNECTOR, event.meter_values)
        draft.send(cloud_evse, values, None)
        return
    if not event.meter_values:
        return
    updated = TransactionChanged(
        EventType.UPDATED,
        max(value.at for value in event.meter_values),
        None,
        _sampling_trigger(event),
        0,
        evse_id=cloud_evse,
        connector_id=UPSTREAM_CONNECTOR,
        is_offline=not draft.is_cloud_connected,
        meter_values=event.meter_values,
    )
    _update(draft, transaction, updated)


def _sampled_transaction(draft: Draft, event: MetersSampled) -> Transaction | None:
    number = _number(event.transaction_id) if draft.is_numbered else None
    if number is not None and 0 < number < draft.next_number:
        found = draft.table.by_number(number)
        if found is None or found.station_id == draft.station_id:
            return found
    running = draft.table.running_on(draft.station_id, event.evse_id)
    return running[-1] if running else None


def _sampling_trigger(event: MetersSampled) -> str:
    contexts = {sample.context for value in event.meter_values for sample in value.samples}
    if "Sample.Clock" in contexts:
        return "MeterValueClock"
    return "Trigger" if "Trigger" in contexts else "MeterValuePeriodic"


def _status_changed(draft: Draft, event: StatusChanged) -> None:
    running = draft.table.running_on(draft.station_id, event.evse_id)
    state = event.charging_state
    if not draft.is_numbered or not running or state is None or state is ChargingState.IDLE:
        return  # Idle is what follows the end; a 2.0.1 station tells its states itself
    transaction = running[-1]
    at = event.at or draft.now_utc
    if state is transaction.charging_state or at < transaction.started_at:
        return  # older than the transaction: a stale status told again after a reconnect
    if draft.now_utc - at > STATUS_OF_NOW:
        # MicroOcpp tells the statuses of an outage first, then the end of this transaction and
        # the start of the one they may be of: upward it would be out of order, or another's.
        draft.save(replace(transaction, charging_state=state))
        return
    updated = TransactionChanged(
        EventType.UPDATED, at, None, "ChargingStateChanged", 0, charging_state=state
    )
    _update(draft, transaction, updated)


def is_refused(transaction: Transaction) -> bool:
    """Whether the cloud did not accept the token this transaction runs on."""
    return transaction.verdict not in (None, AuthorizationStatus.ACCEPTED)


def _evse_of(draft: Draft, event: TransactionChanged) -> int | None:
    if event.evse_id:
        return event.evse_id
    evses = draft.slots.evses_of(draft.station_id)
    return evses[0] if len(evses) == 1 else None


def _remote_start(draft: Draft, event: TransactionChanged, evse_id: int) -> RemoteStart | None:
    for expected in reversed(draft.remote.starts):
        is_there = expected.station_id == draft.station_id
        is_there = is_there and expected.evse_id in (None, evse_id)
        token_fits = event.id_token is None or event.id_token.key == expected.token_key
        if is_there and token_fits and draft.now_utc <= expected.until:
            return expected
    return None


def _first_instant(event: TransactionChanged) -> datetime:
    return min([event.at, *(value.at for value in event.meter_values)])


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None
