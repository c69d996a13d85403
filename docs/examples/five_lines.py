from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.blueprint(chatrooms.bp)
