// What stands in the place of websocket-driver: all of it is in websocket-duplex.

module.exports = require('websocket-duplex/driver').default
