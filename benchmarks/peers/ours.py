"""sanic_chatrooms as it comes: join, ack, seq, history, repetition by msgId; guests, memory store. python ours.py PORT"""

import os
import sys

from sanic import Sanic

import sanic_chatrooms as chatrooms

# Limits are on and checked, but so high that no load reaches them. As variables, which earlier versions pass by.
for key in ("RATE_MESSAGE", "RATE_JOIN", "RATE_READ", "RATE_BYTES"):
    os.environ.setdefault(f"SANIC_CHATROOMS_{key}", "1000000000/s")
os.environ.setdefault("SANIC_CHATROOMS_OVERLOAD_LAG", "none")

app = Sanic("Ours")
app.config.update(
    CHATROOMS_GUESTS=True,
    # Only so that one generator may fill 100,000 rooms:
    CHATROOMS_MAX_ROOMS=1_000_000,
    CHATROOMS_MAX_ROOMS_PER_CONNECTION=100_000,
)
app.blueprint(chatrooms.bp)

if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
