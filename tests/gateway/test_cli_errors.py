"""What the command line says when it cannot start."""

import asyncio
import socket
from datetime import UTC, datetime

from typer.testing import CliRunner

from gateway.adapters.store import open_store
from gateway.cli import app
from gateway.records import Transaction
from gateway.writes import SaveTransaction

SITE = """
site: {{id: one, name: One}}
cloud: {{url: "ws://127.0.0.1:9", identity: ONE}}
csms: {{listen: "127.0.0.1:{port}"}}
circuits: {{grid: {{rating_a: 63}}}}
stations: {{CP: {{circuit: grid, safe_current_a: 6, evses: {{1: {{}}}}}}}}
"""


def test_an_address_that_is_taken_is_said_with_what_to_do(tmp_path):
    site = tmp_path / "site.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.write_text(SITE.format(port=taken.getsockname()[1]))

        result = CliRunner().invoke(app, ["run", str(site), "--data", str(tmp_path / "data")])

    assert result.exit_code == 1
    assert "the address is taken: stop the gateway" in result.stderr


METERED = (
    SITE.replace("{{rating_a: 63}}", "{{rating_a: 63, meter: grid}}")
    + 'meters: {{grid: {{model: eastron-sdm630, url: "tcp://127.0.0.1:1"}}}}'
)


def test_nobody_commissions_while_somebody_charges_by_the_books(tmp_path):
    """What a car ends with would be told to a gateway that forgets it."""
    began = datetime(2026, 6, 1, tzinfo=UTC)

    async def fill():
        store = await open_store(tmp_path / "gateway.db")
        await store.commit(
            [
                SaveTransaction(Transaction(1, "u-1", "CP-1", 1, 1, 1, began, "1", ended_at=began)),
                SaveTransaction(Transaction(2, "u-2", "CP-2", 1, 1, 2, began, "2")),
            ]
        )
        await store.close()

    asyncio.run(fill())
    site = tmp_path / "site.yaml"
    site.write_text(METERED.format(port=1))

    result = CliRunner().invoke(app, ["commission", str(site), "--data", str(tmp_path)])

    assert result.exit_code == 2
    told = " ".join(result.stdout.split())
    assert told.startswith("CP-2/1 charge by the books in")
    assert "have them unplugged" in told
