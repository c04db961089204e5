"""The `websockets` package, as Debian has it, as the other side of a conversation. Usage: see conversation.main."""

import asyncio

import websockets
from conversation import OFFERED, PROTOCOL, converse, main, tell
from websockets.exceptions import ConnectionClosed

LIMITS = {"max_size": None, "ping_interval": None}


class Talker:
    def __init__(self, connection):
        self.connection = connection
        self.protocol = connection.subprotocol
        self.faults = []

    async def send(self, message):
        await self.connection.send(message)

    async def send_pieces(self, kind, pieces, between):
        if not hasattr(self.connection, "write_frame"):
            return await self.connection.send(paced(pieces, between), text=kind == "text")
        # up to version 13 only its own frame writer can split a character
        opcode = 1 if kind == "text" else 2
        for i, piece in enumerate(pieces):
            await self.connection.write_frame(i == len(pieces) - 1, opcode, piece)
            if i == 0:
                await between()
            opcode = 0

    async def receive(self):
        try:
            return await self.connection.recv()
        except ConnectionClosed:
            return None

    async def ping(self, payload):
        return await self.connection.ping(payload.encode())

    async def close(self, code, reason):
        await self.connection.close(code, reason)

    async def closed(self):
        await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason


async def paced(pieces, between):
    for i, piece in enumerate(pieces):
        yield piece
        if i == 0:
            await between()


async def serve(script):
    async def handle(connection):
        path = connection.path if hasattr(connection, "path") else connection.request.path
        tell(await converse(Talker(connection), path, script))

    async with websockets.serve(handle, "127.0.0.1", 0, subprotocols=[PROTOCOL], **LIMITS) as server:
        tell({"port": server.sockets[0].getsockname()[1]})
        await asyncio.Future()


async def connect(script, port, paths):
    for path in paths:
        async with websockets.connect(f"ws://127.0.0.1:{port}{path}", subprotocols=OFFERED, **LIMITS) as connection:
            tell(await converse(Talker(connection), path, script))


main(serve, connect)
