// Socket.IO on Node: its own rooms, its own emit, an ack per message. node socketio_node.js PORT
const { Server } = require('socket.io')

const io = new Server({ transports: ['websocket'] })
io.on('connection', (socket) => {
  socket.join('bench') // here, since a client that asks before it was told its id is closed
  socket.on('message', (data, ack) => {
    io.to(data.room).emit('message', { sender: socket.id, payload: data.payload })
    ack('ok')
  })
})
io.listen(Number(process.argv[2]))
