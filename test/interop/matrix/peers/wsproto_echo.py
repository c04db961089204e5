"""Python's `wsproto`, in both roles, on asyncio's streams."""

import asyncio
from importlib.metadata import version

from echo import OFFERED, PROTOCOL, Echo, main, path_of, tell_end
from urllib.parse import urlsplit
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    Pong,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import RemoteProtocolError


class Talk:
    def __init__(self, role, reader, writer, path=None):
        self.role = role
        self.machine = WSConnection(role)
        self.reader = reader
        self.writer = writer
        self.path = path
        self.protocol = None
        self.parts = []
        self.ending = 1006, ""
        self.echo = Echo(self)

    def write(self, event):
        self.writer.write(self.machine.send(event))

    async def send(self, message):
        await self.send_pieces([message])

    async def send_pieces(self, pieces):
        for i, piece in enumerate(pieces):
            event = TextMessage if isinstance(piece, str) else BytesMessage
            self.write(event(data=piece, message_finished=i == len(pieces) - 1))
        await self.writer.drain()

    async def ping(self, payload):
        self.write(Ping(payload=payload.encode()))

    async def close(self, code, reason):
        self.write(CloseConnection(code=code, reason=reason))

    async def run(self):
        try:
            while data := await self.reader.read(65536):
                self.machine.receive_data(data)
                for event in self.machine.events():
                    await self.handle(event)
        except (ConnectionError, RemoteProtocolError):
            pass
        self.writer.close()
        tell_end(self.path, self.protocol, *self.ending)

    async def handle(self, event):
        if isinstance(event, Request):
            self.path = event.target
            self.protocol = PROTOCOL
            self.write(AcceptConnection(subprotocol=PROTOCOL, extensions=[PerMessageDeflate()]))
        elif isinstance(event, AcceptConnection):
            self.protocol = event.subprotocol
        elif isinstance(event, Message):
            self.parts.append(event.data)
            if event.message_finished:
                whole = type(event.data)().join(self.parts)
                self.parts = []
                await self.echo.message(whole)
        elif isinstance(event, Ping):
            self.write(event.response())
        elif isinstance(event, Pong):
            await self.echo.pong(event.payload)
        elif isinstance(event, CloseConnection):
            self.ending = event.code, event.reason or ""
            if self.machine.state.name == "REMOTE_CLOSING":
                self.write(event.response())
            if self.role is ConnectionType.SERVER:
                self.writer.write_eof()


async def serve(ready):
    async def handle(reader, writer):
        await Talk(ConnectionType.SERVER, reader, writer).run()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    ready(server.sockets[0].getsockname()[1])
    await asyncio.Future()


async def connect(url):
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    talk = Talk(ConnectionType.CLIENT, reader, writer, path_of(url))
    request = Request(
        host=where.netloc, target=where.path, subprotocols=OFFERED, extensions=[PerMessageDeflate()]
    )
    talk.write(request)
    await talk.run()


main(version("wsproto"), serve, connect)
