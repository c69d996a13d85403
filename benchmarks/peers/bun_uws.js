// Bun, whose WebSockets are uWebSockets, doing the work that sanic_chatrooms does per message: parse, validate, look for a
// repetition, number, keep history, encode the event once, publish, ack. bun bun_uws.js PORT
import { createHmac, timingSafeEqual } from 'node:crypto'

const HISTORY = 1000, WINDOW = 300_000
const ROOM = /^[A-Za-z0-9_.:~-]{1,128}$/, ID = /^[!-~]{16,64}$/
const rooms = new Map()
const firsts = [] // of all rooms, in the order in which they expire

const now = () => Math.round(Date.now()) / 1000
const reply = (ws, type, replyTo, payload) =>
  ws.send(JSON.stringify({ type, timestamp: now(), payload, replyTo }))
const refuse = (ws, replyTo, code) => reply(ws, 'error', replyTo, { code })

function join(ws, { msgId, room, payload }) {
  if (typeof room !== 'string' || !ROOM.test(room)) return refuse(ws, msgId, 'invalid_field')
  if (!rooms.has(room)) rooms.set(room, { seq: 0, history: [], firsts: new Map() })
  ws.data.rooms.add(room)
  ws.subscribe(room)
  const { seq, history } = rooms.get(room)
  reply(ws, 'ack', msgId, { room, seq, messages: pageOf(history, payload?.history ?? 50) })
}

const pageOf = (history, count) => (count > 0 ? history.slice(-count) : [])

function message(ws, { msgId, room: id, payload }) {
  if (!ws.data.rooms.has(id)) return refuse(ws, msgId, 'not_a_member')
  if (msgId !== undefined && (typeof msgId !== 'string' || !ID.test(msgId))) return refuse(ws, msgId, 'invalid_field')
  if (typeof payload?.text !== 'string' || payload.text.length > 16_000) return refuse(ws, msgId, 'invalid_field')
  const room = rooms.get(id), sender = ws.data.sender
  const key = `${sender.id} ${msgId}`, body = JSON.stringify(payload)
  const first = room.firsts.get(key)
  if (first) {
    if (first.body !== body) return refuse(ws, msgId, 'conflict')
    return reply(ws, 'ack', msgId, { ...first.ack, duplicate: true })
  }
  const event = {
    msgId: crypto.randomUUID(), timestamp: now(), type: 'message', payload, room: id, seq: ++room.seq, sender,
    clientMsgId: msgId,
  }
  room.history.push(event)
  if (room.history.length > HISTORY * 1.25) room.history.splice(0, room.history.length - HISTORY)
  const ack = { msgId: event.msgId, seq: event.seq, timestamp: event.timestamp, duplicate: false }
  remember(room, key, body, ack)
  server.publish(id, JSON.stringify(event))
  reply(ws, 'ack', msgId, ack)
}

function remember(room, key, body, ack) {
  const time = Date.now(), entry = { body, ack, until: time + WINDOW, room, key }
  while (firsts.length && firsts[0].until < time) { const old = firsts.shift(); old.room.firsts.delete(old.key) }
  room.firsts.set(key, entry)
  firsts.push(entry)
}

// Whose token the request carries, if the environment has JWT_SECRET; undefined: it is refused.
const secret = process.env.JWT_SECRET
function user(request) {
  if (!secret) { const id = crypto.randomUUID(); return { id, name: `guest ${id.slice(0, 8)}` } }
  const [head, body, signature] = (request.headers.get('authorization') ?? '').replace('Bearer ', '').split('.')
  try {
    const proof = createHmac('sha256', secret).update(`${head}.${body}`).digest()
    if (!timingSafeEqual(proof, Buffer.from(signature, 'base64url'))) return undefined
    if (JSON.parse(Buffer.from(head, 'base64url')).alg !== 'HS256') return undefined
    const { sub, exp } = JSON.parse(Buffer.from(body, 'base64url'))
    return typeof sub === 'string' && exp > Date.now() / 1000 ? { id: sub, name: sub } : undefined
  } catch { return undefined }
}

const handlers = { join, message }

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    const sender = user(request)
    if (sender === undefined) return new Response('a token is needed', { status: 401 })
    if (server.upgrade(request, { data: { sender, rooms: new Set() } })) return
    return new Response('this address speaks WebSocket only', { status: 426 })
  },
  websocket: {
    open(ws) { reply(ws, 'welcome', undefined, { user: ws.data.sender, protocol: 1 }) },
    message(ws, text) {
      let command
      try { command = JSON.parse(text) } catch { return refuse(ws, undefined, 'bad_frame') }
      const handler = handlers[command?.type]
      if (handler === undefined) return refuse(ws, command?.msgId, 'unknown_command')
      handler(ws, command)
    },
  },
})
