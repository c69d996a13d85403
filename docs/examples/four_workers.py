import os

from sanic import Request, Sanic, json
from sanic.response import HTTPResponse
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_STORE = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
app.blueprint(chatrooms.bp)


@app.get("/worker")
async def worker(_: Request) -> HTTPResponse:
    return json({"process": os.getpid(), "connections": len(chatrooms.default.connections())})
