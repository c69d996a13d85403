import hmac

from sanic import HTTPResponse, Request, Sanic, json
from sanic_chatrooms import Chain, ChatRooms, JWTAuth, Tickets, User

SECRET = "an example: write here what `openssl rand -base64 48` prints"
KIOSKS = {"lobby": "an example: the password of the screen in the lobby"}

app = Sanic("Shop")
# region tickets
chat = ChatRooms(auth=Chain(JWTAuth(SECRET), Tickets()))
app.blueprint(chat.bp)


@app.post("/kiosk/<name:str>")
async def kiosk(request: Request, name: str) -> HTTPResponse:
    if not hmac.compare_digest(KIOSKS.get(name, "").encode(), (request.token or "-").encode()):
        return json({"error": "wrong password"}, status=401)
    return json({"ticket": await chat.ticket(User(f"kiosk-{name}", name.title()))})


# endregion
