"""Python's `websockets`, in both roles."""

import asyncio

import websockets
from echo import OFFERED, PROTOCOL, Echo, main, path_of, tell_end
from websockets.exceptions import ConnectionClosed

OPTIONS = {"max_size": None, "ping_interval": None}


class Can:
    def __init__(self, connection):
        self.connection = connection
        self.send = connection.send
        self.close = connection.close
        self.echo = Echo(self)

    async def send_pieces(self, pieces):
        async def each():
            for piece in pieces:
                yield piece

        await self.connection.send(each())

    async def ping(self, payload):
        waiter = await self.connection.ping(payload)

        async def answer():
            await waiter
            await self.echo.pong(payload.encode())

        self.answering = asyncio.create_task(answer())


async def talk(connection, path):
    can = Can(connection)
    try:
        async for message in connection:
            await can.echo.message(message)
    except ConnectionClosed:
        pass
    await connection.wait_closed()
    tell_end(path, connection.subprotocol, connection.close_code, connection.close_reason)


async def serve(ready):
    async def handle(connection):
        await talk(connection, connection.path if hasattr(connection, "path") else connection.request.path)

    async with websockets.serve(handle, "127.0.0.1", 0, subprotocols=[PROTOCOL], **OPTIONS) as server:
        ready(server.sockets[0].getsockname()[1])
        await asyncio.Future()


async def connect(url):
    async with websockets.connect(url, subprotocols=OFFERED, **OPTIONS) as connection:
        await talk(connection, path_of(url))


main(websockets.version.version, serve, connect)
