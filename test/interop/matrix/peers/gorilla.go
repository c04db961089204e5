// Go's gorilla/websocket, in both roles.

package main

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Messages in pieces are cut where this buffer is full.
const buffer = 4096

type talker struct {
	*websocket.Conn
	lock sync.Mutex
}

func kind(isText bool) int {
	if isText {
		return websocket.TextMessage
	}
	return websocket.BinaryMessage
}

func (t *talker) send(isText bool, message []byte) error {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.WriteMessage(kind(isText), message)
}

func (t *talker) sendPieces(isText bool, pieces [][]byte) error {
	t.lock.Lock()
	defer t.lock.Unlock()
	writer, err := t.NextWriter(kind(isText))
	if err != nil {
		return err
	}
	// no more at a time than what goes through the buffer, which leaves as a frame when it is full
	whole := bytes.NewReader(bytes.Join(pieces, nil))
	part := make([]byte, buffer)
	for {
		n, err := whole.Read(part)
		if err != nil {
			break
		}
		if _, err := writer.Write(part[:n]); err != nil {
			return err
		}
	}
	return writer.Close()
}

func (t *talker) ping(payload string) error {
	return t.WriteControl(websocket.PingMessage, []byte(payload), time.Now().Add(time.Second))
}

func (t *talker) close(code int, reason string) {
	t.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
}

func talk(conn *websocket.Conn, path string) {
	defer conn.Close()
	peer := &echo{connection: &talker{Conn: conn}}
	conn.SetPongHandler(func(payload string) error { return peer.pong(payload) })
	for {
		kind, message, err := conn.ReadMessage()
		if err == nil {
			err = peer.message(kind == websocket.TextMessage, message)
		}
		if err != nil {
			code, reason := 1006, ""
			if end, ok := err.(*websocket.CloseError); ok {
				code, reason = end.Code, end.Text
			}
			tellEnd(path, conn.Subprotocol(), code, reason)
			return
		}
	}
}

func main() {
	upgrader := websocket.Upgrader{
		Subprotocols:      []string{protocol},
		EnableCompression: true,
		WriteBufferSize:   buffer,
		CheckOrigin:       func(*http.Request) bool { return true },
	}
	dialer := websocket.Dialer{Subprotocols: offered, EnableCompression: true, WriteBufferSize: buffer}
	run(packaged("golang-github-gorilla-websocket-dev"), func(w http.ResponseWriter, r *http.Request) {
		if conn, err := upgrader.Upgrade(w, r, nil); err == nil {
			talk(conn, r.URL.Path)
		}
	}, func(address string, path string) {
		if conn, _, err := dialer.Dial(address, nil); err == nil {
			talk(conn, path)
		}
	})
}
