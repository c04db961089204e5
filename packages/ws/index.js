// What stands in the place of ws: all of it is in websocket-duplex.

module.exports = require('websocket-duplex/ws')
