from __future__ import annotations

import struct

import pytest

from example_app.uploads.kinds import Kind, WrongFile, kind_of, plain_name

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 800, 600) + b"\x08\x02\0\0\0rest"
GIF = b"GIF89a" + struct.pack("<HH", 20, 10) + b"rest"
JPEG = (
    b"\xff\xd8\xff\xe0\0\x04ab\xff\xdb\0\x03c"
    b"\xff\xc2\0\x11\x08" + struct.pack(">HH", 480, 640) + b"\3rest of it"
)
LOSSY = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 320 | 0x4000, 200) + b"rest"
LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 99 | 49 << 14) + b"rest"
EXTENDED = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0" + b"\xe7\x03\0" + b"\xf3\x01\0" + b"rest"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, Kind("image/png", 800, 600)),
        (GIF, Kind("image/gif", 20, 10)),
        (JPEG, Kind("image/jpeg", 640, 480)),
        (LOSSY, Kind("image/webp", 320, 200)),
        (LOSSLESS, Kind("image/webp", 100, 50)),
        (EXTENDED, Kind("image/webp", 1000, 500)),
        (b"%PDF-1.7 \xff", Kind("application/pdf")),
        (b"PK\x03\x04\xff", Kind("application/zip")),
        ("Grüße\n\ttab\r\n".encode(), Kind("text/plain")),
        (b"<svg onload=alert(1)>", Kind("text/plain")),
        (b"<!doctype html><script>", Kind("text/plain")),
    ],
)
def test_a_file_is_what_its_content_is(content: bytes, kind: Kind) -> None:
    assert kind_of(content) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\0 a program",
        b"\x7fELF\x02",
        b"text with\0 a null",
        b"\xff\xfe not UTF-8",
        PNG[:18],
        JPEG[:10],
        b"\xff\xd8\xff" + b"\xff" * 50,
        b"GIF89a\0\0\0\0",
        b"RIFF\0\0\0\0WEBPVP9 " + b"\0" * 20,
        PNG[:16] + struct.pack(">II", 100_000, 100_000) + b"a bomb",
    ],
)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(WrongFile):
        kind_of(content)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("plan.png", "plan.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\plan.pdf", "plan.pdf"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("  two \t words\n.txt ", "two words.txt"),
        (".htaccess", "htaccess"),
        ("", "file"),
        ("\u200b/..", "file"),
        ("Übung 1.pdf", "Übung 1.pdf"),
        ("x" * 300 + ".tar", "x" * 110 + ".tar"),
        ("y" * 300, "y" * 120),
    ],
)
def test_a_name_is_only_a_name(given: str, name: str) -> None:
    assert plain_name(given) == name
