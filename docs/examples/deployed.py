from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
# region proxy
app.config.PROXIES_COUNT = 1  # the number of proxies in front of this process
app.config.REAL_IP_HEADER = "x-real-ip"
app.config.CHATROOMS_ALLOWED_ORIGINS = ["https://shop.example"]
# endregion
app.blueprint(chatrooms.bp)
