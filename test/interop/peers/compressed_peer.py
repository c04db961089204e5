"""The `websockets` package with its compression, as an echo: whole, and in fragments with pings among them.

What is to be agreed on comes as JSON, and every connection ends as one line of JSON on stdout, with the fields of an Echo.
"""

import asyncio
import json
import random
import sys

import websockets
from conversation import leave_with_parent, tell
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

LIMITS = {"max_size": None, "ping_interval": None, "compression": None}


async def echo(connection):
    """Echoes until the other side closes."""
    numbers = random.Random(1)
    pongs = []
    errors = []
    count = 0
    try:
        while True:
            message = await connection.recv()
            count += 1
            if count % 2:
                await connection.send(message)
            else:
                await send_pieces(connection, message, numbers, pongs)
    except ConnectionClosed as closed:
        if closed.code != 1000:
            errors.append(str(closed))
    answered = sum(1 for pong in pongs if pong.done() and not pong.cancelled() and pong.exception() is None)
    tell({"pings": len(pongs), "pongs": answered, "errors": errors})


async def send_pieces(connection, message, numbers, pongs):
    ends = sorted(numbers.randint(0, len(message)) for _ in range(numbers.randint(1, 4)))
    pieces = [message[start:end] for start, end in zip([0] + ends, ends + [len(message)])]

    async def paced():
        for piece in pieces:
            yield piece
            pongs.append(await connection.ping(str(len(pongs))))

    await connection.send(paced())


def factory(kind, wishes):
    """What one side asks for; a missing wish is nothing asked."""
    return kind(
        server_no_context_takeover=not wishes.get("serverTakeover", True),
        client_no_context_takeover=not wishes.get("clientTakeover", True),
        server_max_window_bits=wishes.get("serverBits"),
        client_max_window_bits=wishes.get("clientBits", True if kind is ClientPerMessageDeflateFactory else None),
    )


async def serve(all_wishes):
    ports = []
    for wishes in all_wishes:
        extensions = [factory(ServerPerMessageDeflateFactory, wishes)]
        server = await websockets.serve(echo, "127.0.0.1", 0, extensions=extensions, **LIMITS)
        ports.append(server.sockets[0].getsockname()[1])
    tell({"ports": ports})
    await asyncio.Future()


async def connect(port, all_wishes):
    for i, wishes in enumerate(all_wishes):
        extensions = [factory(ClientPerMessageDeflateFactory, wishes)]
        async with websockets.connect(f"ws://127.0.0.1:{port}/{i}", extensions=extensions, **LIMITS) as connection:
            await echo(connection)


def main():
    """compressed_peer.py serve WISHES, which tells its ports first, or compressed_peer.py connect WISHES PORT."""
    leave_with_parent()
    role, wishes, *rest = sys.argv[1:]
    asyncio.run(serve(json.loads(wishes)) if role == "serve" else connect(int(rest[0]), json.loads(wishes)))


main()
