"""`load_site` understands an installer, or tells every mistake at once, with line and cure."""

import contextlib
import cProfile
from datetime import time as clock_time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from site_config import document
from site_config.errors import SiteConfigError
from site_config.load import load_site, parse_site

MINIMAL = """\
site: {id: depot, name: Depot}
cloud:
  url: ws://127.0.0.1:9100/ocpp
  identity: DEPOT
circuits:
  grid: {rating_a: 100}
stations:
  CP-01:
    circuit: grid
    safe_current_a: 6
    evses:
      1: {phases: [L1, L2, L3]}
"""


def mistakes_in(text, environment=None, **options):
    with pytest.raises(SiteConfigError) as caught:
        parse_site(text, environment or {}, **options)
    return caught.value.mistakes


def swapped(old, new, text=MINIMAL):
    assert old in text
    return text.replace(old, new)


def test_minimal_site_takes_the_defaults():
    site = parse_site(MINIMAL, {})

    evse = site.stations["CP-01"].evses[1]
    assert (evse.phases, evse.max_current_a, evse.min_current_a) == (("L1", "L2", "L3"), 32, 6)
    assert (site.csms.listen, site.web, site.mqtt) == ("0.0.0.0:9000", None, None)


@pytest.mark.parametrize(
    ("phases", "wirings", "first"),
    [
        ("unknown", 6, ("L1", "L2", "L3")),
        ("[unknown]", 3, ("L1",)),
        ("[L2, unknown, unknown]", 2, ("L2", "L1", "L3")),
        ("[L2, unknown]", 2, ("L2", "L1")),
        ("[L2, L3, unknown]", 1, ("L2", "L3", "L1")),
        ("[L3, L1]", 1, ("L3", "L1")),
    ],
)
def test_unknown_conductors_may_be_on_every_phase_that_is_left(phases, wirings, first):
    site = parse_site(swapped("[L1, L2, L3]", phases), {})

    evse = site.stations["CP-01"].evses[1]
    assert (len(evse.wirings), evse.phases) == (wirings, first)


def test_example_is_understood_as_the_contract_says(example):
    site = parse_site(example, {})

    assert site.cloud.protocols == ("ocpp2.0.1", "ocpp1.6")
    assert site.circuits["garage"].parent == "grid"
    assert site.stations["CP-02"].evses[2].phases == ("L3", "L1", "L2")
    assert site.stations["CP-01"].password == "station-secret"
    assert [token.role for token in site.web.tokens] == ["operator", "installer", "viewer"]


def test_site_knows_the_line_of_every_key(example):
    lines = example.splitlines()
    site = parse_site(example, {})

    assert "phases: [L1" in lines[site.line_of("stations.CP-01.evses.1.phases") - 1]
    assert "rating_a: 63" in lines[site.line_of("circuits.garage.rating_a") - 1]
    assert site.line_of("circuits.garage.meter") == site.line_of("circuits.garage")


BAD = [
    # (old, new, path, line, words of the message, words of the advice)
    ("rating_a: 100", "ratng_a: 100", "circuits.grid.ratng_a", 6, "not a key", "rating_a?"),
    ("rating_a: 100", "rating: 100", "circuits.grid.rating", 6, "not a key", "rating_a?"),
    ("rating_a: 100", "rating_a: 100 A", "circuits.grid.rating_a", 6, "not a number", "100 alone"),
    ("rating_a: 100", "rating_a: '6,5'", "circuits.grid.rating_a", 6, "not a number", "point"),
    ("rating_a: 100", "rating_a: yes", "circuits.grid.rating_a", 6, "not a number", "16"),
    ("rating_a: 100", "rating_a: 0", "circuits.grid.rating_a", 6, "out of range", "more than 0"),
    ("rating_a: 100", "rating_a: .inf", "circuits.grid.rating_a", 6, "not a number", "number"),
    ("rating_a: 100", "rating_a: nan", "circuits.grid.rating_a", 6, "not a number", "number"),
    ("rating_a: 100", "rating_a: ", "circuits.grid.rating_a", 6, "is empty", "fuse allows"),
    ("{rating_a: 100}", "{}", "circuits.grid.rating_a", 6, "is missing", "add rating_a"),
    ("rating_a: 100", "rating_a: [63, 63]", "circuits.grid.rating_a", 6, "nor three", "63"),
    ("rating_a: 100", "rating_a: [63, 63, 0]", "circuits.grid.rating_a.2", 6, "range", "more"),
    ("  grid: {rating_a: 100}", "  {}", "circuits", 5, "holds nothing", "at least 1"),
    ("[L1, L2, L3]", "L1", "stations.CP-01.evses.1.phases", 12, "not a list", "[L1]"),
    ("[L1, L2, L3]", "[unknwon]", "stations.CP-01.evses.1.phases.0", 12, "not", "unknown?"),
    ("[L1, L2, L3]", "[l1]", "stations.CP-01.evses.1.phases.0", 12, "not possible", "L1?"),
    ("[L1, L2, L3]", "[]", "stations.CP-01.evses.1.phases", 12, "holds nothing", "at least"),
    ("      1: {", "      A: {", "stations.CP-01.evses.A", 12, "no number", "1, 2, 3"),
    ("    circuit: grid", "", "stations.CP-01.circuit", 8, "is missing", "feeds the station"),
    ("    circuit: grid", "    circuit: [grid]", "stations.CP-01.circuit", 9, "not a text", "one"),
    (
        "    circuit: grid",
        "    circuit: grid\n    phases: [L1]",
        "stations.CP-01.phases",
        10,
        "not a key",
        "evses",
    ),
    ("safe_current_a: 6", "safe_current_a: -6", "stations.CP-01.safe_current_a", 10, "out", "0"),
    ("ws://127", "http://127", "cloud.url", 3, "wrong form", "wss://"),
    ("identity: DEPOT", "identity: ''", "cloud.identity", 4, "too short", "1 character"),
    ("id: depot", "id: my depot", "site.id", 1, "wrong form", "depot-north"),
    ("site: {id: depot, name: Depot}", "site:", "site", 1, "is empty", "add site"),
    ("cloud:", "cluod:", "cluod", 2, "not a key", "cloud?"),
    ("circuits:", "no: 1\ncircuits:", "no", 5, "not a key", "remove it"),
    ("circuits:", "csms: {listen: 9000}\ncircuits:", "csms.listen", 5, "not an", "0.0.0.0:9000"),
    ("circuits:", "csms: {path: ocpp}\ncircuits:", "csms.path", 5, "wrong form", "/ocpp"),
    ("circuits:", "web: 8080\ncircuits:", "web", 5, "keys are expected", "below"),
    ("circuits:", "meters: {m: {model: x, url: foo}}\ncircuits:", "meters.m.url", 5, "tcp", "502"),
    ("circuits:", "meters: {m: \n}\ncircuits:", "meters.m", 5, "is empty", "keys below"),
    (
        "circuits:",
        "meters: {m: {model: x, url: tcp://h, unit: 1.5}}\ncircuits:",
        "meters.m.unit",
        5,
        "whole number",
        "3",
    ),
    (
        "circuits:",
        "meters: {m: {model: x, url: tcp://h, on_loss: hope}}\ncircuits:",
        "meters.m.on_loss",
        5,
        "'hope'",
        "safe, hold, panic",
    ),
    (
        "circuits:",
        "cloud:\n  url: wss://other\ncircuits:",
        "cloud",
        5,
        "twice, first on line 2",
        "remove",
    ),
    (
        "identity: DEPOT",
        "identity: DEPOT\n  protocols: [ocpp1.6, ocpp1.6]",
        "cloud.protocols",
        5,
        "twice",
        "correct",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "path", "line", "message", "advice"),
    [pytest.param(*row, id=f"{row[1].strip() or 'gone'}") for row in BAD],
)
def test_mistake_has_its_path_its_line_and_plain_words(old, new, path, line, message, advice):
    [mistake] = mistakes_in(swapped(old, new))

    assert (mistake.path, mistake.line) == (path, line)
    assert message in mistake.message
    assert advice in mistake.advice
    for jargon in ("Input should", "pydantic", "validation", "tuple", "dict", "float"):
        assert jargon not in str(mistake)


LAUGHS = "a0: &a0 x\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("", 1, "empty", id="empty"),
        pytest.param("# only a comment\n", 1, "empty", id="only a comment"),
        pytest.param("site:\n\tid: x\n", 2, "tab", id="tab"),
        pytest.param("site:\n  id: x\n\tname: y\n", 3, "tab", id="tab after spaces"),
        pytest.param("a: b: c\n", 1, "second ':'", id="two colons"),
        pytest.param("a:\n  b: 1\n c: 2\n", 3, "indentation", id="indentation"),
        pytest.param("x: 1\na: 'x\nb: 1\n", 2, "quotation mark", id="open quote"),
        pytest.param("x: 1\na: [1, 2\nb: 3\n", 2, "never closed", id="open bracket"),
        pytest.param("a: @x\n", 1, "keeps for itself", id="reserved sign"),
        pytest.param("a: 1\nbcd\ne: 2\n", 2, "no ':'", id="no colon"),
        pytest.param("a: 1\n---\nb: 1\n", 2, "second document", id="two documents"),
        pytest.param("a: *x\n", 1, "anchor", id="unknown alias"),
        pytest.param("a: 1\nb: x\x00\n", 2, "no text", id="NUL"),
        pytest.param("a: &a [*a]\n", 1, "without end", id="alias in itself"),
        pytest.param("[" * 900 + "]" * 900, 1, "without end", id="brackets in brackets"),
        pytest.param("[" * 100_000 + "]" * 100_000, 1, "without end", id="one endless line"),
        pytest.param("x: 1\n" + "[\n" * 100_000, 1002, "without end", id="endless brackets"),
        pytest.param(LAUGHS, 1, "without end", id="aliases that multiply"),
    ],
)
def test_text_that_is_not_yaml_is_told_with_its_line(text, line, message):
    [mistake] = mistakes_in(text)

    assert mistake.line == line
    assert message in mistake.message


def test_every_mistake_is_told_at_once_in_the_order_of_lines():
    text = swapped("rating_a: 100", "rating: x A")
    text = swapped("safe_current_a: 6", "safe_curent_a: 6", text)
    text = swapped("identity: DEPOT", "pasword: abc", text)

    mistakes = mistakes_in(text)

    assert [mistake.line for mistake in mistakes] == sorted(mistake.line for mistake in mistakes)
    assert [mistake.path for mistake in mistakes] == [
        "cloud.identity",
        "cloud.pasword",
        "circuits.grid.rating",
        "circuits.grid.rating_a",
        "stations.CP-01.safe_curent_a",
    ]


def test_a_misspelt_key_is_not_reported_as_missing_too():
    mistakes = mistakes_in(swapped("rating_a", "raiting_a"))

    assert [mistake.path for mistake in mistakes] == ["circuits.grid.raiting_a"]


# Numbers, names and times as they are written.


@pytest.mark.parametrize("identity", ["101", "007", "1e3", "0x10", "no", "17:00", "2026-06-01"])
def test_a_station_may_have_any_name(identity):
    site = parse_site(swapped("CP-01", identity), {})

    assert [identity] == list(site.stations)


def test_a_circuit_may_be_a_number_everywhere():
    text = swapped("circuit: grid", "circuit: 1", swapped("grid: {", "1: {"))

    assert parse_site(text, {}).stations["CP-01"].circuit == "1"


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("17:00", clock_time(17)),
        ('"17:00"', clock_time(17)),
        ("9:30", clock_time(9, 30)),
        ("0:00", clock_time(0)),
        ("24:00", clock_time(0)),
    ],
)
def test_windows_understand_a_time_with_and_without_quotes(written, understood):
    window = f"{{rating_a: 100, limit_windows: [{{from: {written}, to: 20:00, limit_a: 40}}]}}"
    site = parse_site(swapped("{rating_a: 100}", window), {})

    assert site.circuits["grid"].limit_windows[0].start == understood


@pytest.mark.parametrize("written", ["17", "17.00", "25:00", "24:30", "5 pm", "61200", "17:00Z"])
def test_windows_refuse_what_is_no_time_of_day(written):
    window = f"{{rating_a: 100, limit_windows: [{{from: {written}, to: 20:00, limit_a: 40}}]}}"

    [mistake] = mistakes_in(swapped("{rating_a: 100}", window))

    assert mistake.path == "circuits.grid.limit_windows.0.from"
    assert "time of day" in mistake.message
    assert "17:00" in mistake.advice


def test_windows_are_written_with_from_and_to():
    window = "{rating_a: 100, limit_windows: [{start: 17:00, to: 20:00, limit_a: 40}]}"

    [mistake] = mistakes_in(swapped("{rating_a: 100}", window))

    assert mistake.advice == "did you mean from?"


def test_one_evse_number_cannot_be_written_two_ways():
    text = swapped("1: {phases: [L1, L2, L3]}", "1: {}\n      01: {}")

    [mistake] = mistakes_in(text)

    assert (mistake.path, mistake.line) == ("stations.CP-01.evses.01", 13)


def test_anchors_and_merges_save_repetition():
    text = swapped(
        "      1: {phases: [L1, L2, L3]}",
        "      1: &box {phases: [L2], max_current_a: 16}\n      2: {<<: *box, max_current_a: 20}",
    )
    evse = parse_site(text, {}).stations["CP-01"].evses[2]

    assert (evse.phases, evse.max_current_a) == (("L2",), 20)


def test_an_absent_section_may_be_left_standing_empty():
    site = parse_site(MINIMAL + "mqtt:\nmeters:\ncsms:\n", {})

    assert (site.mqtt, site.meters, site.csms.path) == (None, {}, "/ocpp")


# The environment, and secrets in files.


def test_any_text_may_come_from_the_environment():
    text = swapped("127.0.0.1:9100", "${HOST}:${PORT}")

    site = parse_site(text, {"HOST": "csms.example.com", "PORT": "443"})

    assert site.cloud.url == "ws://csms.example.com:443/ocpp"


def test_dollar_can_be_written_as_it_is():
    text = swapped("identity: DEPOT", "identity: DEPOT\n  password: 'a$b$${c}'")

    assert parse_site(text, {}).cloud.password == "a$b${c}"


@pytest.mark.parametrize(
    ("written", "words"),
    [("${NOPE}", "NOPE is not set"), ("${}", "without the name"), ("${A-B}", "without the name")],
)
def test_a_variable_that_is_not_there_is_a_mistake(written, words):
    [mistake] = mistakes_in(swapped("identity: DEPOT", f"identity: '{written}'"))

    assert (mistake.path, mistake.line) == ("cloud.identity", 4)
    assert words in mistake.message


def test_secret_may_stand_in_a_file_and_loses_its_line_end(tmp_path):
    (tmp_path / "secret").write_text("s3cret with space \n")
    text = swapped("identity: DEPOT", "identity: DEPOT\n  password_file: ${DIR}/secret")

    site = parse_site(text, {"DIR": str(tmp_path)})

    assert site.cloud.password == "s3cret with space "


def test_secret_file_is_looked_for_beside_the_site_file(tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    text = swapped("identity: DEPOT", "identity: DEPOT\n  password_file: secret")
    (tmp_path / "site.yaml").write_text(text)

    assert load_site(tmp_path / "site.yaml").cloud.password == "s3cret"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8")],
    ids=["absent", "empty", "only a line end", "binary"],
)
def test_secret_file_that_holds_no_secret_is_a_mistake(tmp_path, content, words):
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    text = MINIMAL + "web:\n  tokens: [{name: a, role: viewer, token_file: secret}]\n"

    [mistake] = mistakes_in(text, folder=tmp_path)

    assert (mistake.path, mistake.line) == ("web.tokens.0.token_file", 14)
    assert words in mistake.message


def test_secret_and_secret_file_together_are_a_mistake(tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    text = swapped("identity: DEPOT", "identity: DEPOT\n  password: x\n  password_file: secret")

    [mistake] = mistakes_in(text, folder=tmp_path)

    assert mistake.path == "cloud.password_file"
    assert "given as well" in mistake.message


def test_only_secrets_may_stand_in_files():
    [mistake] = mistakes_in(swapped("identity: DEPOT", "identity: D\n  tls_ca_file: x"))

    assert mistake.path == "cloud.tls_ca_file"


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL + f"web: {{tokens: [{{name: a, role: x, token: [{SECRET}]}}]}}\n",
        MINIMAL + f"mqtt: {{url: 'mqt://user:{SECRET}@broker'}}\n",
        swapped("identity: DEPOT", f"identity: D\n  password: {{a: {SECRET}}}"),
        swapped("rating_a: 100", "rating_a: '${SECRET}'"),
    ],
    ids=["token", "address", "password", "environment"],
)
def test_no_message_repeats_a_secret(text):
    mistakes = mistakes_in(text, {"SECRET": SECRET})

    assert SECRET not in "".join(map(str, mistakes))


def test_a_site_never_shows_its_secrets(example):
    site = parse_site(example, {})

    for secret in ("change-me", "station-secret", "operator-secret", "viewer-secret"):
        assert secret not in repr(site) + str(site)


# The file itself.


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"a: 1\nname: D\xe9p\xf4t\n", 2, "not UTF-8"),
        (MINIMAL.encode("utf-16"), 1, "not UTF-8"),
    ],
    ids=["Latin-1", "UTF-16"],
)
def test_only_utf8_is_read(tmp_path, content, line, words):
    (tmp_path / "site.yaml").write_bytes(content)

    with pytest.raises(SiteConfigError) as caught:
        load_site(tmp_path / "site.yaml")

    assert caught.value.mistakes[0].line == line
    assert words in caught.value.mistakes[0].message


def test_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path):
    content = b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode()
    (tmp_path / "site.yaml").write_bytes(content)

    assert load_site(tmp_path / "site.yaml").site.id == "depot"


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_file_that_cannot_be_read_is_a_mistake(tmp_path, name):
    with pytest.raises(SiteConfigError, match="cannot be read"):
        load_site(tmp_path / name)


def test_reading_without_libyaml_gives_the_same(example, monkeypatch):
    expected = parse_site(example, {})
    monkeypatch.setattr(document, "Loader", yaml.BaseLoader)

    assert parse_site(example, {}) == expected


def test_ten_times_as_many_stations_are_ten_times_the_work(example):
    """Counted in calls, not in seconds: only a quadratic step turns it red."""

    def calls_for(count):
        stations = "".join(
            f"  S{n}:\n    circuit: garage\n    safe_current_a: 0\n    evses:\n"
            f"      1: {{phases: [L1, L2, L3], cloud_evse: {n + 10}}}\n"
            for n in range(count)
        )
        profile = cProfile.Profile()
        site = profile.runcall(parse_site, example.replace("\nmqtt:", stations + "\nmqtt:"), {})
        assert len(site.stations) == count + 2
        return sum(entry.callcount for entry in profile.getstats())

    assert calls_for(1000) < 12 * calls_for(100)


LINE = st.sampled_from(
    ["\t", "- x", "a: [", "}", "<<: *a", "? ", "&a", "${", "!!int", "~", ": :", "'", "\ufeff", "#"]
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_the_file_only_site_config_errors_are_raised(example, data):
    lines = example.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "repeat", "cut", "insert", "text", "indent"]))
        if change == "drop":
            del lines[at]
        elif change == "repeat":
            lines.insert(at, lines[at])
        elif change == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        elif change == "insert":
            lines[at] += data.draw(LINE)
        elif change == "indent":
            lines[at] = " " * data.draw(st.integers(0, 6)) + lines[at].strip()
        else:
            lines[at] += data.draw(st.text(max_size=10))
    text = "\n".join(lines)

    with contextlib.suppress(SiteConfigError):
        parse_site(text, {})


def test_a_rating_is_one_number_or_one_for_each_phase():
    same = parse_site(MINIMAL, {}).circuits["grid"]
    different = parse_site(swapped("rating_a: 100", "rating_a: [63, 63, 50]"), {}).circuits["grid"]

    assert (same.ratings_a, same.rating_a) == ((100, 100, 100), 100)
    assert (different.ratings_a, different.rating_a) == ((63, 63, 50), 50)
