"""The steps below HTTP: the name, the port, the certificate."""

import asyncio
import contextlib
import os
import socket
import ssl
import time

from ..output import safe, span
from .visit import Visit, Wrong

__all__ = ["close", "find_name", "open_port", "shake_hands"]

SOON = 14 * 86_400.0
"""Seconds before the end of a certificate from which on it is mentioned."""
UNKNOWN_ISSUER = (18, 19, 20, 21)
"""X509_V_ERR_…: nobody whom this machine trusts has signed it."""
EXPIRED, NOT_YET, OTHER_NAME = 10, 9, (62, 64)


async def find_name(visit: Visit) -> str:
    """Ask for the addresses of the machine."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(visit.timeout):
            found = await loop.getaddrinfo(visit.host, visit.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:  # TimeoutError is one of these
        raise _no_name(visit, problem) from None
    visit.found = list(dict.fromkeys((str(address[0]), visit.port) for *_, address in found))
    return f"{visit.host} is {', '.join(host for host, _ in visit.found)}"


def _no_name(visit: Visit, problem: Exception) -> Wrong:
    if isinstance(problem, TimeoutError) or getattr(problem, "errno", None) == socket.EAI_AGAIN:
        return Wrong(
            f"no name server says where {visit.host} is",
            "See whether this machine reaches its name server (/etc/resolv.conf), then try again.",
        )
    return Wrong(
        f"there is no machine called {visit.host}",
        f"Look for a misspelling. If the name is new, it needs an A or AAAA record: `dig +short {visit.host}` shows it.",
    )


async def open_port(visit: Visit) -> str:
    """Open a connection to each address."""
    failed: dict[str, OSError] = {}
    for host, port in visit.found:
        try:
            async with asyncio.timeout(visit.timeout):
                _, writer = await asyncio.open_connection(host, port)
            await close(writer)
        except OSError as problem:
            failed[host] = problem
    if len(failed) == len(visit.found):
        raise _closed(visit, next(iter(failed.values())))
    detail = f"port {visit.port} is open"
    return f"{detail}, but not at {', '.join(failed)}" if failed else detail


def _closed(visit: Visit, problem: OSError) -> Wrong:
    if isinstance(problem, ConnectionRefusedError):
        return Wrong(
            f"nothing listens on port {visit.port} of {visit.host}",
            "Start the server, or correct the port. A server that listens on 127.0.0.1 is reached from its own machine only: "
            "start it with --host 0.0.0.0, or let a proxy listen.",
        )
    if isinstance(problem, TimeoutError):
        return Wrong(
            f"port {visit.port} of {visit.host} does not answer within {visit.timeout:g} s",
            "A firewall or a security group drops the packets, or the machine is off. Open the port there.",
        )
    said = os.strerror(problem.errno).lower() if problem.errno else str(problem)
    return Wrong(
        f"port {visit.port} of {visit.host} cannot be reached: {said}",
        "See whether this machine has a route there: its network, its VPN, a firewall.",
    )


async def shake_hands(visit: Visit) -> str:
    """Verify the certificate."""
    try:
        async with asyncio.timeout(visit.timeout):
            _, writer = await asyncio.open_connection(visit.host, visit.port, ssl=visit.tls())
    except ssl.SSLCertVerificationError as problem:
        raise _not_trusted(visit, problem) from None
    except ssl.SSLError as problem:
        raise _no_tls(visit, problem.reason or str(problem)) from None
    except OSError as problem:
        raise _no_tls(visit, str(problem) or "no answer in time") from None
    version = writer.get_extra_info("ssl_object").version()
    until = ssl.cert_time_to_seconds(writer.get_extra_info("peercert")["notAfter"])
    await close(writer)
    left = until - time.time()
    day = time.strftime("%Y-%m-%d", time.gmtime(until))
    return f"{version}, certificate until {day}" + (
        f": only {span(left)} left, renew it" if left < SOON else ""
    )


def _not_trusted(visit: Visit, problem: ssl.SSLCertVerificationError) -> Wrong:
    said = problem.verify_message
    if problem.verify_code == EXPIRED:
        return Wrong(
            "the certificate has expired",
            "Renew it, and let the proxy load it: `certbot renew`, then `nginx -s reload`. See why the renewal did not run by itself.",
        )
    if problem.verify_code == NOT_YET:
        return Wrong(
            "the certificate is not valid yet", "Set the clock of this machine, or wait until it is."
        )
    if problem.verify_code in OTHER_NAME:
        return Wrong(
            f"the certificate is not for {visit.host}: {safe(said)}",
            "Get a certificate for this name, or use the name that it has. A proxy for several names may send that of another.",
        )
    if problem.verify_code in UNKNOWN_ISSUER:
        return Wrong(
            f"nobody whom this machine trusts has signed the certificate: {safe(said)}",
            "Let the proxy send the whole chain (nginx: fullchain.pem). For an authority of your own, name its certificate in "
            "SSL_CERT_FILE.",
        )
    return Wrong(f"the certificate is not accepted: {safe(said)}", "Replace the certificate.")


def _no_tls(visit: Visit, said: str) -> Wrong:
    return Wrong(
        f"port {visit.port} does not speak TLS: {safe(said)}",
        "If this server has no certificate, the address begins with http://. Else turn TLS on for this port.",
    )


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever the other side does."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
