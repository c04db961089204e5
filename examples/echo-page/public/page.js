// Starts the page: its two halves, and then the feed that tells both of them what the server sees.

import './echo.js'
import './flood.js'
import { openFeed } from './feed.js'

openFeed()
