from typing import Any

from sanic import Request, Sanic, json
from sanic.response import HTTPResponse
from sanic_chatrooms import ChatRooms

# region settings
app = Sanic("Shop")
app.config.CHATROOMS_RATE_MESSAGE = "5/s burst 20"
app.config.CHATROOMS_RATE_CREATE = "3/h"
app.config.CHATROOMS_RATE_LIVE = None  # no limit
chat = ChatRooms(guests=True, max_connections_per_ip=50)
# endregion
app.blueprint(chat.bp)


# region reconfigure
@app.post("/calm")
async def calm(_: Request[Any, Any]) -> HTTPResponse:  # keep this from strangers
    in_force = await chat.reconfigure(rate_message="1/s burst 3", max_text=500)
    return json({"rate_message": in_force["rate_message"], "max_text": in_force["max_text"]})


# endregion


# region restore
@app.post("/normal")
async def normal(_: Request[Any, Any]) -> HTTPResponse:
    await chat.reconfigure(rate_message=None, max_text=None)  # what is configured
    return json({})


# endregion

if __name__ == "__main__":
    app.run(single_process=True)
