// Starts the page: its two halves, and the feed of samples for both.

import './echo.js'
import './flood.js'
import { openFeed } from './feed.js'

openFeed()
