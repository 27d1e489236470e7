from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "deploy" / "site.example.yaml"


@pytest.fixture(scope="session")
def example() -> str:
    """The text of the example site file."""
    return EXAMPLE.read_text(encoding="utf-8")
