import os

from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_STORE = os.environ["SHOP_DATABASE"]  # messages and presence
app.config.CHATROOMS_BROKER = os.environ.get("NATS_URL", "nats://localhost:4222")  # events between workers
app.blueprint(chatrooms.bp)
