// The error code with which a stream of HTTP/2 is given up.

/** RFC 9113 §7. For a WebSocket it is what a TCP reset is in HTTP/1.1 (RFC 8441 §5). */
export const CANCEL = 8
