// An echo client for the Autobahn suite's fuzzing server: `node client.js [URL]`, by default ws://127.0.0.1:9002. It asks for the number
// of cases, echoes in each of them, and has the reports written. Needs a built dist.

import { connect } from '../../../dist/index.js'
import { OPTIONS } from './options.js'

const [url = 'ws://127.0.0.1:9002'] = process.argv.slice(2)
const AGENT = 'agent=websocket-duplex'

const count = await askForCount()
for (let number = 1; number <= count; number++) {
  process.stdout.write(`\rcase ${number} of ${count}`)
  await echo(`${url}/runCase?case=${number}&${AGENT}`)
}
process.stdout.write('\n')
await connect(`${url}/updateReports?${AGENT}`).whenClosed()

async function askForCount() {
  const ws = connect(`${url}/getCaseCount`)
  for await (const message of ws.messages) return Number(message)
  throw new Error('the suite did not say how many cases there are')
}

async function echo(url) {
  const ws = connect(url, OPTIONS)
  ws.messages.on('error', () => {})
  ws.messages.pipe(ws.messages)
  await ws.whenClosed()
}
