"""Who may import whom: the arrows of the README's picture, checked."""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TOUCHES = {
    "asyncio",
    "socket",
    "sqlite3",
    "aiosqlite",
    "time",
    "threading",
    "websockets",
    "pymodbus",
    "aiomqtt",
    "paho",
    "fastapi",
    "nicegui",
    "uvicorn",
    "apscheduler",
}
"""What only adapters, the simulation and the two entry points may import."""

WIRING = {"gateway.app", "gateway.assembly", "gateway.cli"}
FORBIDDEN = {
    "site_config": {"gateway", "load_balancer", *TOUCHES},
    "load_balancer": {"gateway", "logging", "pathlib", "random", *TOUCHES},
    "gateway": {
        "gateway.adapters",
        "gateway.simulation",
        "gateway.app",
        "gateway.assembly",
        "gateway.cli",
        *TOUCHES,
    },
    "gateway/adapters": {"gateway.simulation", "gateway.app", "gateway.assembly", "gateway.cli"},
    "gateway/simulation": {"gateway.app", "gateway.assembly", "gateway.cli"},
}
ENTRY_POINTS = {
    "gateway/app.py",
    "gateway/assembly.py",
    "gateway/__main__.py",
    *(path.relative_to(ROOT).as_posix() for path in (ROOT / "gateway/cli").glob("*.py")),
}
"""The wiring and the command line may know everybody."""

SHARED_SHELL = "gateway.adapters.peer"
"""OCPP-J over one WebSocket: the only adapter that other adapters may import."""

MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("site_config", "load_balancer", "gateway")
    for path in (ROOT / folder).rglob("*.py")
    if path.relative_to(ROOT).as_posix() not in ENTRY_POINTS
)


def imported_by(module: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rule_for(module: str) -> set[str]:
    folders = [folder for folder in FORBIDDEN if module.startswith(f"{folder}/")]
    return FORBIDDEN[max(folders, key=len)]


def is_below(name: str, forbidden: str) -> bool:
    return name == forbidden or name.startswith(f"{forbidden}.")


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_inwards(module: str) -> None:
    broken = {
        name for name in imported_by(module) for ban in rule_for(module) if is_below(name, ban)
    }

    assert not broken


ADAPTERS = [module for module in MODULES if module.startswith("gateway/adapters/")]


@pytest.mark.parametrize("module", ADAPTERS)
def test_adapters_do_not_import_one_another(module: str) -> None:
    own = _adapter_of(module.removesuffix(".py").replace("/", "."))

    others = {
        name
        for name in imported_by(module)
        if is_below(name, "gateway.adapters")
        and name != "gateway.adapters"
        and _adapter_of(name) != own
        and not is_below(name, SHARED_SHELL)
    }

    assert not others


def _adapter_of(name: str) -> str:
    """`store_reads` and `web.api` belong to the adapters `store` and `web`."""
    return name.split(".")[2].partition("_")[0]


def test_no_module_is_too_long_to_read() -> None:
    lengths = {
        m: (ROOT / m).read_text().count("\n")
        for m in [*MODULES, *ENTRY_POINTS]
        if (ROOT / m).exists()
    }

    assert {module: n for module, n in lengths.items() if n > 500} == {}


def pictured() -> set[str]:
    """Return every path that the README's picture of the folders names.

    A line at the margin is a folder of the top; those below it hold what is in that folder.
    """
    picture = (ROOT / "README.md").read_text().partition("<!-- tree -->")[2].split("```")[1]
    named, top = set(), ""
    for line in picture.strip().splitlines():
        names = re.match(r"(\s*)((?:[\w.-]+(?:/|\.py)\s*)+)", line)
        assert names, line
        if not names[1]:
            top = names[2].strip()
            named.add(top)
        else:
            named |= {top + name for name in names[2].split()}
    return named


def test_everything_in_the_readmes_picture_exists() -> None:
    assert {path for path in pictured() if not (ROOT / path).exists()} == set()


def test_every_package_is_in_the_readmes_picture() -> None:
    packages = {
        f"{folder.relative_to(ROOT).as_posix()}/"
        for folder in [*ROOT.iterdir(), *(ROOT / "gateway").iterdir()]
        if (folder / "__init__.py").exists()
    }

    assert packages <= pictured()


def test_every_top_folder_is_in_the_readmes_picture() -> None:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()] + [".*"]
    tops = {
        f"{folder.name}/"
        for folder in ROOT.iterdir()
        if folder.is_dir() and not any(fnmatch(folder.name, pattern) for pattern in ignored)
    }

    assert tops <= pictured()
