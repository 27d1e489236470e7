"""Certificate files, looked at before a socket opens. Reads the files the site file names.

A missing or unfitting certificate would otherwise be found by the first station that connects.
"""

import ssl
from pathlib import Path

from site_config.addresses import TlsBus, parse_bus
from site_config.errors import Mistake
from site_config.findings import Findings
from site_config.links import Tls
from site_config.model import Site


def prove_certificates(site: Site) -> list[Mistake]:
    """Return what is wrong with the files of `csms.tls`, `web.tls`, `cloud.tls_ca`, and of meters
    and the grid operator's contact behind TLS.
    """
    findings = Findings(site)
    if site.csms.tls is not None:
        _server("csms.tls", site.csms.tls, findings)
    if site.web is not None and site.web.tls is not None:
        _server("web.tls", site.web.tls, findings)
    if site.cloud.tls_ca is not None:
        _authority("cloud.tls_ca", site.cloud.tls_ca, findings)
    for path, url in site.modbus_urls.items():
        bus = parse_bus(url)
        if isinstance(bus, TlsBus):
            _device(path, bus, findings)
    return findings.errors()


def _device(path: str, bus: TlsBus, findings: Findings) -> None:
    if bus.ca is not None:
        _authority(path, bus.ca, findings)
    if bus.certificate is not None:
        key = bus.key or bus.certificate
        has_certificate = _is_readable(path, bus.certificate, findings)
        if has_certificate and (key == bus.certificate or _is_readable(path, key, findings)):
            _fit(path, bus.certificate, key, findings)


def _server(path: str, tls: Tls, findings: Findings) -> None:
    has_certificate = _is_readable(f"{path}.certificate", tls.certificate, findings)
    has_key = _is_readable(f"{path}.key", tls.key, findings)
    if has_certificate and has_key:
        _fit(path, tls.certificate, tls.key, findings)


def _fit(path: str, certificate: str, key: str, findings: Findings) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        findings.error(
            path,
            f"certificate and key cannot be used: {error.reason or error}",
            "give a PEM certificate with its chain and the PEM key that belongs to it",
        )


def _authority(path: str, name: str, findings: Findings) -> None:
    if not _is_readable(path, name, findings):
        return
    try:
        ssl.create_default_context(cafile=name)
    except ssl.SSLError as error:
        findings.error(
            path,
            f"{name} holds no certificate: {error.reason or error}",
            "give the PEM file of the authority that signed the other side's certificate",
        )


def _is_readable(path: str, name: str, findings: Findings) -> bool:
    try:
        with Path(name).open("rb"):
            return True
    except OSError as error:
        findings.error(
            path, f"{name}: {error.strerror}", "correct the path, or let this user read the file"
        )
        return False
