import os

from sanic import Sanic
from sanic_chatrooms import ChatRooms, RedisBroker, SQLStore

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
DATABASE = os.environ.get("DATABASE_URL", "sqlite:///chat.db")

# region apart
chat = ChatRooms(
    "support",
    guests=True,
    store=SQLStore(DATABASE),  # messages
    broker=RedisBroker(f"{REDIS}?prefix=shop:"),  # events between workers, and presence
)
# endregion

app = Sanic("Shop")
app.blueprint(chat.bp)
