"""A GET that ends in time, whatever the server does."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from sanic_chatrooms.auth.fetch import Fetched, Fetcher
from sanic_chatrooms.support.tasks import end
from tests.support.accepting import accept_no_more

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[object]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(await reader.readuntil(b"\r\n\r\n"), writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        await accept_no_more(server.sockets)
        server.close()
        await end(*tasks)


def answering(*answers: str) -> tuple[Serve, list[bytes]]:
    """A server that gives these answers in turn, and what it was asked."""
    asked: list[bytes] = []

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        writer.write(answers[min(len(asked), len(answers)) - 1].replace("\n", "\r\n").encode())
        await writer.drain()

    return serve, asked


OK = 'HTTP/1.1 200 OK\nContent-Length: 2\nETag: "1"\n\n{}'


async def test_the_body_and_the_etag() -> None:
    serve, asked = answering(OK, "HTTP/1.1 304 Not Modified\n\n")
    async with serving(serve) as at:
        fetcher = Fetcher(f"http://{at}/keys?a=b")

        assert await fetcher.get(None) == Fetched(b"{}", '"1"')
        assert await fetcher.get('"1"') == Fetched(None, '"1"')

    assert asked[0].startswith(b"GET /keys?a=b HTTP/1.1\r\n")
    assert b"If-None-Match" not in asked[0]
    assert b'If-None-Match: "1"\r\n' in asked[1]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("HTTP/1.1 500 Oh\nContent-Length: 2\n\n{}", "status 500"),
        ("HTTP/1.1 404 Oh\n\n", "status 404"),
        ("HTTP/1.1 204 No Content\n\n", "status 204"),
        ("HTTP/1.1 304 Not Modified\n\n", "status 304"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "empty"),
        ("HTTP/1.1 200 OK\nContent-Length: 9\n\n{}", "incomplete"),
        ("HTTP/1.1 200 OK\n\n" + "x" * 65_537, "more than 65,536 bytes"),
        ("nonsense\n\n", "BadStatusLine"),
        ("", "RemoteDisconnected"),
        ("HTTP/1.1 200 OK\n" + "A: b\n" * 200 + "\n", "LineTooLong|more than 100 headers"),
        ("HTTP/1.1 302 Found\nLocation: https://evil.example/keys\n\n", "another host"),
        ("HTTP/1.1 302 Found\nLocation: http://127.0.0.1:9/keys\n\n", "another host"),
        ("HTTP/1.1 302 Found\nLocation: file:///etc/passwd\n\n", "another host"),
        ("HTTP/1.1 302 Found\nLocation: //evil.example/\n\n", "another host"),
        ("HTTP/1.1 302 Found\nLocation: /again\n\n", "too many redirects"),
        ("HTTP/1.1 302 Found\n\n", "too many redirects"),
    ],
)
async def test_any_other_answer_is_an_error_in_words(answer: str, why: str) -> None:
    async with serving(answering(answer)[0]) as at:
        with pytest.raises(OSError, match=why):
            await Fetcher(f"http://{at}/keys").get(None)


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    serve, asked = answering("HTTP/1.1 301 Moved\nLocation: ../jwks\n\n", OK)
    async with serving(serve) as at:
        assert (await Fetcher(f"http://{at}/a/keys").get(None)).body == b"{}"

    assert asked[1].startswith(b"GET /jwks ")


async def test_nobody_is_there() -> None:
    async with serving(answering(OK)[0]) as at:
        pass

    with pytest.raises(OSError, match="ConnectionRefusedError"):
        await Fetcher(f"http://{at}/keys").get(None)


async def silent(request: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def dripping(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def dripping_headers(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("serve", [silent, dripping, dripping_headers])
async def test_a_slow_server_is_left_after_the_whole_time_and_the_thread_ends(serve: Serve) -> None:
    async with serving(serve) as at:
        fetcher = Fetcher(f"http://{at}/keys", seconds=0.2)
        with pytest.raises(OSError, match=r"no answer within 0\.2 seconds"):
            await fetcher.get(None)

        for thread in threading.enumerate():
            if thread.name == "chatrooms-keys":
                await asyncio.to_thread(thread.join, 10)
        assert fetcher._request is not None
        assert fetcher._request.ended


async def test_of_a_gigabyte_64_kilobytes_are_read() -> None:
    sent = 0

    async def endless(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while sent < 1 << 30:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with serving(endless) as at:
        with pytest.raises(OSError, match="more than 65,536 bytes"):
            await Fetcher(f"http://{at}/keys").get(None)

    assert sent < 64 << 20  # what the operating system's buffers hold


async def test_there_is_one_request_at_a_time() -> None:
    async with serving(silent) as at:
        fetcher = Fetcher(f"http://{at}/keys")
        first = asyncio.ensure_future(fetcher.get(None))
        await asyncio.sleep(0)  # its first step starts the request

        with pytest.raises(OSError, match="has not ended"):
            await fetcher.get(None)
        first.cancel()
        await asyncio.wait([first])


async def test_the_loop_goes_on_meanwhile() -> None:
    async def serve(
        request: bytes, writer: asyncio.StreamWriter
    ) -> None:  # on the loop that would be blocked
        writer.write(OK.replace("\n", "\r\n").encode())

    async with serving(serve) as at:
        assert (await Fetcher(f"http://{at}/keys").get(None)).body == b"{}"
    assert threading.current_thread() is threading.main_thread()


async def test_the_certificate_of_the_server_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with serving(answering(OK)[0], context) as at:
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            await Fetcher(f"https://{at}/keys").get(None)

        with authority.cert_pem.tempfile() as path:
            monkeypatch.setenv("SSL_CERT_FILE", path)
            assert (await Fetcher(f"https://{at}/keys").get(None)).body == b"{}"


async def test_a_proxy_of_the_environment_is_asked_for_https(monkeypatch: pytest.MonkeyPatch) -> None:
    serve, asked = answering("HTTP/1.1 403 No\n\n")
    async with serving(serve) as at:
        monkeypatch.setenv("https_proxy", f"http://{at}")
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(OSError, match="Tunnel connection failed: 403"):
            await Fetcher("https://login.example/keys").get(None)

    assert asked[0].startswith(b"CONNECT login.example:443 ")
