from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.blueprint(chatrooms.bp)  # settings come from the environment: SANIC_CHATROOMS_STORE and so on
