// The same for `import`.

export { createWebSocketStream, default, Server, WebSocket, WebSocketServer } from 'websocket-duplex/ws'
