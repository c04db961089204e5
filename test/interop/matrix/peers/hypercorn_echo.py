"""Python's `hypercorn`, a server of ASGI applications, which know nothing of pings and fragments."""

import asyncio
import socket
from importlib.metadata import version

from echo import PROTOCOL, Echo, main, tell_end
from hypercorn.asyncio import serve as run
from hypercorn.config import Config


class Can:
    def __init__(self, send):
        self.hand = send

    async def send(self, message):
        await self.hand({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})

    async def close(self, code, reason):
        await self.hand({"type": "websocket.close", "code": code, "reason": reason})


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    echo = Echo(Can(send))
    await receive()
    await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
    while (event := await receive())["type"] == "websocket.receive":
        text = event.get("text")
        await echo.message(event["bytes"] if text is None else text)
    tell_end(scope["path"], PROTOCOL, event.get("code", 1005))


async def serve(ready):
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.websocket_max_message_size = 2**24
    config.loglevel = "CRITICAL"
    ready(listener.getsockname()[1])
    await run(app, config, shutdown_trigger=asyncio.Event().wait)


main(version("hypercorn"), serve)
