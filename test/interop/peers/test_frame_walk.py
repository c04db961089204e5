"""The walk is worth something only if it finds what is wrong: frames in hex, and what it must say of them."""

import unittest

from frame_walk import FrameWalk

CLOSE = "8800"
FROM_SERVER = {
    "": [],
    "8105 48656c6c6f": [],
    "827e 007e" + "00" * 126: [],
    "0105 48656c6c6f 8900 8003 202121": [],
    "8185 37fa213d 7f9f4d5158": ["masked"],
    "c105 48656c6c6f": ["reserved bits in 0xc1"],
    "817e 0005 48656c6c6f": ["a length of 5 in 2 bytes"],
    "827f 0000000000000005 48656c6c6f": ["a length of 5 in 8 bytes"],
    "8300": ["opcode 3"],
    "0900": ["a control frame in fragments"],
    "8a7e 007e" + "00" * 126: ["a control frame of 126 bytes"],
    "8000": ["a continuation of nothing"],
    "0100 8100": ["a message within a message"],
    "880103": ["a close frame of one byte", "2 bytes behind the close frame"],
    "8800 8100": ["4 bytes behind the close frame"],
}


def walk(frames, from_client=False, step=None):
    faults = []
    walker = FrameWalk(from_client, faults)
    data = bytes.fromhex(frames)
    for at in range(0, len(data), step or max(len(data), 1)):
        walker.feed(data[at : at + (step or len(data))])
    walker.end()
    return [fault.partition(": ")[2] for fault in faults]


class FrameWalkTest(unittest.TestCase):
    def test_finds_what_is_wrong_and_nothing_else(self):
        for frames, faults in FROM_SERVER.items():
            with self.subTest(frames):
                self.assertEqual(walk(frames + CLOSE), faults)

    def test_finds_the_same_byte_by_byte(self):
        for frames, faults in FROM_SERVER.items():
            if not any("behind" in fault for fault in faults):
                with self.subTest(frames):
                    self.assertEqual(walk(frames + CLOSE, step=1), faults)

    def test_wants_a_mask_of_clients(self):
        self.assertEqual(walk("8185 37fa213d 7f9f4d5158 8880 01020304", from_client=True), [])
        self.assertEqual(walk("8105 48656c6c6f 8880 01020304", from_client=True), ["not masked"])

    def test_notices_masks_that_are_used_again(self):
        frames = "8180 37fa213d" * 10 + "8880 01020304"
        self.assertEqual(walk(frames, from_client=True), ["11 frames with only 2 masks"])

    def test_notices_an_end_that_is_none(self):
        self.assertEqual(walk("8105 4865"), ["the stream ended within a frame", "the stream ended without a close frame"])
        self.assertEqual(walk("8100"), ["the stream ended without a close frame"])


unittest.main()
