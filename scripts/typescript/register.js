// `node --import ./scripts/typescript/register.js file.ts`: how tests run TypeScript, see hooks.js and .taprc.

import { register } from 'node:module'

register('./hooks.js', import.meta.url)

// .taprc turns off tap's own compiler, which would take some seconds in each process; processes started by tests must not load it either
process.env.TAP_TYPE_STRIP_ONLY = '0'
process.execArgv = process.execArgv.filter(arg => !arg.includes('@tapjs/typescript'))
