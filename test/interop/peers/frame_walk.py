"""Walks over the frames in a stream of bytes by their headers alone, and finds fault with the sender.

Written against RFC 6455 §5 and nothing else: it shares no code with any implementation.
"""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class FrameWalk:
    def __init__(self, from_client, faults):
        self.from_client = from_client
        self.faults = faults
        self.frames = 0
        self.masks = set()
        self.masked = 0
        self.header = bytearray()
        self.payload_left = 0
        self.within_message = False
        self.closed = False

    def feed(self, data):
        at = 0
        while at < len(data):
            if self.closed and self.payload_left == 0:
                return self.blame(f"{len(data) - at} bytes behind the close frame")
            if self.payload_left > 0:
                step = min(self.payload_left, len(data) - at)
                self.payload_left -= step
                at += step
                continue
            self.header.append(data[at])
            at += 1
            if len(self.header) >= 2 and len(self.header) == self.header_size():
                self.check_header()
                self.header.clear()

    def end(self):
        """The stream ended here."""
        if self.header or self.payload_left > 0:
            self.blame("the stream ended within a frame")
        if not self.closed:
            self.blame("the stream ended without a close frame")
        # a few of 2^32 may be drawn twice by chance
        if self.masked - len(self.masks) > 3:
            self.blame(f"{self.masked} frames with only {len(self.masks)} masks")

    def blame(self, what):
        self.faults.append(f"frame {self.frames}: {what}")

    def length_size(self):
        return {126: 2, 127: 8}.get(self.header[1] & 0x7F, 0)

    def header_size(self):
        return 2 + self.length_size() + (4 if self.header[1] & 0x80 else 0)

    def check_header(self):
        self.frames += 1
        header = self.header
        final, opcode, masked = bool(header[0] & 0x80), header[0] & 0x0F, bool(header[1] & 0x80)
        length = header[1] & 0x7F
        size = self.length_size()
        if size:
            length = int.from_bytes(header[2 : 2 + size], "big")
            if length < (126 if size == 2 else 65536):
                self.blame(f"a length of {length} in {size} bytes")
            if length >= 2**63:
                self.blame("a length with its top bit set")
        self.payload_left = length

        if header[0] & 0x70:
            self.blame(f"reserved bits in {header[0]:#04x}")
        if masked != self.from_client:
            self.blame("masked" if masked else "not masked")
        if masked:
            self.masked += 1
            self.masks.add(bytes(header[-4:]))
        self.check_opcode(opcode, final, length)

    def check_opcode(self, opcode, final, length):
        if opcode in (CLOSE, PING, PONG):
            if not final:
                self.blame("a control frame in fragments")
            if length > 125:
                self.blame(f"a control frame of {length} bytes")
            self.closed = opcode == CLOSE
            if self.closed and length == 1:
                self.blame("a close frame of one byte")
        elif opcode in (CONTINUATION, TEXT, BINARY):
            if (opcode == CONTINUATION) != self.within_message:
                self.blame("a continuation of nothing" if opcode == CONTINUATION else "a message within a message")
            self.within_message = not final
        else:
            self.blame(f"opcode {opcode}")
