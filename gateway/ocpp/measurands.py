"""The words of meter values that both versions share, and those only one has. Pure.

Checked in the official schemas: contexts, locations and phases are the same; 1.6 alone has RPM and
Temperature, 2.0.1 alone the net and the apparent energies.
"""

_BOTH = frozenset(
    {
        "Current.Export",
        "Current.Import",
        "Current.Offered",
        "Energy.Active.Export.Interval",
        "Energy.Active.Export.Register",
        "Energy.Active.Import.Interval",
        "Energy.Active.Import.Register",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Import.Register",
        "Frequency",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Factor",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "SoC",
        "Voltage",
    }
)

MEASURANDS_1_6 = _BOTH | {"RPM", "Temperature"}

MEASURANDS_2_0_1 = _BOTH | {
    "Energy.Active.Net",
    "Energy.Apparent.Export",
    "Energy.Apparent.Import",
    "Energy.Apparent.Net",
    "Energy.Reactive.Net",
}

CONTEXTS = frozenset(
    {
        "Interruption.Begin",
        "Interruption.End",
        "Other",
        "Sample.Clock",
        "Sample.Periodic",
        "Transaction.Begin",
        "Transaction.End",
        "Trigger",
    }
)

LOCATIONS = frozenset({"Body", "Cable", "EV", "Inlet", "Outlet"})

PHASES = frozenset({"L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"})

UNITS_1_6 = {
    unit.casefold(): unit
    for unit in (
        "Wh",
        "kWh",
        "varh",
        "kvarh",
        "W",
        "kW",
        "VA",
        "kVA",
        "var",
        "kvar",
        "A",
        "V",
        "K",
        "Celsius",
        "Fahrenheit",
        "Percent",
    )
}
"""By their spelling without case: 2.0.1 units are free text."""
