// Tinyproxy, as the proxy between our client and a server. It answers CONNECT in HTTP/1.0.

import t from 'tap'
import { testProxy, write } from './proxy-peers.js'

testProxy(
  t,
  {
    name: 'tinyproxy',
    prepare(port, folder, { authorization, onlyPort }) {
      const config = write(
        folder,
        'tinyproxy.conf',
        `Port ${port}`,
        'Listen 127.0.0.1',
        'Allow 127.0.0.1',
        'Timeout 60',
        'MaxClients 20',
        'LogLevel Info',
        ...(authorization ? ['BasicAuth user pass'] : []),
        ...(onlyPort === undefined ? [] : [`ConnectPort ${onlyPort}`])
      )
      // in the foreground
      return ['-d', '-c', config]
    },
    ready: /Accepting connections/,
    user: 'user',
    password: 'pass',
    wrong: 401
  },
  false
)
