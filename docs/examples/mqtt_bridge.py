import asyncio
from hashlib import sha256
import json
import os

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
import sanic_chatrooms as chatrooms
from sanic_chatrooms import ChatError, ChatRooms, User

ROOMS = ["hall", "workshop"]
HOST, PORT = os.environ.get("MQTT_HOST", "localhost"), int(os.environ.get("MQTT_PORT", "1883"))
AGAIN = 1.0  # seconds until it connects again


# region tell
async def tell(chat: ChatRooms, mqtt: aiomqtt.Client) -> None:
    """What is said in the rooms, each event at least once: `publish` waits for the broker's acknowledgement."""
    async for event in chat.follow(rooms=ROOMS, once="mqtt"):
        sender = event.sender and {"id": event.sender.id, "name": event.sender.name}
        said = {"type": event.type, "id": event.msg_id, "seq": event.seq, "sender": sender}
        await mqtt.publish(f"chat/{event.room}/said", json.dumps({**said, "payload": event.payload}), qos=1)


# endregion


# region hear
async def hear(chat: ChatRooms, mqtt: aiomqtt.Client) -> None:
    """What devices say, each message at least once: it is acknowledged when it is stored."""
    async for message in mqtt.messages:
        _, room, _, device = str(message.topic).split("/")
        try:
            if room not in ROOMS:
                raise ValueError("this room is not bridged")
            said = json.loads(message.payload)
            key = sha256(f"{room} {device} {said['id']}".encode()).hexdigest()
            sender = User(f"mqtt:{device}", f"{device} (MQTT)")
            await chat.publish(room, "message", {"text": said["text"]}, sender=sender, key=key)
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            print(f"{message.topic}: no message: {problem!r}", flush=True)
        except ChatError as problem:
            if problem.temporary:
                raise  # it is not acknowledged, so it comes again
            print(f"{message.topic}: refused: {problem}", flush=True)
        mqtt._client.ack(message.mid, message.qos)


# endregion


# region bridge
async def bridge(chat: ChatRooms) -> None:
    """Both directions, over all that ends connections. The broker keeps what comes meanwhile, for a day."""
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval, session.ReceiveMaximum = 24 * 3600, 50
    each_once = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
    while True:
        mqtt = aiomqtt.Client(
            HOST,
            PORT,
            identifier="chat-bridge",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=session,
        )
        mqtt._client.manual_ack_set(True)  # aiomqtt acknowledges what is only in its queue
        try:
            async with mqtt, asyncio.TaskGroup() as directions:
                await mqtt.subscribe("chat/+/say/+", options=each_once)
                directions.create_task(tell(chat, mqtt))
                directions.create_task(hear(chat, mqtt))
        except* (aiomqtt.MqttError, ChatError) as problems:
            print(f"again in {AGAIN:g} s: {problems.exceptions}", flush=True)
        await asyncio.sleep(AGAIN)


# endregion


async def main() -> None:
    store = os.environ.get("REDIS_URL", "redis://localhost")
    async with chatrooms.connect(store=store, namespace="Shop", guests=True) as chat:
        await bridge(chat)


if __name__ == "__main__":
    asyncio.run(main())
