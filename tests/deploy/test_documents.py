"""README and runbook name only what there is: commands, tests, keys, log lines, files."""

import itertools
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from gateway import metrics
from gateway.adapters.web.api import api, open_to_all
from gateway.adapters.web.api_evses import evses
from gateway.cli import app
from gateway.meters.model import known_models, parse_model
from load_balancer.reasons import Rule
from site_config.load import parse_site
from site_config.proof import prove
from site_config.schema import site_schema

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
RUNBOOK = (ROOT / "deploy" / "runbook.md").read_text()
SOURCE = "\n".join(
    path.read_text() for top in ("gateway", "load_balancer") for path in (ROOT / top).rglob("*.py")
)
BOTH = pytest.mark.parametrize("text", [README, RUNBOOK], ids=["readme", "runbook"])


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text):
    """Return every call of our command line, without comments."""
    lines = "".join(blocks(text, "sh")).splitlines()
    said = [line for line in lines if line.startswith("site-gateway ")]
    said += re.findall(r"`(site-gateway [^`]+)`", text.replace("\n", " "))
    return [line.replace("ROW", "7").replace("NUMBER", "7") for line in said if "…" not in line]


@BOTH
def test_every_command_is_one_that_the_program_knows(text):
    for line in commands(text):
        _, *words = shlex.split(line, comments=True)
        command = get_command(app)
        while hasattr(command, "commands") and words and words[0] != "--help":
            command = command.commands[words.pop(0)]
        if words and words != ["--help"]:
            command.make_context(line, list(itertools.takewhile(lambda word: word != ">", words)))

    assert len(commands(text)) > 2


@BOTH
def test_every_make_target_exists(text):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert set(re.findall(r"make (?=demo|test|bench|wheel|lock)(\w+)", text)) <= set(targets)


@BOTH
def test_every_file_it_points_to_exists(text):
    folder = ROOT if text is README else ROOT / "deploy"
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    named = re.findall(r"(?<![\w/])deploy/[\w./-]+", text)

    assert [link for link in links if not (folder / link).exists()] == []
    assert [name for name in named if not (ROOT / name.rstrip(".")).exists()] == []


@BOTH
def test_every_heading_it_points_to_exists(text):
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


@BOTH
def test_every_address_is_served(text):
    served = [*api.routes, *evses.routes, *open_to_all.routes]
    routes = [route for route in served if "{rest" not in route.path]
    asked = re.findall(r"127\.0\.0\.1:8080(/[^\s'\"?]+)", text)

    assert asked
    assert [path for path in asked if not any(r.path_regex.match(path) for r in routes)] == []


def test_every_promise_names_a_test_that_exists():
    named = re.findall(r"\[`(test_\w+)`\]\((tests/[\w/]+\.py)\)", README)

    assert [test for test, path in named if f"def {test}(" not in (ROOT / path).read_text()] == []
    assert len(named) == len(re.findall(r"`test_\w+`", README)) > 9


def test_the_site_files_of_the_readme_can_be_started():
    environment = {
        "CLOUD_PASSWORD": "c" * 20,
        "CP_01_PASSWORD": "s" * 20,
        "OPERATOR_TOKEN": "o" * 20,
    }
    sites = [block for block in blocks(README, "yaml") if block.startswith("site:")]

    for block in sites:
        proof = prove(parse_site(block, environment), known_models())
        assert [*proof.errors, *proof.warnings] == []
    assert sites


def test_the_meter_of_the_readme_is_one():
    meters = [block for block in blocks(README, "yaml") if block.startswith("title:")]

    assert [parse_model("example", block).title for block in meters] == [
        "Example three-phase meter"
    ]


def keys_of(schema):
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from properties if isinstance(properties, dict) else ()
        schema = schema.values()
    if not isinstance(schema, str | int | float | bool | None):
        for part in schema:
            yield from keys_of(part)


def test_every_key_of_the_site_file_is_explained_and_no_other():
    keys = {key.removesuffix("_file") for key in keys_of(site_schema())}
    table = README.partition("Further keys")[2].partition("## Operate")[0]
    first_columns = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
    named = {
        name.rpartition(".")[2]
        for column in first_columns
        for name in re.findall(r"`([^`<]+)`", column)
    }

    assert named <= keys
    assert {key for key in keys if not re.search(rf"\b{key}\b", README)} == set()


def test_every_metric_it_names_is_told():
    source = Path(metrics.__file__).read_text()
    paragraph = README.partition("**Metrics**")[2].partition("\n\n")[0]
    named = {
        name.removeprefix(metrics.PREFIX).removesuffix("_total")
        for name in re.findall(r"`([a-z_]+)(?:\{[^}]*\})?`", paragraph)
        if name != metrics.PREFIX
    }

    assert {name for name in named if f'"{name}"' not in source} == set()


def is_logged(event):
    subject, _, verb = event.partition(".")
    is_put_together = f"{subject}.{{" in SOURCE and f'"{verb}"' in SOURCE
    return f"{event} " in SOURCE or f'{event}"' in SOURCE or is_put_together


def test_every_log_line_it_explains_is_written():
    table = RUNBOOK.partition("| line | says |")[2].partition("\n\n")[0]
    events = [
        event
        for row in re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
        for event in re.findall(r"`(\w+\.\w+)`", row)
    ]

    assert len(events) > 30
    assert [event for event in events if not is_logged(event)] == []


def test_every_rule_of_the_balancer_is_explained():
    table = RUNBOOK.partition("| rule |")[2].partition("\n\n")[0]

    assert set(re.findall(r"`(\w+)`", table)) >= set(Rule)


def test_every_reason_of_the_health_check_is_one_we_give():
    table = RUNBOOK.partition("| reason | what it means")[2].partition("\n\n")[0]
    reasons = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    pieces = [
        piece.strip(" :")
        for reason in reasons
        for piece in re.split(r"NAME|\bN\b|…", reason)
        if piece.strip(" :")
    ]

    assert len(reasons) > 5
    assert [piece for piece in pieces if piece not in SOURCE] == []
