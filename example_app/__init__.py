"""A small chat application: what an app with `sanic_chatrooms` looks like. Start it with `python -m example_app`."""
