"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when the phone is lost."""

import hmac
import secrets
from base64 import b32encode
from hashlib import sha256

import pyotp
import segno

INTERVAL = 30
RECOVERY_CODES = 10


def new_secret() -> str:
    return pyotp.random_base32()


def address(secret: str, name: str) -> str:
    """What an authenticator app opens."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Example chat")


def picture(address: str) -> str:
    """The address as a QR code, which phones read: an SVG in a data URI, black on white in dark windows too."""
    return str(segno.make_qr(address, error="m").svg_data_uri(scale=4, dark="#000", light="#fff"))


def step_of(code: str, secret: str, now: float) -> int | None:
    """The half minute to which a code belongs: this one or a neighbour, because clocks differ. None: to none of them.

    The caller takes care that no step is used twice: else somebody who looks on could use the code again.
    """
    code = plain(code)
    if not (code.isascii() and code.isdecimal()):
        return None
    step = int(now // INTERVAL)
    totp = pyotp.TOTP(secret, interval=INTERVAL)
    fitting = [one for one in (step - 1, step, step + 1) if hmac.compare_digest(totp.generate_otp(one), code)]
    return max(fitting, default=None)


def new_recovery_codes() -> list[str]:
    """Each has 80 random bits, so that a plain hash of it is enough to keep."""
    texts = [b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    return ["-".join(text[at : at + 4] for at in range(0, 16, 4)) for text in texts]


def recovery_hash(code: str) -> str:
    return sha256(plain(code).replace("-", "").encode()).hexdigest()


def plain(code: str) -> str:
    """A code as people type it, without what they put between."""
    return "".join(code.split()).lower()
