"""Python's `aiohttp`, in both roles. Either it answers pings, or it shows pongs: a check of its own pings asks for the latter."""

import asyncio

import aiohttp
from aiohttp import WSMsgType, web
from echo import OFFERED, PROTOCOL, Echo, main, path_of, tell_end

PINGS = "/pongs"


class Can:
    def __init__(self, socket):
        self.socket = socket

    async def send(self, message):
        await (self.socket.send_str if isinstance(message, str) else self.socket.send_bytes)(message)

    async def ping(self, payload):
        await self.socket.ping(payload.encode())

    async def close(self, code, reason):
        await self.socket.close(code=code, message=reason.encode())


async def talk(socket, path):
    echo = Echo(Can(socket))
    reason = None
    while True:
        message = await socket.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            await echo.message(message.data)
        elif message.type is WSMsgType.PONG:
            await echo.pong(message.data)
        elif message.type is WSMsgType.CLOSE:
            reason = message.extra
        else:
            break
        if socket.closed:
            break
    tell_end(path, socket.protocol if hasattr(socket, "protocol") else socket.ws_protocol, socket.close_code, reason)


async def serve(ready):
    async def handle(request):
        socket = web.WebSocketResponse(
            protocols=[PROTOCOL], autoping=request.path != PINGS, compress=True, max_msg_size=0
        )
        await socket.prepare(request)
        await talk(socket, request.path)
        return socket

    app = web.Application()
    app.router.add_get("/{any:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ready(runner.addresses[0][1])
    await asyncio.Future()


async def connect(url):
    path = path_of(url)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
            url, protocols=OFFERED, autoping=path != PINGS, compress=15, max_msg_size=0
        ) as socket:
            await talk(socket, path)


main(aiohttp.__version__, serve, connect)
