import os

from sanic import Sanic
import sanic_chatrooms as chatrooms

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_STORE = REDIS  # broker and presence use it, too
app.blueprint(chatrooms.bp)
