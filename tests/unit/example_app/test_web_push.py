from __future__ import annotations

import base64

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from example_app.notifications.web_push import (
    HOSTS,
    LARGEST,
    RECORD,
    Subscription,
    Vapid,
    base64url,
    encrypted,
    headers,
    is_push_service,
    new_key,
    read_base64url,
    read_key,
    read_subscription,
)

# RFC 8291, section 5 and appendix A.
MESSAGE = b"When I grow up, I want to be a watermelon"
SENDERS_KEY = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
ENDPOINT = "https://updates.push.services.mozilla.com/wpush/v2/abc"
TO = read_subscription(ENDPOINT, RECEIVER, AUTH)


def test_the_example_of_the_rfc_is_encrypted_as_there() -> None:
    number = int.from_bytes(read_base64url(SENDERS_KEY))
    key = ec.derive_private_key(number, ec.SECP256R1())

    assert base64url(encrypted(MESSAGE, TO, key, read_base64url(SALT))) == BODY


def test_each_message_has_a_key_and_a_salt_of_its_own() -> None:
    one, other = encrypted(MESSAGE, TO), encrypted(MESSAGE, TO)

    assert one[:16] != other[:16]
    assert one[21:86] != other[21:86]


def test_the_largest_message_fills_a_body_that_every_push_service_takes() -> None:
    assert len(encrypted(b"x" * LARGEST, TO)) == RECORD
    with pytest.raises(ValueError, match="3993 bytes at most"):
        encrypted(b"x" * (LARGEST + 1), TO)


def test_a_request_says_who_sends_it_to_whom_and_until_when() -> None:
    key = read_key(new_key())
    vapid = Vapid(key, "mailto:ada@example.com")

    words = vapid.authorization(ENDPOINT, 1_800_000_000.5).removeprefix("vapid ").split(", ")
    signed, public = words[0].removeprefix("t="), words[1].removeprefix("k=")

    verifier = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), read_base64url(public))
    assert jwt.decode(signed, verifier, ["ES256"], options={"verify_exp": False, "verify_aud": False}) == {
        "aud": "https://updates.push.services.mozilla.com",
        "exp": 1_800_000_000 + 12 * 3600,
        "sub": "mailto:ada@example.com",
    }
    assert public == vapid.public
    assert len(headers(vapid, ENDPOINT, "~direct.room", 60, 0)["Topic"]) == 32


@pytest.mark.parametrize(
    "address",
    [
        ENDPOINT,
        "https://fcm.googleapis.com/fcm/send/cGhf_:APA91b-x",
        "https://fcm.googleapis.com:443/fcm/send/x",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAA%3d%3d",
        "https://web.push.apple.com/QGuF",
    ],
)
def test_the_push_services_of_browsers_are_known(address: str) -> None:
    assert is_push_service(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://fcm.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://evilfcm.googleapis.com.example/x",
        "https://notfcm.googleapis.com@127.0.0.1/x",
        "https://127.0.0.1\\@fcm.googleapis.com/x",
        "https://127.0.0.1#.fcm.googleapis.com/x",
        "https://127.0.0.1/.fcm.googleapis.com",
        "https://xfcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com/x\r\nHost: y",
        "https://fcm.googleapis.com/x\n",
        "https://FCM.googleapis.com/ü",
        "https://fcm.googleapis.com",
        "https://fcm.googleapis.com/" + "x" * 901,
        "",
    ],
)
def test_no_other_address_is_asked(address: str) -> None:
    assert not is_push_service(address)


def test_hosts_of_ones_own_are_named_with_their_port() -> None:
    hosts = [*HOSTS, "push.example:8443"]

    assert is_push_service("https://push.example:8443/x", hosts)
    assert not is_push_service("https://push.example/x", hosts)


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", AUTH),
        (RECEIVER, AUTH[:-4]),
        (RECEIVER[:-3] + "AAA", AUTH),
        (RECEIVER[:-1] + "!", AUTH),
        (base64.b64encode(b"\4" + b"\1" * 64).decode().replace("+", "-").replace("/", "_"), AUTH),
        ("ü", AUTH),
    ],
)
def test_keys_that_are_none_are_refused(p256dh: str, auth: str) -> None:
    with pytest.raises(ValueError):
        read_subscription(ENDPOINT, p256dh, auth)


def test_a_subscription_has_bytes() -> None:
    assert Subscription(ENDPOINT, read_base64url(RECEIVER), read_base64url(AUTH)) == TO
