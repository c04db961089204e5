#!/usr/bin/env node
// The entry point: passes arguments, streams and signals of the process to the command, and sets the exit code.

import process from 'node:process'
import { run } from './command-line.js'

const { stdin, stdout, stderr, env, argv } = process
const end = new AbortController()
// only once: a second signal ends the process, as is the default
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => end.abort())

process.exitCode = await run(argv.slice(2), { stdin, stdout, stderr, env, signal: end.signal })
