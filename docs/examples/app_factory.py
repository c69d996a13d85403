from sanic import Sanic
import sanic_chatrooms as chatrooms


# region factory
def create_app(name: str = "Shop") -> Sanic:
    app = Sanic(name)
    app.config.CHATROOMS_GUESTS = True
    app.blueprint(chatrooms.bp)
    chat = app.ctx.chatrooms["default"]  # the instance of this app

    @chat.on("message")
    async def note(event: chatrooms.Happening) -> None:
        app.ctx.last_room = event.room

    return app


# endregion
