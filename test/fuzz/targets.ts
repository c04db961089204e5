// All fuzz targets. To add one, add a line here, and a file of seeds with its name in seeds/.

import { deflate } from './targets/deflate.js'
import { drafts } from './targets/drafts.js'
import { frameParser, joiner } from './targets/frames.js'
import { clientHandshake, connectHandshake, serverHandshake, urls } from './targets/handshakes.js'
import { headerLists, headRequest, headResponse, responseBody } from './targets/heads.js'
import type { Target } from './targets/target.js'
import { whole } from './targets/whole.js'

export const TARGETS: readonly Target[] = [
  frameParser,
  joiner,
  deflate,
  drafts,
  headRequest,
  headResponse,
  headerLists,
  responseBody,
  serverHandshake,
  clientHandshake,
  connectHandshake,
  urls,
  whole
]
