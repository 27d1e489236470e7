"""`site-gateway outbox` and `transactions`, as people and scripts use them, on real files."""

import asyncio
import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.adapters import store_cli, store_file
from gateway.adapters.store import open_store
from gateway.cli import app
from gateway.events import (
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    TransactionChanged,
)
from gateway.records import OutboxRow, Transaction
from gateway.writes import Confirm, Enqueue, MarkSent, Quarantine, SaveTransaction

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOKEN = IdToken("04A2B3C4D5E6F7")


def row(id_, number, **fields):
    event = MetersSampled(number, 1, (MeterValue(NOON, (SampledValue("1.50"),)),))
    return Enqueue(OutboxRow(id_, f"evse/{number}", event, number, NOON, **fields))


def transaction(number, **fields):
    began = NOON + timedelta(hours=number)
    return SaveTransaction(
        Transaction(
            number, f"u-{number}", f"CP-0{number}", 1, 1, number, began, str(number), TOKEN,
            1000.0, 8500.0, is_start_queued=True, **fields,
        )
    )  # fmt: skip


START = TransactionChanged(EventType.STARTED, NOON, None, "Authorized", 0, 1, 1, TOKEN)


async def fill(database):
    store = await open_store(database)
    await store.commit(
        [
            transaction(1, ended_at=NOON + timedelta(hours=9)),
            transaction(2),
            Enqueue(OutboxRow(1, "evse/1", START, 1, NOON, station_message_id="from-station")),
            *(row(id_, 1) for id_ in range(2, 6)),
            *(row(id_, 2) for id_ in range(6, 9)),
        ]
    )
    await store.commit([MarkSent((1,), "to-cloud", b"{}", "ocpp1.6", at=NOON)])
    await store.commit([Confirm((1,), NOON + timedelta(seconds=1))])
    await store.commit([Quarantine(2, NOON, "FormatViolation", "no [such] thing")])
    await store.commit([Quarantine(6, NOON, "no-answer", "")])
    await store.close()


@pytest.fixture
def data(tmp_path):
    asyncio.run(fill(tmp_path / "gateway.db"))
    return tmp_path


@pytest.fixture
def gateway(data, monkeypatch):
    monkeypatch.setattr(store_cli, "console", Console(width=200))
    monkeypatch.setattr(store_cli, "errors", Console(width=200, stderr=True))

    def run(*words, answer=None):
        return CliRunner().invoke(app, [*map(str, words), "--data", str(data)], input=answer)

    return run


def quarantined_ids(gateway):
    told = json.loads(gateway("outbox", "list", "--quarantined", "--json").stdout)
    return [row["id"] for row in told]


def test_the_list_shows_lanes_ages_and_what_the_cloud_said(gateway):
    result = gateway("outbox", "list")

    assert result.exit_code == 0
    assert "evse/1" in result.stdout
    assert "FormatViolation no [such] thing" in result.stdout
    assert "days" in result.stdout


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ((), [3, 4, 5, 7, 8, 2, 6]),
        (("--lane", "evse/1"), [3, 4, 5, 2]),
        (("--transaction", "2"), [7, 8, 6]),
        (("--limit", "1"), [3, 2, 6]),
        (("--quarantined",), [2, 6]),
        (("--lane", "evse/9"), []),
    ],
)
def test_the_list_is_filtered(gateway, filters, ids):
    told = json.loads(gateway("outbox", "list", "--json", *filters).stdout)

    assert [row["id"] for row in told] == ids


def test_an_export_holds_every_row_as_lines_or_as_a_table(gateway, tmp_path):
    lines, table = tmp_path / "rows.jsonl", tmp_path / "rows.csv"

    results = [gateway("outbox", "export", target) for target in (lines, table)]
    piped = gateway("outbox", "export", "-", "--lane", "evse/2")

    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [result.exit_code for result in results] == [0, 0]
    assert sorted(row["id"] for row in rows) == [2, 3, 4, 5, 6, 7, 8]
    assert rows[0]["event"]["meter_values"][0]["samples"][0]["value"] == "1.50"
    cells = list(csv.DictReader(io.StringIO(table.read_bytes().decode())))
    assert [int(cell["id"]) for cell in cells] == [row["id"] for row in rows]
    assert {json.loads(line)["id"] for line in piped.stdout.splitlines()} == {6, 7, 8}


@pytest.mark.parametrize(
    ("words", "answer", "exit_code", "left"),
    [
        (("retry", 2), None, 0, [6]),
        (("retry", 2, 6, "--yes"), None, 0, []),
        (("retry", "--all", "--code", "no-answer"), None, 0, [2]),
        (("retry", "--all"), None, 1, [2, 6]),
        (("discard", 2), None, 1, [2, 6]),
        (("discard", 2, "--yes"), None, 0, [6]),
        (("discard", "--all", "--lane", "evse/2", "--yes"), None, 0, [2]),
        (("retry", 99), None, 1, [2, 6]),
        (("retry", 2, 99, "--yes"), None, 1, [2, 6]),
        (("retry",), None, 2, [2, 6]),
        (("retry", 2, "--all"), None, 2, [2, 6]),
    ],
    ids=str,
)
def test_only_what_is_named_is_decided_about_and_giving_up_needs_a_yes(
    gateway, words, answer, exit_code, left
):
    result = gateway("outbox", *words, answer=answer)

    assert result.exit_code == exit_code, result.output
    assert quarantined_ids(gateway) == left


def test_a_running_gateway_keeps_others_from_changing_and_says_what_to_do(gateway, data):
    with closing(store_file.lock(data / "gateway.db")):
        refused = gateway("outbox", "retry", 2)
        looked = gateway("outbox", "list")

    assert refused.exit_code == 1
    assert "in use by another gateway" in refused.stderr
    assert "StoreFailed" not in refused.stderr
    assert "Stop it, or use its page" in refused.stderr
    assert looked.exit_code == 0


@pytest.mark.parametrize("command", [("outbox", "list"), ("transactions", "list")])
def test_where_there_is_no_database_it_says_so_and_makes_none(command, tmp_path):
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.mkdir()

    results = [CliRunner().invoke(app, [*command, "--data", str(d)]) for d in (missing, empty)]

    assert [result.exit_code for result in results] == [2, 2]
    assert "no directory" in results[0].stderr
    assert "no database" in results[1].stderr
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(("schema", "words"), [(1, "start the gateway"), (9999, "newer version")])
def test_a_file_of_another_version_is_said_in_words(gateway, data, schema, words):
    with closing(sqlite3.connect(data / "gateway.db")) as connection:
        connection.execute(f"PRAGMA user_version = {schema}")

    result = gateway("outbox", "list")

    assert result.exit_code == 1
    assert words in result.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ((), [2, 1]),
        (("--running",), [2]),
        (("--station", "CP-01"), [1]),
        (("--since", "2026-06-01T16:00:00+02:00"), [2]),
        (("--until", "2026-06-01T14:00:00Z"), [1]),
        (("--limit", "1"), [2]),
    ],
)
def test_transactions_are_listed_the_newest_first_and_without_whole_tokens(
    gateway, filters, numbers
):
    told = gateway("transactions", "list", "--json", *filters)
    table = gateway("transactions", "list", "--csv", *filters)
    shown = gateway("transactions", "list", *filters)

    assert [row["number"] for row in json.loads(told.stdout)] == numbers
    cells = list(csv.DictReader(io.StringIO(table.stdout)))
    assert [int(cell["number"]) for cell in cells] == numbers
    assert "7.500" in shown.stdout
    assert TOKEN.value not in told.stdout + table.stdout + shown.stdout


def test_a_transaction_is_followed_from_the_station_to_the_cloud(gateway):
    shown = gateway("transactions", "show", 1)
    told = json.loads(gateway("transactions", "show", 1, "--json").stdout)
    table = list(csv.DictReader(io.StringIO(gateway("transactions", "show", 1, "--csv").stdout)))

    assert "from-station" in shown.stdout
    assert "to-cloud" in shown.stdout
    assert [step["state"] for step in told["steps"]] == [
        *("confirmed", "quarantined", "waiting", "waiting", "waiting")
    ]
    assert [row["kind"] for row in table] == ["Started"] + 4 * ["MeterValues"]


@pytest.mark.parametrize("columns", [80, 100, 120, 200])
def test_no_terminal_is_too_narrow_for_the_times_of_a_message(gateway, monkeypatch, columns):
    monkeypatch.setattr(store_cli, "console", Console(width=columns))

    lines = gateway("transactions", "show", 1).stdout.splitlines()

    way = lines[next(n for n, line in enumerate(lines) if "The way of its messages" in line) :]
    assert max(map(len, way)) <= columns
    assert sum(line.count("12:00:00") for line in way) == 7  # 5 received, 1 sent, 1 given up
    assert sum(line.count("12:00:01") for line in way) == 1


def test_an_unknown_transaction_and_nonsense_are_said_in_words(gateway):
    unknown = gateway("transactions", "show", 99)
    zoneless = gateway("transactions", "list", "--since", "2026-06-01T00:00:00")

    assert unknown.exit_code == 1
    assert "no transaction 99" in unknown.stderr
    assert zoneless.exit_code == 2
    assert "time zone" in zoneless.stderr.replace("\n", " ")


def test_a_quarantined_row_is_mended_at_the_command_line(gateway):
    path = "meter_values.0.samples.0.value"

    done = gateway("outbox", "edit", 2, "--set", f"{path}=99", "--note", "typing error")

    # VALUE is JSON where it can be: a number is no text of a sample
    assert done.exit_code == 1
    done = gateway("outbox", "edit", 2, "--set", f'{path}="99"', "--note", "typing error")
    assert done.exit_code == 0
    assert f'{path}: "1.50" is now "99"' in done.stderr
    (told, _) = json.loads(gateway("outbox", "list", "--quarantined", "--json").stdout)
    assert told["event"]["meter_values"][0]["samples"][0]["value"] == "99"


def test_a_whole_event_is_put_back_from_a_file(gateway, tmp_path):
    (told, _) = json.loads(gateway("outbox", "list", "--quarantined", "--json").stdout)
    told["event"]["meter_values"][0]["at"] = "2026-06-01T15:00:00+02:00"
    file = tmp_path / "event.json"
    file.write_text(json.dumps(told["event"]))

    done = gateway("outbox", "edit", 2, "--file", file, "--note", "clock was wrong")

    assert done.exit_code == 0, done.stderr
    assert "meter_values.0.at" in done.stderr


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        ((2, "--note", "x"), 2),
        ((2, "--note", "x", "--set", "nonsense"), 2),
        ((2, "--set", "evse_id=4"), 2),
        ((2, "--note", "x", "--set", "evse_id=4"), 1),
        ((99, "--note", "x", "--set", "evse_id=4"), 1),
        ((2, "--note", "x", "--file", "/nowhere"), 2),
    ],
    ids=str,
)
def test_an_edit_that_makes_no_sense_changes_nothing_and_says_why(gateway, words, exit_code):
    assert gateway("outbox", "edit", *words).exit_code == exit_code
