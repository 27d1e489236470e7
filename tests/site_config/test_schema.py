"""The JSON Schema accepts what `load` accepts, as far as a schema can tell."""

import jsonschema
import pytest
import yaml

from site_config.schema import site_schema


@pytest.fixture(scope="module")
def judge():
    schema = site_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def as_editors_see(text):
    """YAML 1.2 keys are texts in JSON."""

    def with_text_keys(value):
        if isinstance(value, dict):
            return {str(key): with_text_keys(item) for key, item in value.items()}
        return [with_text_keys(item) for item in value] if isinstance(value, list) else value

    return with_text_keys(yaml.safe_load(text))


def test_example_is_valid(judge, example):
    assert list(judge.iter_errors(as_editors_see(example))) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("password: change-me", "password_file: /run/secret"),
        ("token: viewer-secret", "token_file: viewer"),
        ("url: ws://127.0.0.1:9100/ocpp", "url: ${CLOUD_URL}"),
        (
            "rating_a: 63",
            "rating_a: 63\n    limit_windows: [{from: '17:00', to: '20:00', limit_a: 9}]",
        ),
    ],
)
def test_files_variables_and_windows_are_valid(judge, example, old, new):
    assert list(judge.iter_errors(as_editors_see(example.replace(old, new)))) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rating_a: 63", "rating: 63"),
        ("rating_a: 63", "rating_a: -1"),
        ("[L1, L2, L3]", "[L4]"),
        ("role: viewer", "role: boss"),
        (", token: viewer-secret", ""),
        ("token: viewer-secret", "token: viewer-secret, token_file: viewer"),
        ("url: ws://127.0.0.1:9100/ocpp", "url: http://127.0.0.1"),
    ],
)
def test_slips_are_underlined(judge, example, old, new):
    assert not judge.is_valid(as_editors_see(example.replace(old, new)))


def test_every_key_is_explained():
    for definition in site_schema()["$defs"].values():
        for key, value in definition.get("properties", {}).items():
            assert "description" in value, key
