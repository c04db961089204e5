// Replaces websocket-driver; the code is in websocket-duplex.

module.exports = require('websocket-duplex/driver').default
