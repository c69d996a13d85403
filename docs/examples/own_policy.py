from sanic import Sanic
from sanic_chatrooms import ChatRooms, Forbidden, Room, RoomPolicy, Standing, User


# region policy
class ShopPolicy(RoomPolicy):
    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        super().require(user, action, room, standing)
        if action == "room.create" and user.guest:
            raise Forbidden("sign in to open a room of your own")
        if action == "message" and room is not None and room.id == "news" and "editor" not in user.scopes:
            raise Forbidden("only editors write news")


chat = ChatRooms(guests=True, policy=ShopPolicy())
# endregion

app = Sanic("Shop")
app.blueprint(chat.bp)


@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("news", title="News")
    await chat.ensure_room("general", title="General")
