"""`wsproto` as the other side of a conversation, and as a judge of every byte: all that arrives goes through its state
machine, and past it through a walk over the frame headers. Usage: see conversation.main.
"""

import asyncio
import base64
import hashlib

from conversation import OFFERED, PROTOCOL, converse, main, tell
from frame_walk import FrameWalk
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Talker:
    def __init__(self, role, reader, writer):
        self.serves = role is ConnectionType.SERVER
        self.machine = WSConnection(role)
        self.reader = reader
        self.writer = writer
        self.protocol = None
        self.path = None
        self.faults = []
        self.head = b""
        self.walk = FrameWalk(from_client=self.serves, faults=self.faults)
        self.pieces = []
        self.inbox = asyncio.Queue()
        self.pongs = []
        self.result = (1006, "")
        self.opened = asyncio.get_running_loop().create_future()
        self.ended = asyncio.create_task(self.read())

    async def read(self):
        """Takes in all that comes, until the wire ends."""
        try:
            while data := await self.reader.read(65536):
                self.look_at(data)
                self.machine.receive_data(data)
                for event in self.machine.events():
                    self.handle(event)
            self.walk.end()
            if self.serves and self.result[0] == 1006:
                self.faults.append("the client ended the wire, and had not closed")
        except ProtocolError as error:
            self.faults.append(f"{type(error).__name__}: {error}")
        except ConnectionError as error:
            self.faults.append(f"the wire broke: {error!r}")
        self.writer.close()
        self.inbox.put_nowait(None)
        for _, waiter in self.pongs:
            waiter.cancel()
        if not self.opened.done():
            self.opened.set_result(False)

    def look_at(self, data):
        """Sees the bytes themselves: the head line by line, then frames."""
        if b"\r\n\r\n" in self.head:
            return self.walk.feed(data)
        self.head += data
        head, end, frames = self.head.partition(b"\r\n\r\n")
        if end:
            check_head(head, self.serves, self.key if not self.serves else None, self.faults)
            self.walk.feed(frames)

    def handle(self, event):
        if isinstance(event, Request):
            self.path = event.target
            if event.subprotocols != OFFERED:
                self.faults.append(f"offered {event.subprotocols}")
            self.protocol = PROTOCOL
            self.write(AcceptConnection(subprotocol=PROTOCOL))
            self.opened.set_result(True)
        elif isinstance(event, AcceptConnection):
            self.protocol = event.subprotocol
            self.opened.set_result(True)
        elif isinstance(event, Message):
            self.pieces.append(event.data)
            if event.message_finished:
                self.inbox.put_nowait(type(event.data)().join(self.pieces))
                self.pieces = []
        elif isinstance(event, Ping):
            self.write(event.response())
        elif isinstance(event, Pong):
            self.match_pong(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            self.finish(event)
        elif isinstance(event, RejectConnection):
            self.faults.append(f"rejected with {event.status_code}")

    def match_pong(self, payload):
        # RFC 6455 §5.5.3: a Pong for the newest Ping also answers the earlier ones
        for i, (sent, waiter) in enumerate(self.pongs):
            if sent == payload:
                waiter.set_result(None)
                del self.pongs[: i + 1]
                return
        self.faults.append(f"a pong with {payload!r} answers no ping")

    def finish(self, event):
        self.result = (int(event.code), event.reason or "")
        if self.machine.state.name == "REMOTE_CLOSING":
            self.write(event.response())
        if self.serves:
            # RFC 6455 §7.1.1: the server ends the wire, and then waits until the client has ended it too
            self.writer.write_eof()

    def write(self, event):
        self.writer.write(self.machine.send(event))

    def begin(self, port, path):
        """As a client: sends the request."""
        self.path = path
        request = self.machine.send(Request(host=f"127.0.0.1:{port}", target=path, subprotocols=OFFERED))
        self.key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        self.writer.write(request)

    async def send(self, message):
        self.write(TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message))
        await self.writer.drain()

    async def send_pieces(self, kind, pieces, between):
        # wsproto takes text only as str, and so cannot split a character: there are as many pieces, but of characters
        if kind == "text":
            whole, sizes, at = b"".join(pieces).decode(), [len(piece) for piece in pieces], 0
            pieces = []
            for size in sizes:
                pieces.append(whole[at : at + size])
                at += size
        event = TextMessage if kind == "text" else BytesMessage
        for i, piece in enumerate(pieces):
            self.write(event(data=piece, message_finished=i == len(pieces) - 1))
            if i == 0:
                await between()
        await self.writer.drain()

    async def receive(self):
        return await self.inbox.get()

    async def ping(self, payload):
        waiter = asyncio.get_running_loop().create_future()
        self.pongs.append((payload.encode(), waiter))
        self.write(Ping(payload=payload.encode()))
        return waiter

    async def close(self, code, reason):
        self.write(CloseConnection(code=code, reason=reason))

    async def closed(self):
        await self.ended
        return self.result


def check_head(head, from_client, sent_key, faults):
    """RFC 6455 §4.1 and §4.2.2, RFC 9112 §5: what a judge who sees only the bytes can say about a handshake."""
    first, *lines = head.split(b"\r\n")
    fields = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or not value.strip() or b"\n" in line or b"\r" in line:
            faults.append(f"a strange line in the head: {line!r}")
        if name.lower() in fields:
            faults.append(f"{name!r} comes twice")
        fields[name.lower()] = value.strip()
    if fields.get(b"upgrade", b"").lower() != b"websocket" or b"upgrade" not in fields.get(b"connection", b"").lower():
        faults.append(f"not an upgrade: {fields!r}")
    if from_client:
        if not first.startswith(b"GET /") or not first.endswith(b" HTTP/1.1"):
            faults.append(f"a strange request line: {first!r}")
        if fields.get(b"sec-websocket-version") != b"13" or not fields.get(b"host", b"").startswith(b"127.0.0.1:"):
            faults.append(f"version or host: {fields!r}")
        key = fields.get(b"sec-websocket-key", b"")
        if len(base64.b64decode(key)) != 16 or base64.b64encode(base64.b64decode(key)) != key:
            faults.append(f"the key is {key!r}")
    else:
        if not first.startswith(b"HTTP/1.1 101 "):
            faults.append(f"a strange status line: {first!r}")
        key = sent_key.partition(b":")[2].strip()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        if fields.get(b"sec-websocket-accept") != accept:
            faults.append(f"the accept value is {fields.get(b'sec-websocket-accept')!r} and not {accept!r}")


async def judge(talker, script):
    if await talker.opened:
        report = await converse(talker, talker.path, script)
    else:
        report = {"path": talker.path, "faults": talker.faults}
    # only clients mask: one mask for each frame
    tell({**report, "frames": talker.walk.frames, "masks": len(talker.walk.masks)})


async def serve(script):
    async def handle(reader, writer):
        await judge(Talker(ConnectionType.SERVER, reader, writer), script)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**20)
    tell({"port": server.sockets[0].getsockname()[1]})
    await asyncio.Future()


async def connect(script, port, paths):
    for path in paths:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        talker = Talker(ConnectionType.CLIENT, reader, writer)
        talker.begin(port, path)
        await judge(talker, script)


main(serve, connect)
