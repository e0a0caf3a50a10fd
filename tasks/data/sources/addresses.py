"""Which addresses of the internet are public: a file is fetched from these alone, and from the one that was checked."""

import ipaddress
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ..errors import DataError

GLOBAL = ipaddress.ip_network("2000::/3")
"""All that is routed of IPv6; special ranges inside are refused below."""
REFUSED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "3fff::/20",  # documentation
    )
)
"""Special ranges that Python counts as global."""
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""NAT64: the last four bytes are the address of IPv4 that is reached."""


def is_public(address: str) -> bool:
    """Whether an address, and one of IPv4 that is written inside it, is a public host's: no loopback, private network,
    multicast, documentation or translation to any of these."""
    known = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(known, ipaddress.IPv6Address):
        if known in TRANSLATED:
            return is_public(str(ipaddress.IPv4Address(int(known) & 0xFFFFFFFF)))
        if known.sixtofour is not None:  # from Python 3.13 on ipaddress calls the whole block not global
            return is_public(str(known.sixtofour))
        if known not in GLOBAL:  # among others IPv4 mapped (::ffff:127.0.0.1) and compatible (::127.0.0.1)
            return False
    if any(known in block for block in REFUSED if block.version == known.version):
        return False
    return known.is_global and not known.is_multicast and not known.is_reserved


def checked_addresses(url: str, allow_private: bool) -> list[str]:
    """The addresses behind a URL, each of them public; empty where its name may be connected as it stands: private
    sources are allowed, or a proxy connects.

    Raises DataError unless the URL is https and public, httpx.ConnectError where the name has no address, which may
    pass.
    """
    from .fetch import shown

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError as error:
        raise DataError(f"{shown(url)}: not an address ({error})") from None
    if allow_private and parts.scheme in ("http", "https"):
        return []
    if parts.scheme != "https" or host is None:
        raise DataError(f"{shown(url)}: only https addresses are fetched")
    try:
        addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port)]
    except ValueError as error:
        raise DataError(f"{shown(url)}: not an address ({error})") from None
    except OSError as error:
        raise httpx.ConnectError(f"{host} has no address ({error})") from None
    if not all(map(is_public, addresses)):
        raise DataError(f"{shown(url)}: {host} is not a public address")
    return [] if _through_proxy(host) else list(dict.fromkeys(addresses))


def _through_proxy(host: str) -> bool:
    """Whether the environment names a proxy, which looks the name up itself, behind a boundary of its own."""
    proxies = getproxies()
    return bool(proxies.get("https") or proxies.get("all")) and not proxy_bypass(host)
