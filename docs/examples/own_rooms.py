from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_AUTO_CREATE = False
app.blueprint(chatrooms.bp)

chat = chatrooms.default


@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("general", title="General")
    await chat.ensure_room("support", title="Questions and answers")
