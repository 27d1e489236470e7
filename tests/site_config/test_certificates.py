"""Certificate files are proved before a socket opens."""

import subprocess

import pytest

from site_config.certificates import prove_certificates
from site_config.load import parse_site

SITE = """\
site: {id: depot, name: Depot}
cloud:
  url: wss://csms.example.com
  identity: DEPOT
  tls_ca: CA
csms:
  tls:
    certificate: CERTIFICATE
    key: KEY
circuits:
  grid: {rating_a: 63}
stations: {}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two pairs of certificate and key, signed by themselves."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("one", "two"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=localhost"),
                *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"),
            ],
            check=True,
            capture_output=True,
        )
    (folder / "empty.pem").write_text("")
    return folder


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param(("one.pem", "one.pem", "one.key"), [], id="sound"),
        pytest.param(("gone.pem", "one.pem", "one.key"), [("cloud.tls_ca", 5)], id="no authority"),
        pytest.param(("empty.pem", "one.pem", "one.key"), [("cloud.tls_ca", 5)], id="empty"),
        pytest.param(
            ("one.pem", "gone.pem", "gone.key"),
            [("csms.tls.certificate", 8), ("csms.tls.key", 9)],
            id="both missing",
        ),
        pytest.param(("one.pem", "one.pem", "two.key"), [("csms.tls", 7)], id="not a pair"),
    ],
)
def test_certificates(made, files, found):
    text = SITE
    for word, name in zip(("CA", "CERTIFICATE", "KEY"), files, strict=True):
        text = text.replace(f": {word}\n", f": {made / name}\n")

    mistakes = prove_certificates(parse_site(text, {}))

    assert [(mistake.path, mistake.line) for mistake in mistakes] == found


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ('meters:\n  grid: {model: sunspec, url: "URL"}\n', "meters.grid.url"),
        ('grid_operator:\n  input: {url: "URL"}\n', "grid_operator.input.url"),
    ],
    ids=["meter", "contact"],
)
@pytest.mark.parametrize(
    ("ca", "certificate", "key", "found"),
    [
        pytest.param("one.pem", "two.pem", "two.key", 0, id="sound"),
        pytest.param("gone.pem", "two.pem", "two.key", 1, id="no authority"),
        pytest.param("empty.pem", "two.pem", "one.key", 2, id="empty, and not a pair"),
        pytest.param("one.pem", "gone.pem", "gone.key", 1, id="no certificate"),
    ],
)
def test_certificates_of_a_modbus_device_behind_tls(
    made, section, path, ca, certificate, key, found
):
    url = f"tls://h?ca={made / ca}&certificate={made / certificate}&key={made / key}"
    section = section.replace("URL", url)
    text = SITE.replace("circuits:", f"{section}circuits:").replace("  tls_ca: CA\n", "")
    text = text.replace("  tls:\n    certificate: CERTIFICATE\n    key: KEY\n", "  path: /ocpp\n")

    mistakes = prove_certificates(parse_site(text, {}))

    assert [mistake.path for mistake in mistakes] == [path] * found
