"""What the command line says when it cannot start."""

import socket

from typer.testing import CliRunner

from gateway.cli import app

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
