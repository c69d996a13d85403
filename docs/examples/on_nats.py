import os

from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_STORE = os.environ["SHOP_DATABASE"]  # what is said, and who is there
app.config.CHATROOMS_BROKER = os.environ.get("NATS_URL", "nats://localhost:4222")  # how workers hear of it
app.blueprint(chatrooms.bp)
