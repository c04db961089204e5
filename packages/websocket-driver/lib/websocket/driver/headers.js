// faye-websocket imports this class by its path.

module.exports = require('websocket-duplex/driver').Headers
