"""sanic several_workers:app --workers 4"""

from sanic import Request, Sanic, empty
from sanic.response import HTTPResponse
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
# region settings
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_STORE = "embedded:"  # broker and presence use it, too
# endregion
app.blueprint(chatrooms.bp)


# region everywhere
@app.post("/users/<user>/notice")
async def notice(request: Request, user: str) -> HTTPResponse:
    payload = {"title": "Your parcel", "content": request.json["text"]}
    await chatrooms.default.notify(user, "notice", payload)  # on every worker
    return empty()


# endregion


# region restart
@app.post("/deploy")
async def deploy(request: Request) -> HTTPResponse:
    request.app.m.restart(all_workers=True, zero_downtime=True)
    return empty()


# endregion
