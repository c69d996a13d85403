from sanic import Sanic
from sanic_chatrooms import Authenticator, ChatRooms, Credentials, Handshake, Unauthenticated, User

# In your application this is a table, a cache, or a session extension.
SESSIONS = {"3f1c9a": {"id": "u1", "name": "Ada", "groups": ["staff"]}}


# region authenticator
class SessionAuth(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        session = SESSIONS.get(handshake.cookies.get("session", ""))
        if session is None:
            raise Unauthenticated("sign in first")
        return User(str(session["id"]), str(session["name"]), scopes=tuple(session["groups"]))


chat = ChatRooms(auth=SessionAuth())
# endregion

app = Sanic("Shop")
app.config.CHATROOMS_AUTO_CREATE = True
app.blueprint(chat.bp)
