"""What a foreign cloud has to bill: every start with its one stop, energies in Wh."""

import json

ENERGY = "Energy.Active.Import.Register"


def billed_by(version, cloud):
    """Return what has begun and ended, sorted: (EVSE, token, begin, end).

    A message that came again, as it may after a kill, counts once when it is the same word for
    word; anything else that is not one start and one stop for each transaction fails.
    """
    return _billed_1_6(cloud) if version == "ocpp1.6" else _billed_2_0_1(cloud)


def _once(lines):
    return list({json.dumps(line["payload"], sort_keys=True): line for line in lines}.values())


def _billed_1_6(cloud):
    starts = _once(cloud.process.events("call", action="StartTransaction"))
    stops = _once(cloud.process.events("call", action="StopTransaction"))
    stop_of = {line["payload"]["transactionId"]: line["payload"] for line in stops}
    assert len(stop_of) == len(stops)
    numbers = [line["result"]["transactionId"] for line in starts]
    assert len(set(numbers)) == len(starts)
    assert stop_of.keys() <= set(numbers)
    return sorted(
        (
            start["connectorId"],
            start["idTag"],
            start["meterStart"],
            stop_of[line["result"]["transactionId"]]["meterStop"],
        )
        for line in starts
        for start in [line["payload"]]
        if line["result"]["transactionId"] in stop_of
    )


def _billed_2_0_1(cloud):
    transactions = {}
    for line in _once(cloud.process.events("call", action="TransactionEvent")):
        event = line["payload"]
        transactions.setdefault(event["transactionInfo"]["transactionId"], []).append(event)
    billed = []
    for events in transactions.values():
        assert [event["seqNo"] for event in events] == list(range(len(events)))
        kinds = [event["eventType"] for event in events]
        assert kinds[0] == "Started"
        assert not {"Started", "Ended"} & set(kinds[1:-1])
        if kinds[-1] == "Ended":
            billed.append(
                (
                    next(event["evse"]["id"] for event in events if "evse" in event),
                    next(event["idToken"]["idToken"] for event in events if "idToken" in event),
                    _energy_wh(events[0], "Transaction.Begin"),
                    _energy_wh(events[-1], "Transaction.End"),
                )
            )
    return sorted(billed)


def _energy_wh(event, context):
    """Return the one energy register of an event that has this context."""
    (found_wh,) = [
        sample["value"]
        for value in event["meterValue"]
        for sample in value["sampledValue"]
        if sample["context"] == context
        and sample["measurand"] == ENERGY
        and sample["unitOfMeasure"] == {"unit": "Wh"}
    ]
    return found_wh
