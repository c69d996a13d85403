"""What the tests stand on: servers, clients, and the guard against errors that only asyncio's log would see."""
