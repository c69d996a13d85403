from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.blueprint(chatrooms.bp)

chat = chatrooms.default


# region greet
@chat.on("room.entered")
async def greet(event: chatrooms.Happening) -> None:
    if event.user is not None and event.room == "general":
        await chat.notify(event.user, "notice", {"title": "Welcome", "content": f"Hello {event.user.name}."})


# endregion
