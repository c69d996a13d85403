from sanic import HTTPResponse, Request, Sanic, empty, json
from sanic.exceptions import NotFound
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.blueprint(chatrooms.bp)

chat = chatrooms.default


# region room
@app.before_server_start
async def make_room(_: object) -> None:
    await chat.ensure_room("orders", title="Orders")


# endregion


# region publish
@app.post("/orders/<number:int>")
async def order(_: Request, number: int) -> HTTPResponse:
    event = await chat.publish(
        "orders", "ORDER_CREATED", {"orderId": number}, key=f"order-created-{number:08}"
    )
    return json({"seq": event.seq})


# endregion


# region notify
@app.post("/users/<user:str>/notice")
async def notice(request: Request, user: str) -> HTTPResponse:
    if not await chat.online(user):
        raise NotFound("nobody is here under this id")
    await chat.notify(user, "notice", {"title": "Your parcel", "content": str(request.json["text"])})
    return empty()


@app.post("/users/<user:str>/to-checkout")
async def checkout(_: Request, user: str) -> HTTPResponse:
    await chat.notify(user, "redirect", {"url": "https://shop.example/checkout"})
    return empty()


# endregion


# region broadcast
@app.post("/maintenance")
async def maintenance(_: Request) -> HTTPResponse:
    await chat.broadcast("notice", {"title": "Maintenance", "content": "Back in five minutes."})
    return empty()


# endregion


# region live
@app.post("/rooms/<room:str>/topic")
async def topic(request: Request, room: str) -> HTTPResponse:
    change = {"field": "topic", "value": str(request.json["topic"])}
    await chat.push(room, "update", change)
    return empty()


# endregion
