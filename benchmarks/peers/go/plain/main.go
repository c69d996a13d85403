// Gin with gorilla/websocket as their chat examples have it: a goroutine that reads, one that writes, a channel between, and a loop
// over the room for each message. It neither parses nor numbers nor keeps anything: what comes in goes out. plain PORT
package main

import (
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"

	"peers/token"
)

const waiting = 256 // messages of one member that wait to be written

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

type room struct {
	lock    sync.RWMutex
	members map[chan []byte]bool
}

var (
	rooms = map[string]*room{}
	lock  sync.Mutex // of rooms
)

func roomOf(name string) *room {
	lock.Lock()
	defer lock.Unlock()
	if rooms[name] == nil {
		rooms[name] = &room{members: map[chan []byte]bool{}}
	}
	return rooms[name]
}

func (room *room) add(member chan []byte) {
	room.lock.Lock()
	defer room.lock.Unlock()
	room.members[member] = true
}

func (room *room) remove(member chan []byte) {
	room.lock.Lock()
	defer room.lock.Unlock()
	delete(room.members, member)
	close(member)
}

func (room *room) say(text []byte) {
	room.lock.RLock()
	defer room.lock.RUnlock()
	for member := range room.members {
		member <- text // waits for who is slow, so that nothing is lost
	}
}

func write(connection *websocket.Conn, member chan []byte) {
	failed := false
	for text := range member { // to the end, so that nobody waits for a member that has gone
		failed = failed || connection.WriteMessage(websocket.TextMessage, text) != nil
	}
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.GET("/chat/ws/:room", func(c *gin.Context) {
		if _, known := token.User(c.Request); !known {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		connection, err := upgrader.Upgrade(c.Writer, c.Request, nil)
		if err != nil {
			return
		}
		defer connection.Close()
		member := make(chan []byte, waiting)
		go write(connection, member)
		room := roomOf(c.Param("room"))
		room.add(member)
		defer room.remove(member)
		for {
			_, text, err := connection.ReadMessage()
			if err != nil {
				return
			}
			room.say(text)
		}
	})
	log.Fatal(router.Run("127.0.0.1:" + os.Args[1]))
}
