// Replaces ws; the code is in websocket-duplex.

module.exports = require('websocket-duplex/ws')
