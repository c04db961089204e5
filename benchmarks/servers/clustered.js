// An echo server in several processes of node:cluster. Arguments: how many, the file of the server, and its arguments. Each worker answers
// on a control line of its own; what they answer is put together here, with the CPU of this process, which hands out the connections.

import cluster from 'node:cluster'
import { createInterface } from 'node:readline'
import { control, cpuTime } from '../control.js'
import { at } from '../harness.js'

const [count, file, ...args] = process.argv.slice(2)
cluster.setupPrimary({ exec: at(`./servers/${file}`), args, silent: true })
const workers = Array.from({ length: Number(count) }, () => {
  const { stdin, stdout, stderr } = cluster.fork().process
  stderr.pipe(process.stderr)
  return { stdin, answers: createInterface({ input: stdout })[Symbol.asyncIterator]() }
})

function ask(request) {
  return Promise.all(
    workers.map(async ({ stdin, answers }) => {
      stdin.write(`${JSON.stringify(request)}\n`)
      const { ok, error } = JSON.parse((await answers.next()).value)
      if (error) throw new Error(error)
      return ok
    })
  )
}

control({
  async listen(request) {
    const [port] = await ask(request)
    return port
  },

  async usage() {
    const used = await ask({ do: 'usage' })
    return { cpu: used.reduce((sum, { cpu }) => sum + cpu, cpuTime()) }
  },

  connections: async () => (await ask({ do: 'connections' })).flat()
})
