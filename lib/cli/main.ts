#!/usr/bin/env node
// The edge of the process: its arguments, streams and signals come in, its exit code goes out.

import process from 'node:process'
import { run } from './command-line.js'

const { stdin, stdout, stderr, env, argv } = process
const end = new AbortController()
// once: a second one ends the process, as it does by default
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => end.abort())

process.exitCode = await run(argv.slice(2), { stdin, stdout, stderr, env, signal: end.signal })
