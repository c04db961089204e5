"""One side of a conversation, as converse.ts has it: play the script or echo it, ping, hand over, close.

A talker is an object with protocol, faults, send, send_pieces, receive, ping, close and closed. Every connection ends
as one line of JSON on stdout, with the fields of a Report.
"""

import asyncio
import contextlib
import json
import os
import re
import sys
import threading
import time
import traceback

PROTOCOL = "second.choice"
OFFERED = ["first.choice", PROTOCOL]
CLOSE_CODE = 3000
CLOSE_REASON = "all said – schöne Grüße"
BATON = "over to you"
BURST = 65536
PATIENCE = 15
FAILED = 4999
CLOSE_PATIENCE = 3


class Message:
    def __init__(self, folder, name, kind, cuts, file):
        with open(os.path.join(folder, file), "rb") as payload:
            self.data = payload.read()
        self.name = name
        self.kind = kind
        self.cuts = cuts

    def whole(self):
        return self.data.decode() if self.kind == "text" else self.data

    def pieces(self):
        ends = self.cuts + [len(self.data)]
        return [self.data[start:end] for start, end in zip([0] + self.cuts, ends)]


def read_script(folder):
    with open(os.path.join(folder, "script.json"), encoding="utf-8") as index:
        return [Message(folder, **entry) for entry in json.load(index)]


def plan_of(path):
    return dict(re.findall(r"[?&](\w+)=(\w+)", path))


async def converse(talker, path, script):
    """Goes through one connection and tells how it went."""
    plan = plan_of(path)
    report = {"path": path, "protocol": talker.protocol, "echoed": 0, "ponged": 0, "code": 0, "reason": ""}
    try:
        await asyncio.wait_for(talk(talker, plan, script, report), PATIENCE)
    except asyncio.TimeoutError:
        talker.faults.append(f"peer waits in vain, with {report['echoed']} echoes and {report['ponged']} pongs")
    except Exception:
        talker.faults.append(traceback.format_exc())
        # the other side must not wait for messages that will not come
        with contextlib.suppress(Exception):
            await asyncio.wait_for(talker.close(FAILED, "see the report"), CLOSE_PATIENCE)
    report["faults"] = talker.faults
    return report


async def talk(talker, plan, script, report):
    if plan["player"] == "peer":
        await play(talker, script, int(plan["most"]), report)
    else:
        await echo(talker, report)
    began = time.monotonic()
    if plan["closer"] == "peer":
        await talker.close(CLOSE_CODE, CLOSE_REASON)
    while await talker.receive() is not None:
        talker.faults.append("a message came behind the last one")
    report["code"], report["reason"] = await talker.closed()
    if time.monotonic() - began > CLOSE_PATIENCE:
        talker.faults.append(f"it took {time.monotonic() - began:.1f} s to close")


async def play(talker, script, most, report):
    for message in script:
        if len(message.data) > most:
            continue
        await talker.send(message.whole())
        await expect_echo(talker, message, "whole", report)

        pongs = []

        async def between():
            pongs.append(await talker.ping(f"within {message.name}"))

        await talker.send_pieces(message.kind, message.pieces(), between)
        await expect_echo(talker, message, "in pieces", report)
        await pongs[0]
        report["ponged"] += 1
    burst = [message for message in script if len(message.data) <= BURST]
    for message in burst:
        await talker.send(message.whole())
    for message in burst:
        await expect_echo(talker, message, "right behind others", report)
    await ping(talker, "from the player", report)
    await talker.send(BATON)
    if await talker.receive() != BATON:
        raise RuntimeError("the other side did not answer the last message")


async def echo(talker, report):
    while True:
        message = await talker.receive()
        if message is None:
            raise RuntimeError("closed before the script was over")
        if message == BATON:
            break
        await talker.send(message)
        report["echoed"] += 1
    await ping(talker, "from the echo", report)
    await talker.send(BATON)


async def ping(talker, payload, report):
    for content in "", payload:
        await (await talker.ping(content))
        report["ponged"] += 1


async def expect_echo(talker, sent, how, report):
    answer = await talker.receive()
    if answer is None:
        raise RuntimeError(f"closed instead of an answer to {sent.name}, {how}")
    if answer == sent.whole():
        report["echoed"] += 1
    else:
        talker.faults.append(f"{sent.name}, sent {how}, came back as {type(answer).__name__} of {len(answer)}: other than it was")


def tell(line):
    print(json.dumps(line), flush=True)


def leave_with_parent():
    """A peer must not outlive the test that started it: the end of stdin is the end of it."""

    def wait():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main(serve, connect):
    """peer.py serve FOLDER, which tells its port first, or peer.py connect FOLDER PORT PATH..."""
    leave_with_parent()
    role, folder, *rest = sys.argv[1:]
    script = read_script(folder)
    if role == "serve":
        asyncio.run(serve(script))
    else:
        port, *paths = rest
        asyncio.run(connect(script, int(port), paths))
