// The options of both programs with which the Autobahn suite talks.

import { permessageDeflate } from '../../../dist/index.js'

/** The defaults, and compression: the suite must test what users get. */
export const OPTIONS = { extensions: [permessageDeflate()] }
