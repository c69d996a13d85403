// Node with ws, as its own examples have it: one loop over the clients for each message. node ws_node.js PORT
// It neither parses nor numbers nor keeps anything: what comes in goes out.
const { WebSocket, WebSocketServer } = require('ws')

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) })
server.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => {
    for (const client of server.clients) if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
  })
})
