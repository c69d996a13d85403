"""A small chat application: what `sanic_chatrooms` looks like from a host. Start it with `python -m example_app`."""
