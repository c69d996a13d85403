from pathlib import Path

from sanic import Sanic
import sanic_chatrooms as chatrooms

HERE = Path(__file__).parent

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.blueprint(chatrooms.bp)
app.static("/", HERE / "chat_page.html", name="page")
app.static("/chat_page.js", HERE / "chat_page.js", name="script")
