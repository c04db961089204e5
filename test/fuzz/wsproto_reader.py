# Reads wires on stdin; writes what wsproto reads in them as lines of JSON. A case is its length in four bytes, a byte that is 1
# if a server reads, and the bytes of the wire; a length of 0xffffffff asks for the results so far.

import json
import struct
import sys

from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

NAMES = {Opcode.PING: "ping", Opcode.PONG: "pong"}


def read(is_server, wire):
    protocol = FrameProtocol(client=not is_server, extensions=[])
    protocol.receive_bytes(wire)
    events, parts = [], []
    try:
        for frame in protocol.received_frames():
            if frame.opcode is Opcode.CLOSE:
                code, reason = frame.payload
                return {"events": events, "end": f"close {int(code)} {reason.encode().hex()}".strip()}
            if frame.opcode.iscontrol():
                events.append(f"{NAMES[frame.opcode]} {bytes(frame.payload).hex()}".strip())
                continue
            parts.append(frame.payload)
            if frame.message_finished:
                is_text = isinstance(frame.payload, str)
                whole = "".join(parts).encode() if is_text else b"".join(parts)
                events.append(f"{'text' if is_text else 'binary'} {whole.hex()}".strip())
                parts = []
    except ParseFailed as failure:
        return {"events": events, "end": f"fail {int(failure.code)}"}
    return {"events": events, "end": "open"}


def main():
    source, sink = sys.stdin.buffer, sys.stdout
    while True:
        prefix = source.read(4)
        if len(prefix) < 4:
            return
        (length,) = struct.unpack("!I", prefix)
        if length == 0xFFFFFFFF:
            sink.flush()
            continue
        is_server = source.read(1) == b"\x01"
        sink.write(json.dumps(read(is_server, source.read(length))) + "\n")


main()
