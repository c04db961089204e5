// The HTTP/2 error code for giving up a stream.

/** RFC 9113 §7. For a WebSocket it is what a TCP reset is in HTTP/1.1 (RFC 8441 §5). */
export const CANCEL = 8
