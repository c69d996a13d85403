"""The command line, `python -m sanic_chatrooms`: one module for each command. It needs the extra `cli`."""
