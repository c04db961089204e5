// graphql-ws: subscriptions, errors, and a wrong subprotocol.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'subscriptions of server and client, an error, a wrong subprotocol, the end of both',
  packages: { 'graphql-ws': '5.16.2', graphql: '16.11.0', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const { GraphQLObjectType, GraphQLSchema, GraphQLString } = require('graphql')
    const { useServer } = require('graphql-ws/lib/use/ws')
    const { createClient } = require('graphql-ws')
    const { WebSocket, WebSocketServer } = require('ws')
    const type = GraphQLString
    const schema = new GraphQLSchema({
      query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type, resolve: () => 'world' } } }),
      subscription: new GraphQLObjectType({
        name: 'Subscription',
        fields: {
          words: {
            type,
            async *subscribe() {
              for (const word of ['one', 'two', 'three']) yield { words: word }
            }
          }
        }
      })
    })
    const server = http.createServer()
    const disposable = useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }))
    const url = `ws://127.0.0.1:${await listen(server)}/graphql`
    const client = createClient({ url, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0 })
    const run = query =>
      new Promise(resolve => {
        const got = []
        client.subscribe(
          { query },
          { next: value => got.push(value), error: error => resolve(['error', error]), complete: () => resolve(got) }
        )
      })
    log(await run('{ hello }'))
    log(await run('subscription { words }'))
    log(await run('{ nonsense }'))
    await client.dispose()
    const other = new WebSocket(url, 'other')
    const closes = []
    other.on('error', ({ message }) => closes.push(message))
    await until(() => closes.length > 0)
    log(closes)
    await disposable.dispose()
    server.close()
  }
}
