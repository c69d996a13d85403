from sanic_chatrooms import User
from sanic_chatrooms.testing import chat_client, running_chat

import hooks


# region in-memory
async def test_plain_links_are_refused() -> None:
    async with running_chat(hooks.chat) as chat:
        ada = await chat_client(chat, User("u1", "Ada"))
        bob = await chat_client(chat, User("u2", "Bob"))
        for client in (ada, bob):
            await client.ack("join", room="general")

        refused = await ada.error("message", room="general", payload={"text": "see http://x.example"})
        await ada.ack("message", room="general", payload={"text": "teh end"})

        assert refused["code"] == "forbidden"
        assert (await bob.expect("message"))["payload"] == {"text": "the end"}


# endregion


# region nothing-came
async def test_nobody_hears_what_was_refused() -> None:
    async with running_chat(hooks.chat) as chat:
        ada = await chat_client(chat, User("u1", "Ada"))
        bob = await chat_client(chat, User("u2", "Bob"))
        for client in (ada, bob):
            await client.ack("join", room="general")

        await ada.error("message", room="general", payload={"text": "see http://x.example"})
        await bob.settle()

        assert bob.unread("message") == []


# endregion
