from sanic import Sanic
from sanic_chatrooms import Authenticator, ChatRooms, Credentials, Handshake, Unauthenticated, User


class StaffAuth(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if credentials.token != "the word of the day":
            raise Unauthenticated
        return User("staff-1", "Staff", scopes=("staff",))


# region routes
chat = ChatRooms("support", guests=True)
chat.add_route("/desk/<room>", auth=StaffAuth(), max_text=64_000)
chat.add_route("/screen/<room>", read_only=True)
chat.add_route("/lobby", room="lobby", max_rooms_per_connection=1)
# endregion

app = Sanic("Shop")
app.blueprint(chat.bp)
