import time

import jwt
from sanic import HTTPResponse, Request, Sanic, empty
from sanic_chatrooms import ChatError, ChatRooms, Forbidden, Room, RoomPolicy, Standing, User

SECRET = "an example: write here what `openssl rand -base64 48` prints"
app = Sanic("Shop")
app.config.CHATROOMS_JWT_SECRET = SECRET


# region policy
class StaffPolicy(RoomPolicy):
    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        super().require(user, action, room, standing)
        if action == "room.create" and "staff" not in user.scopes:
            raise Forbidden("only staff opens rooms")

    def widen(
        self, user: User, action: str, room: Room | None, standing: Standing, refused: ChatError
    ) -> bool:
        return action == "message.delete.any" and "staff" in user.scopes


# endregion

# region roles
chat = ChatRooms(roles={"editor": 30, "trainee": 7}, policy=StaffPolicy())
# endregion
app.blueprint(chat.bp)


# region permissions
@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("handbook", title="Handbook", visibility="private")
    await chat.update_room(
        "handbook",
        permissions={
            "message": 30,  # editors and above write
            "message.pin": {"level": 50, "roles": ["editor"]},  # moderators and above, and editors
            "history": 7,
        },
    )


# endregion


# region members
@app.put("/handbook/<user:str>")  # behind the login of your staff
async def set_role(request: Request, user: str) -> HTTPResponse:
    await chat.add_member("handbook", User(user, request.json["name"]), request.json["role"])
    return empty()


@app.delete("/handbook/<user:str>")
async def remove(_: Request, user: str) -> HTTPResponse:
    await chat.remove_member("handbook", user)
    return empty()


# endregion


# region scopes
def screen_token() -> str:
    """For the screen in the entrance hall: it shows one room and can do nothing else."""
    claims = {"sub": "screen", "exp": time.time() + 3600, "scope": "room:handbook:read"}
    return jwt.encode(claims, SECRET, "HS256")


# endregion
