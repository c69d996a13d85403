"""The origin of a page (RFC 6454), in the one spelling in which browsers send it."""

import re
from functools import lru_cache
from ipaddress import IPv6Address

__all__ = ["normal_origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


@lru_cache(maxsize=64)
def normal_origin(text: str) -> str:
    """scheme://name[:port] in lower case, without the scheme's own port. Raises `ValueError` with the reason."""
    # Browsers send names in ASCII; lower() would turn some other letters into ASCII ones.
    if not text.isascii():
        raise ValueError("is not ASCII (write the name of a machine as its xn-- form)")
    found = _ORIGIN.fullmatch(text.lower())
    if not found:
        raise ValueError("is not scheme://host[:port] without path, user or wildcard")
    scheme, port = found["scheme"], int(found["port"] or 0)
    if port > 65535 or (found["port"] and not port):
        raise ValueError("has no such port")
    name = _ipv6(found["ipv6"]) if found["ipv6"] else found["name"]
    return f"{scheme}://{name}" + (f":{port}" if port not in (0, _DEFAULT_PORTS.get(scheme)) else "")


def _ipv6(text: str) -> str:
    try:
        return f"[{IPv6Address(text)}]"
    except ValueError as problem:
        raise ValueError(f"has a wrong address: {problem}") from None
