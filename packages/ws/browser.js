// Bundlers for browsers take this: a browser has its own WebSocket.

module.exports = () => {
  throw new Error('ws does not work in the browser. Browser clients must use the native WebSocket object')
}
