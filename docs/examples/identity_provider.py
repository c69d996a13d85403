import os

from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
# region settings
# Keycloak: https://login.example/realms/shop, and the keys at …/protocol/openid-connect/certs
ISSUER = os.environ.get("OIDC_ISSUER", "https://login.example/realms/shop")
app.config.CHATROOMS_JWT_JWKS_URL = os.environ.get("OIDC_KEYS", f"{ISSUER}/protocol/openid-connect/certs")
app.config.CHATROOMS_JWT_ISSUER = ISSUER
app.config.CHATROOMS_JWT_AUDIENCE = "chat"
app.config.CHATROOMS_JWT_NAME_CLAIM = "preferred_username"
app.config.CHATROOMS_OIDC_LOGOUT = True
# endregion
app.config.CHATROOMS_AUTO_CREATE = True
app.blueprint(chatrooms.bp)
