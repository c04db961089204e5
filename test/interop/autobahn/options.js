// The options of both programs that the Autobahn suite talks to.

import { permessageDeflate } from '../../../dist/index.js'

/** The defaults, and compression: what the suite judges is what people get. */
export const OPTIONS = { extensions: [permessageDeflate()] }
