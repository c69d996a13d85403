// Gin with gorilla/websocket as somebody writes it who knows what costs: the same work for a message as sanic_chatrooms does (parse,
// validate, look for a repetition, number, keep history, encode the event once, ack), a frame made once for all members,
// written where it was made, and all messages of a room that came in meanwhile in one pass over it. expert PORT
package main

import (
	"encoding/binary"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/bytedance/sonic"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"peers/token"
)

const (
	kept      = 1000
	window    = 300 * time.Second
	longest   = 16_000
	mostBytes = 64 << 20 // that wait for one member
)

var (
	upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	roomName = regexp.MustCompile(`^[A-Za-z0-9_.:~-]{1,128}$`)
	idForm   = regexp.MustCompile(`^[!-~]{16,64}$`)
	rooms    = map[string]*room{}
	lock     sync.Mutex // of rooms
)

type command struct {
	Type    string                 `json:"type"`
	MsgID   string                 `json:"msgId"`
	Room    string                 `json:"room"`
	Payload sonic.NoCopyRawMessage `json:"payload"`
}

type text struct {
	Text    *string `json:"text"`
	History *int    `json:"history"`
}

type user struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type event struct {
	MsgID       string                 `json:"msgId"`
	Timestamp   float64                `json:"timestamp"`
	Type        string                 `json:"type"`
	Payload     sonic.NoCopyRawMessage `json:"payload"`
	Room        string                 `json:"room"`
	Seq         int                    `json:"seq"`
	Sender      user                   `json:"sender"`
	ClientMsgID string                 `json:"clientMsgId"`
}

type receipt struct {
	MsgID     string  `json:"msgId"`
	Seq       int     `json:"seq"`
	Timestamp float64 `json:"timestamp"`
	Duplicate bool    `json:"duplicate"`
}

type answer struct {
	Type      string  `json:"type"`
	Timestamp float64 `json:"timestamp"`
	Payload   any     `json:"payload"`
	ReplyTo   string  `json:"replyTo,omitempty"`
}

// ---- members ----

type member struct {
	user
	connection *websocket.Conn
	raw        syscall.RawConn
	lock       sync.Mutex
	waiting    net.Buffers // what the socket has not taken
	size       int
	wake       chan struct{}
	rooms      map[string]bool // of its reader alone
}

// Most of the time the socket takes it at once, and no other goroutine runs.
func (m *member) put(frames []byte) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.size == 0 {
		frames = frames[m.written(frames):]
		if len(frames) == 0 {
			return
		}
	}
	m.waiting = append(m.waiting, frames)
	m.size += len(frames)
	if m.size > mostBytes {
		m.connection.Close()
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *member) written(frames []byte) (count int) {
	m.raw.Write(func(fd uintptr) bool {
		// The socket does not block, so the scheduler need not hear of it.
		n, _, failed := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&frames[0])), uintptr(len(frames)))
		if failed == 0 {
			count = int(n)
		}
		return true
	})
	return count
}

func (m *member) write() {
	connection := m.connection.NetConn()
	for range m.wake {
		m.lock.Lock()
		all, size := m.waiting, m.size
		m.waiting = nil
		m.lock.Unlock()
		if _, err := all.WriteTo(connection); err != nil {
			m.connection.Close()
			return
		}
		m.lock.Lock()
		m.size -= size // until now, nobody else wrote
		more := m.size > 0
		m.lock.Unlock()
		if more {
			select {
			case m.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (m *member) reply(kind string, to string, payload any) {
	m.put(frame(answer{kind, now(), payload, to}))
}

func (m *member) refuse(to string, code string) {
	m.reply("error", to, gin.H{"code": code})
}

// A text frame of RFC 6455, 5.2, as a server sends it.
func frame(value any) []byte {
	body, err := sonic.Marshal(value)
	if err != nil {
		panic(err)
	}
	head := make([]byte, 0, 10+len(body))
	switch size := len(body); {
	case size < 126:
		head = append(head, 0x81, byte(size))
	case size < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 0x81, 126), uint16(size))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 0x81, 127), uint64(size))
	}
	return append(head, body...)
}

func now() float64 {
	return float64(time.Now().UnixMilli()) / 1000
}

// ---- rooms ----

type first struct {
	body  string
	ack   receipt
	until time.Time
	key   string
}

type room struct {
	lock    sync.Mutex
	seq     int
	history []event
	firsts  map[string]*first
	oldest  []*first // in the order in which they expire
	members map[*member]bool
	waiting []byte // frames for all members
	due     bool
}

func roomOf(name string) *room {
	lock.Lock()
	defer lock.Unlock()
	if rooms[name] == nil {
		rooms[name] = &room{firsts: map[string]*first{}, members: map[*member]bool{}}
	}
	return rooms[name]
}

func (r *room) leave(m *member) {
	r.lock.Lock()
	defer r.lock.Unlock()
	delete(r.members, m)
}

// What came in while others were read goes out in one pass.
func (r *room) flush() {
	runtime.Gosched() // behind the readers that have something
	r.lock.Lock()
	defer r.lock.Unlock()
	r.flushLocked()
}

func (r *room) flushLocked() {
	if len(r.waiting) > 0 {
		for m := range r.members {
			m.put(r.waiting)
		}
	}
	r.waiting, r.due = nil, false
}

func (r *room) remember(key string, body string, ack receipt) {
	at := time.Now()
	for len(r.oldest) > 0 && r.oldest[0].until.Before(at) {
		delete(r.firsts, r.oldest[0].key)
		r.oldest = r.oldest[1:]
	}
	entry := &first{body, ack, at.Add(window), key}
	r.firsts[key] = entry
	r.oldest = append(r.oldest, entry)
}

// ---- commands ----

func join(m *member, c *command) {
	var asked text
	if !roomName.MatchString(c.Room) || sonic.Unmarshal(c.Payload, &asked) != nil {
		m.refuse(c.MsgID, "invalid_field")
		return
	}
	r := roomOf(c.Room)
	r.lock.Lock()
	defer r.lock.Unlock()
	r.flushLocked() // what the page already has
	m.rooms[c.Room] = true
	r.members[m] = true
	count := 50
	if asked.History != nil {
		count = *asked.History
	}
	page := r.history[max(0, len(r.history)-count):]
	m.reply("ack", c.MsgID, gin.H{"room": c.Room, "seq": r.seq, "messages": page})
}

func message(m *member, c *command) {
	var said text
	if !m.rooms[c.Room] {
		m.refuse(c.MsgID, "not_a_member")
		return
	}
	if !idForm.MatchString(c.MsgID) || sonic.Unmarshal(c.Payload, &said) != nil || said.Text == nil || len(*said.Text) > longest {
		m.refuse(c.MsgID, "invalid_field")
		return
	}
	r := roomOf(c.Room)
	key, body := m.ID+" "+c.MsgID, string(c.Payload)
	r.lock.Lock()
	defer r.lock.Unlock()
	if before := r.firsts[key]; before != nil {
		if before.body != body {
			m.refuse(c.MsgID, "conflict")
			return
		}
		again := before.ack
		again.Duplicate = true
		m.reply("ack", c.MsgID, again)
		return
	}
	r.seq++
	new := event{uuid.NewString(), now(), "message", sonic.NoCopyRawMessage(body), c.Room, r.seq, m.user, c.MsgID}
	r.history = append(r.history, new)
	if len(r.history) > kept*5/4 {
		r.history = append([]event(nil), r.history[len(r.history)-kept:]...)
	}
	ack := receipt{new.MsgID, new.Seq, new.Timestamp, false}
	r.remember(key, body, ack)
	r.waiting = append(r.waiting, frame(new)...)
	if !r.due {
		r.due = true
		go r.flush()
	}
	m.reply("ack", c.MsgID, ack)
}

func serve(c *gin.Context) {
	id, known := token.User(c.Request)
	if !known {
		c.AbortWithStatus(http.StatusUnauthorized)
		return
	}
	connection, err := upgrader.Upgrade(c.Writer, c.Request, nil)
	if err != nil {
		return
	}
	name := id
	if id == "" {
		id = uuid.NewString()
		name = "guest " + id[:8]
	}
	raw, err := connection.NetConn().(*net.TCPConn).SyscallConn()
	if err != nil {
		return
	}
	m := &member{
		user: user{id, name}, connection: connection, raw: raw, wake: make(chan struct{}, 1), rooms: map[string]bool{},
	}
	go m.write()
	defer func() {
		for name := range m.rooms {
			roomOf(name).leave(m)
		}
		close(m.wake)
		connection.Close()
	}()
	m.reply("welcome", "", gin.H{"user": m.user, "protocol": 1})
	for {
		_, bytes, err := connection.ReadMessage()
		if err != nil {
			return
		}
		var c command
		if sonic.Unmarshal(bytes, &c) != nil {
			m.refuse("", "bad_frame")
			continue
		}
		switch c.Type {
		case "join":
			join(m, &c)
		case "message":
			message(m, &c)
		default:
			m.refuse(c.MsgID, "unknown_command")
		}
	}
}

func main() {
	debug.SetGCPercent(400)
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.GET("/", serve)
	log.Fatal(router.Run("127.0.0.1:" + os.Args[1]))
}
