"""Who may reach what: names on the wire, addresses, passwords and tokens. Pure.

Never repeats a secret; it says how long one is and where it stands.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from site_config.addresses import host_and_port
from site_config.findings import Findings
from site_config.links import Role, Token
from site_config.model import Site

LONGEST_IDENTITY = 48
"""OCPP-J 2.0.1 Part 4 §3.1.1."""
SHORTEST_PASSWORD = 16
LONGEST_PASSWORD = 40
"""A00.FR.205, of 2.0.1 in characters and of the 1.6 security whitepaper as hexadecimal digits."""


def prove_access(site: Site, findings: Findings) -> None:
    _names(site, findings)
    _passwords(site, findings)
    _cloud(site, findings)
    _web(site, findings)


def _names(site: Site, findings: Findings) -> None:
    named = [("meters", name) for name in site.meters]
    named += [("circuits", name) for name in site.circuits]
    for table, name in named:
        if re.search(r"[/+#\s]", name) or not name:
            findings.error(
                f"{table}.{name}",
                f"{name!r} cannot be part of a topic or an address",
                "use letters, digits, dots and dashes",
            )
    for name, station in site.stations.items():
        _identity(f"stations.{name}", name, station.password, findings)
    _identity("cloud.identity", site.cloud.identity, site.cloud.password, findings)


def _identity(path: str, identity: str, password: str | None, findings: Findings) -> None:
    if not 0 < len(identity) <= LONGEST_IDENTITY:
        findings.error(
            path,
            f"an OCPP identity has 1 to {LONGEST_IDENTITY} characters, not {len(identity)}",
            "shorten it here and in the station",
        )
    if password and ":" in identity:
        findings.error(
            path,
            "holds a colon, which HTTP Basic keeps between name and password",
            "give the station an identity without ':'",
        )
    elif re.search(r"[/+#]", identity):
        findings.error(
            path,
            f"{identity!r} cannot be part of a topic or an address",
            "give the station an identity without /, + and #",
        )
    elif not re.fullmatch(r"[A-Za-z0-9*_=:|@.-]*", identity):
        findings.warning(
            path,
            "holds characters outside OCPP's identifierString",
            "use letters, digits and - _ . = * | @",
        )


def _passwords(site: Site, findings: Findings) -> None:
    owners: dict[str, str] = {}
    for path, password in _ocpp_passwords(site):
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            findings.warning(
                path,
                f"has {len(password)} characters; OCPP asks for {SHORTEST_PASSWORD} to "
                f"{LONGEST_PASSWORD}",
                "a station may refuse it: generate 20 random letters and digits",
            )
        if password in owners:
            findings.warning(
                path,
                f"is the same as {owners[password]}",
                "give every station its own password",  # A01.FR.06
            )
        owners.setdefault(password, path)


def _ocpp_passwords(site: Site) -> Iterator[tuple[str, str]]:
    holders: list[tuple[str, str | None]] = [("cloud", site.cloud.password)]
    holders += [(f"stations.{name}", station.password) for name, station in site.stations.items()]
    for path, password in holders:
        if password is not None:
            yield f"{path}.password", password


def _cloud(site: Site, findings: Findings) -> None:
    url = urlsplit(site.cloud.url)
    if url.scheme == "ws" and site.cloud.password and not is_loopback(url.hostname or ""):
        findings.warning(  # A00.FR.206
            "cloud.url",
            "the password travels in clear text over ws://",
            "use wss://, or a VPN that ends on this machine",
        )
    if url.scheme == "ws" and site.cloud.tls_ca:
        findings.warning(
            "cloud.tls_ca", "is not used with ws://", "use wss:// or remove the certificate"
        )


def _web(site: Site, findings: Findings) -> None:
    web = site.web
    if web is None:
        return
    host, port = host_and_port(web.listen)
    if port and _overlap(web.listen, site.csms.listen):
        findings.error(
            "web.listen",
            f"{web.listen} is the address of csms.listen as well",
            "give the page a port of its own, such as 8080",
        )
    if not is_loopback(host) and web.tls is None:
        findings.warning(
            "web.listen",
            f"{web.listen} is reachable from the network without TLS; tokens travel in clear text",
            "add tls: {certificate, key}, or listen on 127.0.0.1 behind a proxy",
        )
    if all(token.role is Role.VIEWER for token in web.tokens):
        findings.warning(
            "web.tokens",
            "nobody may change a limit: no token is an operator's or an installer's",
            "add a token with role: operator",
        )
    _tokens(web.tokens, findings)


def _tokens(tokens: tuple[Token, ...], findings: Findings) -> None:
    for n, token in enumerate(tokens):
        for earlier in tokens[:n]:
            if token.token == earlier.token:
                findings.error(
                    f"web.tokens.{n}.token",
                    f"is the same as that of {earlier.name}",
                    "give each person or device a token of its own",
                )
            if token.name == earlier.name:
                findings.warning(
                    f"web.tokens.{n}.name",
                    f"{token.name} is named twice",
                    "use different names, so that the log tells who did it",
                )


def _overlap(listen: str, other: str) -> bool:
    (host, port), (other_host, other_port) = host_and_port(listen), host_and_port(other)
    everywhere = {"0.0.0.0", "::"}  # the unspecified addresses, which include every other
    return port == other_port and (host == other_host or bool({host, other_host} & everywhere))


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
