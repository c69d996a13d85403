from sanic import Request, Sanic, text
from sanic.response import HTTPResponse
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.blueprint(chatrooms.bp)  # settings come from the environment: SANIC_CHATROOMS_STORE and so on


# region health
@app.get("/health")
async def health(_: Request) -> HTTPResponse:
    return text("ok")  # the event loop runs. Asking the store here would take all machines away with it


# endregion


# region metrics
@app.get("/metrics")
async def metrics(_: Request) -> HTTPResponse:
    connections = len(chatrooms.default.connections())  # of this worker
    lines = f"# TYPE chat_connections gauge\nchat_connections {connections}\n"
    return text(lines, content_type="text/plain; version=0.0.4")


# endregion
