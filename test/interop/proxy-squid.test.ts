// Squid, as the proxy between our client and a server.

import t from 'tap'
import { LOCALHOST } from '../support/certificates.js'
import { testProxy, write } from './proxy-peers.js'

testProxy(
  t,
  {
    name: 'squid',
    prepare(port, folder, { authorization, onlyPort, secure }) {
      // the credentials, percent-encoded except for the @
      const helper = write(
        folder,
        'helper.sh',
        'while read -r line; do [ "$line" = "user@x p%20w" ] && echo OK || echo ERR; done'
      )
      const listen = secure
        ? `https_port 127.0.0.1:${port} tls-cert=${write(folder, 'cert.pem', LOCALHOST.cert)} tls-key=${write(folder, 'key.pem', LOCALHOST.key)}`
        : `http_port 127.0.0.1:${port}`
      const who = [
        `auth_param basic program /bin/sh ${helper}`,
        'auth_param basic children 1 startup=1',
        'auth_param basic realm test',
        'acl known proxy_auth REQUIRED',
        'http_access deny !known'
      ]
      const config = write(
        folder,
        'squid.conf',
        listen,
        'visible_hostname localhost',
        'pid_filename none',
        'access_log none',
        'cache_log /dev/null',
        'cache deny all',
        'netdb_filename none',
        'pinger_enable off',
        'shutdown_lifetime 0 seconds',
        `coredump_dir ${folder}`,
        ...(authorization ? who : []),
        ...(onlyPort === undefined ? [] : [`acl allowed port ${onlyPort}`, 'http_access deny !allowed']),
        'http_access allow all'
      )
      // in the foreground, with its log on stderr
      return ['-N', '-d1', '-f', config]
    },
    ready: /Accepting HTTPS? Socket connections/,
    user: 'user@x',
    password: 'p w',
    wrong: 407
  },
  true
)
