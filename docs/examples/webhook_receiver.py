import base64
import hmac
import os
import time

from sanic import Forbidden, HTTPResponse, Request, Sanic, empty

SECRET = os.environ["WEBHOOK_SECRET"]  # without one, anybody could sign
TOLERANCE = 300  # seconds; an old request that somebody kept is refused

app = Sanic("Receiver")
app.ctx.seen = {}  # in memory here; yours goes into the transaction in which you use the event


# region receive
@app.post("/hooks/chat", error_format="json")
async def receive(request: Request) -> HTTPResponse:
    id = verified(request)
    if id not in app.ctx.seen:  # at least once: it may come again
        app.ctx.seen[id] = request.json["data"]
    return empty()


def verified(request: Request) -> str:
    """The id of the webhook. Only who has the secret could sign it, and not long ago."""
    id, at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if not (at.isdecimal() and len(at) < 16) or abs(time.time() - int(at)) > TOLERANCE:
        raise Forbidden("the time stamp is too old, or too new")
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id}.{at}.".encode() + request.body, "sha256")
    expected = f"v1,{base64.b64encode(digest).decode()}"
    signatures = request.headers.get("webhook-signature", "").split()  # several while the secret changes
    if not any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures):
        raise Forbidden("the signature is wrong")
    return id


# endregion
