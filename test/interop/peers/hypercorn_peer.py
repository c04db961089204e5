"""`hypercorn` as a server of HTTP/1.1 and HTTP/2 (RFC 8441), with an ASGI application that plays the script or echoes it, and
refuses what it is told to. ASGI has neither pings nor pieces of messages, and does not say how a connection was closed.

Usage: hypercorn_peer.py FOLDER [CERTIFICATE KEY]. Tells its port first, and then of each connection how it went.
"""

import asyncio
import sys
import traceback

from conversation import BATON, BURST, CLOSE_CODE, CLOSE_REASON, OFFERED, PROTOCOL, leave_with_parent, plan_of, read_script, tell
from hypercorn.asyncio import serve
from hypercorn.config import Config


class Talker:
    """One connection, with whole messages for ASGI's events."""

    def __init__(self, receive, send):
        self.events = receive
        self.write = send

    async def send(self, message):
        kind = "text" if isinstance(message, str) else "bytes"
        await self.write({"type": "websocket.send", kind: message})

    async def receive(self):
        event = await self.events()
        if event["type"] == "websocket.disconnect":
            return None
        return event["bytes"] if event.get("text") is None else event["text"]


class Application:
    def __init__(self, script):
        self.script = script

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await self.connection(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def connection(self, scope, receive, send):
        if scope["path"] == "/refuse":
            headers = [(b"x-why", b"because"), (b"content-type", b"text/plain")]
            await send({"type": "websocket.http.response.start", "status": 418, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b"no coffee here"})
            return
        if scope["path"] == "/deny":
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL, "headers": [(b"x-server", b"hypercorn")]})
        if scope["path"] == "/leave":
            return
        report = {"http": scope["http_version"], "scheme": scope["scheme"], "echoed": 0, "faults": []}
        if scope["subprotocols"] != OFFERED:
            report["faults"].append(f"offered {scope['subprotocols']}")
        talker = Talker(receive, send)
        try:
            await self.converse(talker, plan_of(f"?{scope['query_string'].decode()}"), report)
        except Exception:
            report["faults"].append(traceback.format_exc())
        # the session ends with its last stream, and code after this may not run
        tell(report)
        while await talker.receive() is not None:
            pass

    async def converse(self, talker, plan, report):
        if plan["player"] == "peer":
            await self.play(talker, int(plan["most"]), report)
        else:
            await echo(talker, report)
        if plan["closer"] == "peer":
            await talker.write({"type": "websocket.close", "code": CLOSE_CODE, "reason": CLOSE_REASON})

    async def play(self, talker, most, report):
        for message in self.script:
            if len(message.data) <= most:
                await talker.send(message.whole())
                await expect_echo(talker, message, report)
        burst = [message for message in self.script if len(message.data) <= BURST]
        for message in burst:
            await talker.send(message.whole())
        for message in burst:
            await expect_echo(talker, message, report)
        await talker.send(BATON)
        if await talker.receive() != BATON:
            raise RuntimeError("the other side did not answer the last message")


async def expect_echo(talker, message, report):
    if await talker.receive() == message.whole():
        report["echoed"] += 1
    else:
        report["faults"].append(f"{message.name} came back other than it was")


async def echo(talker, report):
    while (message := await talker.receive()) != BATON:
        if message is None:
            raise RuntimeError("closed before the script was over")
        await talker.send(message)
        report["echoed"] += 1
    await talker.send(BATON)


async def lifespan(receive, send):
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


async def main(folder, certificate=None, key=None):
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.certfile = certificate
    config.keyfile = key
    # no warnings about what tests do on purpose
    config.errorlog = None
    sockets = config.create_sockets()
    [listener] = sockets.secure_sockets or sockets.insecure_sockets
    config.create_sockets = lambda: sockets
    listener.listen(100)
    tell({"port": listener.getsockname()[1]})
    await serve(Application(read_script(folder)), config, shutdown_trigger=asyncio.Future)


leave_with_parent()
asyncio.run(main(*sys.argv[1:]))
