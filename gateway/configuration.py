"""The configuration in force: the table's defaults, over them what the cloud has changed. Pure.

What the cloud changes is kept (`SaveSetting`) and read by whoever it concerns with `number`, `flag`
or `text`; what only describes the gateway is told to `know` as it becomes known.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.commands import (
    ChangeConfiguration,
    ConfigurationAnswer,
    ConfigurationKey,
    GetConfiguration,
    GetVariables,
    SetVariables,
    StatusAnswer,
    VariableRef,
    VariableResult,
    VariablesAnswer,
)
from gateway.settings import SETTINGS, Setting
from gateway.writes import SaveSetting


@dataclass(frozen=True, slots=True)
class FleetSetting:
    """What the cloud wants of every charging station."""

    key: str
    variable: VariableRef
    value: str


class Configuration:
    """Values in force: the table's defaults, over them what the cloud has changed.

    Args:
        facts: values only the running gateway knows, by 1.6 key or `Component.Variable`, such as
            NumberOfConnectors; they replace the table's defaults.
        kept: what was changed before the restart.
    """

    def __init__(self, facts: dict[str, str], kept: Iterable[SaveSetting]) -> None:
        self._settings = {setting.name: setting for setting in SETTINGS}
        self._by_key = {setting.key.casefold(): setting for setting in SETTINGS if setting.key}
        self._by_variable = {
            _folded(setting.variable): setting for setting in SETTINGS if setting.variable
        }
        self._values = {name: setting.default for name, setting in self._settings.items()}
        self._values |= {name: value for name, value in facts.items() if name in self._settings}
        self._changed: set[str] = set()
        """Names of what the cloud has set."""
        self.take(row for row in kept if self._is_valid(row))

    def number(self, name: str) -> int:
        return int(self._values[name])

    def text(self, name: str) -> str:
        return self._values[name]

    def flag(self, name: str) -> bool:
        return self._values[name].lower() == "true"

    def know(self, name: str, value: str) -> None:
        """Tell the cloud so from now on, if it asks: a fact of the running gateway."""
        self._values[name] = value

    def for_stations(self) -> tuple[FleetSetting, ...]:
        """Return what the cloud has set that the charging stations are to act upon."""
        return tuple(
            FleetSetting(setting.key, VariableRef(*setting.variable[:2]), self._values[name])
            for name, setting in self._settings.items()
            if setting.is_fleet and setting.key and setting.variable and name in self._changed
        )

    # 1.6

    def get_keys(self, command: GetConfiguration) -> ConfigurationAnswer:
        """1.6 §5.8: unknown keys are listed, an empty request means all."""
        wanted = command.keys or tuple(setting.key for setting in SETTINGS if setting.key)
        known = tuple(
            ConfigurationKey(key, self._values[setting.name], setting.is_read_only)
            for key in wanted
            if (setting := self._by_key.get(key.casefold())) is not None
        )
        unknown = tuple(key for key in wanted if key.casefold() not in self._by_key)
        return ConfigurationAnswer(known, unknown)

    def change_key(
        self, command: ChangeConfiguration
    ) -> tuple[StatusAnswer, tuple[SaveSetting, ...]]:
        """1.6 §5.3. The value is in force once its write is committed and `take` was called."""
        setting = self._by_key.get(command.key.casefold())
        if setting is None:
            return StatusAnswer("NotSupported"), ()
        if setting.is_valid is None or not setting.is_valid(command.value):
            return StatusAnswer("Rejected"), ()
        return StatusAnswer("Accepted"), (SaveSetting(setting.name, command.value),)

    # 2.0.1

    def get_variables(self, command: GetVariables) -> VariablesAnswer:
        """One result for each asked, in order (B06.FR.01)."""
        return VariablesAnswer(tuple(map(self._get_variable, command.variables)))

    def set_variables(
        self, command: SetVariables
    ) -> tuple[VariablesAnswer, tuple[SaveSetting, ...]]:
        """One result for each asked, in order (B05.FR.01)."""
        results, writes = [], []
        for variable, value in command.variables:
            status = self._status_of(variable)
            setting = self._find(variable)
            if status == "Accepted" and setting is not None:
                if setting.is_valid is None or not setting.is_valid(value):
                    status = "Rejected"
                else:
                    writes.append(SaveSetting(setting.name, value))
            results.append(VariableResult(variable, status))
        return VariablesAnswer(tuple(results)), tuple(writes)

    def report_rows(self, *, is_full: bool) -> list[dict[str, object]]:
        """Return variables as 2.0.1 ReportDataType: all, or those that can be set (B07.FR.07)."""
        return [
            _report_row(setting, self._values[setting.name])
            for setting in SETTINGS
            if setting.variable is not None and (is_full or not setting.is_read_only)
        ]

    def take(self, writes: Iterable[SaveSetting]) -> None:
        """Put committed changes in force."""
        for write in writes:
            self._values[write.key] = write.value
            self._changed.add(write.key)

    def _is_valid(self, row: SaveSetting) -> bool:
        setting = self._settings.get(row.key)
        return setting is not None and setting.is_valid is not None and setting.is_valid(row.value)

    def _find(self, variable: VariableRef) -> Setting | None:
        if variable.evse_id is not None or variable.component_instance:
            return None
        name = (variable.component, variable.variable, variable.variable_instance or None)
        return self._by_variable.get(_folded(name))

    def _status_of(self, variable: VariableRef) -> str:
        if self._find(variable) is not None:
            return "Accepted" if variable.attribute == "Actual" else "NotSupportedAttributeType"
        components = {component for component, _, _ in self._by_variable}
        if variable.component.casefold() in components and variable.evse_id is None:
            return "UnknownVariable"
        return "UnknownComponent"

    def _get_variable(self, variable: VariableRef) -> VariableResult:
        status, setting = self._status_of(variable), self._find(variable)
        if status != "Accepted" or setting is None:
            return VariableResult(variable, status)
        return VariableResult(variable, status, self._values[setting.name])


def _folded(name: tuple[str, str, str | None]) -> tuple[str, str, str | None]:
    """Return a variable's name for comparison: letters of either case are the same."""
    component, variable, instance = name
    return component.casefold(), variable.casefold(), instance and instance.casefold()


def _report_row(setting: Setting, value: str) -> dict[str, object]:
    assert setting.variable is not None
    component, name, instance = setting.variable
    variable = {"name": name} | ({"instance": instance} if instance else {})
    return {
        "component": {"name": component},
        "variable": variable,
        "variableAttribute": [
            {
                "type": "Actual",
                "value": value,
                "mutability": "ReadOnly" if setting.is_read_only else "ReadWrite",
            }
        ],
        "variableCharacteristics": {"dataType": setting.data_type, "supportsMonitoring": False},
    }
