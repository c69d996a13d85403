"""Stops a worker from accepting connections before Sanic would.

All workers accept from one queue, and Sanic goes on accepting until all stop listeners have run. A worker that sends its
connections away would then get many of them back.
"""

from .runner import in_runner

__all__ = ["stop_accepting"]

_SERVER = "http_server"


def stop_accepting() -> bool:
    """Accept no more connections; those that are open stay. Call it on the worker's event loop. -> was the server found?"""
    for server in in_runner(_SERVER):
        server.close()
        return True
    return False
