"""Iterators of language models and agents, as text for `chat.stream`."""

from collections.abc import AsyncIterable
from typing import Any

from sanic_chatrooms import ChatRooms, User


# region openai
async def write_completion(
    chat: ChatRooms, room: str, bot: User, chunks: AsyncIterable[Any], *, parent: str | None = None
) -> str:
    """Write what a streaming completion of an OpenAI-like API yields; -> the message's id.

    `chunks` is `await client.chat.completions.create(…, stream=True)`. What a model refuses to say, it says as `refusal`.
    """
    async with chat.stream(room, sender=bot, parent=parent) as out:
        async for chunk in chunks:
            for choice in chunk.choices[:1]:  # the last chunk, which has the usage, has none
                out.write(choice.delta.content or getattr(choice.delta, "refusal", None) or "")
                if choice.finish_reason == "content_filter":
                    raise RuntimeError("the provider has stopped this answer")
    return out.msg_id


# endregion


# region ag-ui
async def write_run(
    chat: ChatRooms, room: str, bot: User, events: AsyncIterable[Any], *, parent: str | None = None
) -> list[str]:
    """Write the text messages of a run of an AG-UI agent, one after the other; -> their ids."""
    written: list[str] = []
    source = aiter(events)
    async for event in source:
        if event.type == "RUN_ERROR":
            raise RuntimeError(event.message)
        if event.type != "TEXT_MESSAGE_START":
            continue  # tools, state, steps: not for the room
        async with chat.stream(room, sender=bot, parent=parent, body={"run": event.message_id}) as out:
            async for part in source:
                if part.type == "TEXT_MESSAGE_END":
                    break
                if part.type == "RUN_ERROR":
                    raise RuntimeError(part.message)
                if part.type == "TEXT_MESSAGE_CONTENT":
                    out.write(part.delta)
        written.append(out.msg_id)
    return written


# endregion
