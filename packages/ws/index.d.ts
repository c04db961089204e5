// The types of index.js: those of websocket-duplex/ws, for CommonJS.

declare const ws: typeof import('websocket-duplex/ws', { with: { 'resolution-mode': 'import' }}).default
export = ws
