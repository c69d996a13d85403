"""Which addresses count as one: a household or a server has a whole network of IPv6 addresses."""

import functools
import ipaddress

__all__ = ["network_of"]

PREFIX = 64
"""Bits of an IPv6 address that tell one customer from another."""


@functools.lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The network of an address, with or without the brackets that Sanic adds. It is the address itself for IPv4, also where it is written as IPv6, and the /64 of an IPv6 address. Anything else is
    returned as it is."""
    if ":" not in address:
        return address
    try:
        known = ipaddress.IPv6Address(address.strip("[]").partition("%")[0])
    except ValueError:
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((known, PREFIX), strict=False))
