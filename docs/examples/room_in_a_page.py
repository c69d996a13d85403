from pathlib import Path

from sanic import Sanic
import sanic_chatrooms as chatrooms

HERE = Path(__file__).parent

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.blueprint(chatrooms.bp)
app.static("/", HERE / "room_in_a_page.html", name="page")
app.static("/room_in_a_page.js", HERE / "room_in_a_page.js", name="script")
app.static("/room_in_a_page.css", HERE / "room_in_a_page.css", name="style")
