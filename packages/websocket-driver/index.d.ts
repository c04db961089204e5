// The types of index.js: those of websocket-duplex/driver, for CommonJS.

declare const driver: typeof import('websocket-duplex/driver', { with: { 'resolution-mode': 'import' }}).default
export = driver
