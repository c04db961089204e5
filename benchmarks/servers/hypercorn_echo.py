"""Echo by Python's hypercorn, which takes WebSockets on HTTP/1.1 and on streams of HTTP/2 (RFC 8441), behind a control line like control.js's.

Requests are lines of JSON on stdin: listen, usage, quit. The process ends when stdin does.
"""

import asyncio
import json
import os
import socket
import sys
import threading
import time

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def echo(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        kind = "bytes" if event.get("text") is None else "text"
        await send({"type": "websocket.send", kind: event[kind]})


def answer_requests(port):
    answers = {
        "listen": lambda: port,
        "usage": lambda: {"cpu": time.process_time_ns() // 1000},
        "quit": lambda: {},
    }
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"ok": answers[request["do"]]()}), flush=True)
        if request["do"] == "quit":
            break
    os._exit(0)


async def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.websocket_max_message_size = 2**27
    config.loglevel = "CRITICAL"
    threading.Thread(target=answer_requests, args=[listener.getsockname()[1]], daemon=True).start()
    await serve(echo, config, shutdown_trigger=asyncio.Event().wait)


asyncio.run(main())
