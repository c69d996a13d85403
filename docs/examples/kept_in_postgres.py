import os

from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_STORE = os.environ["SHOP_DATABASE"]  # postgresql://shop:…@db.example/shop
app.blueprint(chatrooms.bp)
