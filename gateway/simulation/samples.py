"""What an EVSE's own meter shows, as the sampled values of both versions. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.ocpp.frames import Payload
from gateway.simulation.evse import SimulatedEvse


@dataclass(frozen=True, slots=True)
class Sample:
    measurand: str
    value: float
    unit: str
    phase: str | None = None


def samples_of(evse: SimulatedEvse, measurands: Sequence[str], is_kwh: bool) -> list[Sample]:
    """Return one full sample, the energy register in whole Wh (or kWh with five decimals)."""
    found: list[Sample] = []
    for measurand in measurands:
        found += _read(evse, measurand, is_kwh)
    return found


def _read(evse: SimulatedEvse, measurand: str, is_kwh: bool) -> list[Sample]:
    conductors = range(evse.hardware.conductors)
    match measurand:
        case "Energy.Active.Import.Register" if is_kwh:
            return [Sample(measurand, round(evse.register / 1000, 5), "kWh")]
        case "Energy.Active.Import.Register":
            return [Sample(measurand, evse.register, "Wh")]
        case "Power.Active.Import":
            return [Sample(measurand, round(evse.power_w, 1), "W")]
        case "Current.Import" if (outlet_v := evse.hardware.outlet_v) is not None:
            return [Sample(measurand, round(evse.power_w / outlet_v, 2), "A")]
        case "Voltage" if (outlet_v := evse.hardware.outlet_v) is not None:
            return [Sample(measurand, outlet_v, "V")]
        case "Current.Import":
            return [
                Sample(measurand, round(evse.currents_a[n], 2), "A", f"L{n + 1}")
                for n in conductors
            ]
        case "Voltage":
            return [
                Sample(measurand, round(evse.voltage_v, 1), "V", f"L{n + 1}-N") for n in conductors
            ]
        case "SoC" if evse.car:
            return [Sample(measurand, round(evse.car.state_of_charge * 100), "Percent")]
    return []


def meter_value_16(samples: Sequence[Sample], timestamp: str, context: str) -> Payload:
    """Write the samples as 1.6 does: values are text."""
    values: list[Payload] = []
    for sample in samples:
        value: Payload = {
            "value": f"{sample.value:.5f}" if sample.unit == "kWh" else f"{sample.value:g}",
            "context": context,
            "measurand": sample.measurand,
            "unit": sample.unit,
        }
        if sample.unit in ("Wh", "Percent"):
            value["value"] = str(int(sample.value))
        if sample.phase:
            value["phase"] = sample.phase
        values.append(value)
    return {"timestamp": timestamp, "sampledValue": values}


def meter_value_201(samples: Sequence[Sample], timestamp: str, context: str) -> Payload:
    """Write the samples as 2.0.1 does: values are numbers."""
    values: list[Payload] = []
    for sample in samples:
        value: Payload = {
            "value": sample.value,
            "context": context,
            "measurand": sample.measurand,
            "unitOfMeasure": {"unit": sample.unit},
        }
        if sample.phase:
            value["phase"] = sample.phase
        values.append(value)
    return {"timestamp": timestamp, "sampledValue": values}
