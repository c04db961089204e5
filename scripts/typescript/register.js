// `node --import ./scripts/typescript/register.js file.ts`: how tests run TypeScript, see hooks.js and .taprc.

import { register } from 'node:module'

register('./hooks.js', import.meta.url)

// .taprc keeps tap's own compiler, which costs each process some seconds, from being loaded. What tests start needs no more than this one.
process.env.TAP_TYPE_STRIP_ONLY = '0'
process.execArgv = process.execArgv.filter(arg => !arg.includes('@tapjs/typescript'))
