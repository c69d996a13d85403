import hashlib
from pathlib import Path

from sanic import HTTPResponse, Request, Sanic, file, json
from sanic.exceptions import NotFound
from sanic_chatrooms import ChatRooms, Happening

app = Sanic("Shop")
app.config.REQUEST_MAX_SIZE = 10_000_000
app.config.FILES = "files"
chat = ChatRooms(guests=True)
app.blueprint(chat.bp)


# region keep
@app.put("/files")  # behind your login, with a limit for each user
async def keep(request: Request) -> HTTPResponse:
    sha256 = hashlib.sha256(request.body).hexdigest()
    path = Path(app.config.FILES) / sha256
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(request.body)
    return json({"url": f"/files/{sha256}", "sha256": sha256, "size": len(request.body)})


@app.get("/files/<sha256:[0-9a-f]{64}>")
async def give(_: Request, sha256: str) -> HTTPResponse:
    path = Path(app.config.FILES) / sha256
    if not path.exists():
        raise NotFound("there is no such file")
    # A download, and never a page of this server: users choose what is in it.
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return await file(path, mime_type="application/octet-stream", headers=headers)


# endregion


# region forget
@chat.on("message.unattached")
async def forget(event: Happening) -> None:
    for one in event.payload["attachments"]:
        if one["url"].startswith("/files/"):  # and no other message of yours has the same file
            (Path(app.config.FILES) / one["sha256"]).unlink(missing_ok=True)


# endregion
