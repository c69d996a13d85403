import os
import time

import jwt
from sanic import Sanic
import sanic_chatrooms as chatrooms

# region settings
app = Sanic("Shop")
app.config.CHATROOMS_JWT_SECRET = os.environ["JWT_SECRET"]
app.config.CHATROOMS_ADMIN = "write"  # or "read": it shows, and changes nothing
app.blueprint(chatrooms.bp)
# endregion


# region token
def operator_token(user: str, name: str, *, may_act: bool) -> str:
    scope = "chat:admin chat:moderate" if may_act else "chat:admin"
    claims = {"sub": user, "name": name, "scope": scope, "exp": time.time() + 8 * 3600}
    return jwt.encode(claims, os.environ["JWT_SECRET"], "HS256")


# endregion

if __name__ == "__main__":
    app.run(single_process=True)
