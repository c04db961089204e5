"""What the peers written in Python have in common: echo, obey, and the frame of a program."""

import asyncio
import json
import os
import sys
import threading
from urllib.parse import urlsplit

PROTOCOL = "second.choice"
OFFERED = ["first.choice", PROTOCOL]


def tell(line):
    print(json.dumps(line), flush=True)


def tell_end(path, protocol, code, reason=None):
    """How a connection ended; no reason where there is no way to know it."""
    line = {"path": path, "protocol": protocol, "code": int(code)}
    tell(line if reason is None else {**line, "reason": reason})


class Echo:
    """Does what a message asks. `can` has send, and where there is a way to, send_pieces, ping and close."""

    def __init__(self, can):
        self.can = can
        self.in_pieces = False

    async def message(self, message):
        if not isinstance(message, str) or not message.startswith("interop:"):
            await self.reply(message)
            return
        order, _, words = message.removeprefix("interop:").partition(" ")
        if order == "pieces":
            self.in_pieces = True
        elif order == "ping":
            await self.can.ping(words)
        else:
            code, _, reason = words.partition(" ")
            await self.can.close(int(code), reason)

    async def reply(self, message):
        if self.in_pieces:
            third = len(message) // 3
            pieces = message[:third], message[third : 2 * third], message[2 * third :]
            await self.can.send_pieces(pieces)
        else:
            await self.can.send(message)
        self.in_pieces = False

    async def pong(self, payload):
        await self.can.send("interop:pong " + bytes(payload).decode())


def path_of(url):
    return urlsplit(url).path


def leave_with_parent():
    def wait():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main(version, serve, connect=None):
    """`serve` is given what to call with the port; `connect` is given a URL."""
    leave_with_parent()
    role, *urls = sys.argv[1:]
    if role == "serve":
        asyncio.run(serve(lambda port: tell({"version": version, "port": port})))
        return
    tell({"version": version})

    async def connect_all():
        for url in urls:
            await connect(url)

    asyncio.run(connect_all())
