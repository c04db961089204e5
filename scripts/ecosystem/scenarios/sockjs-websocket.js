// A sockjs server, and sockjs-client over a WebSocket, which uses faye-websocket too.

import { talk } from '../sockjs.js'

export default {
  what: 'a server and sockjs-client over WebSocket',
  packages: { sockjs: '0.3.24', 'sockjs-client': '1.6.1' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  quick: true,
  run: context => talk(context, 'websocket')
}
