// With 'ours', by what stands in its place. Echo by ws at its best: bufferutil installed, no compression; text is a string, as for everybody else.

import { control } from '../control.js'
import { listening, makeServer } from './make-server.js'

const isOurs = process.argv.includes('ours')
const { WebSocketServer } = await import(isOurs ? '../ws-subject.js' : 'ws')

const server = makeServer(process.argv.includes('tls'))
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 2 ** 27, clientTracking: false })

function echo(data, isBinary) {
  this.send(isBinary ? data : data.toString())
}
const ignore = () => {}
sockets.on('connection', ws => {
  ws.on('error', ignore)
  ws.on('message', echo)
})

control(listening(server))
