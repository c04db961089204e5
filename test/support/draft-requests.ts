// Requests of hixie-75 and hixie-76 as browsers sent them, made by the text of the drafts, without code of lib.

/** The keys, the body and the challenge response of an example in the draft of hixie-76. */
export const KEY1 = '4 @1  46546xW%0l 1 5'
export const KEY2 = '12998 5 Y3 1  .P00'
export const BODY = Buffer.from('^n:ds[4U')
export const ANSWER = Buffer.from("8jKS'y:G*Co,Wxa-")

/** Header fields that replace others of the same name; null removes one. */
type Changes = Record<string, string | null>

const COMMON = {
  Upgrade: 'WebSocket',
  Connection: 'Upgrade',
  Host: 'example.com:8080',
  Origin: 'http://a.example'
}

export function request75(changes: Changes = {}): Buffer {
  return head({ ...COMMON, ...changes })
}

/** Only the head: `BODY` belongs after it. */
export function request76(changes: Changes = {}): Buffer {
  return head({ ...COMMON, 'Sec-WebSocket-Key1': KEY1, 'Sec-WebSocket-Key2': KEY2, ...changes })
}

function head(fields: Changes): Buffer {
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]))
  return Buffer.from(`GET /chat?a=b HTTP/1.1\r\n${lines.join('')}\r\n`)
}
