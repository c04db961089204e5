// Go's nhooyr.io/websocket, in both roles. The payload of its pings is a number that nobody chooses.

package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"nhooyr.io/websocket"
)

var forever = context.Background()

type talker struct {
	*websocket.Conn
	peer *echo
}

func kind(isText bool) websocket.MessageType {
	if isText {
		return websocket.MessageText
	}
	return websocket.MessageBinary
}

func (t *talker) send(isText bool, message []byte) error {
	return t.Write(forever, kind(isText), message)
}

func (t *talker) sendPieces(isText bool, pieces [][]byte) error {
	writer, err := t.Writer(forever, kind(isText))
	if err != nil {
		return err
	}
	for _, piece := range pieces {
		if _, err := writer.Write(piece); err != nil {
			return err
		}
	}
	return writer.Close()
}

func (t *talker) ping(string) error {
	// the answer is seen by whoever reads
	go func() {
		patience, cancel := context.WithTimeout(forever, 5*time.Second)
		defer cancel()
		if t.Ping(patience) == nil {
			t.peer.send(true, []byte("interop:pong"))
		}
	}()
	return nil
}

func (t *talker) close(code int, reason string) {
	go t.Close(websocket.StatusCode(code), reason)
}

func talk(conn *websocket.Conn, path string) {
	defer conn.Close(websocket.StatusInternalError, "")
	conn.SetReadLimit(1 << 24)
	can := &talker{Conn: conn}
	peer := &echo{connection: can}
	can.peer = peer
	for {
		kind, message, err := conn.Read(forever)
		if err == nil {
			err = peer.message(kind == websocket.MessageText, message)
		}
		if err != nil {
			end := websocket.CloseError{Code: websocket.StatusAbnormalClosure}
			errors.As(err, &end)
			tellEnd(path, conn.Subprotocol(), int(end.Code), end.Reason)
			return
		}
	}
}

func main() {
	run(packaged("golang-nhooyr-websocket-dev"), func(w http.ResponseWriter, r *http.Request) {
		options := &websocket.AcceptOptions{Subprotocols: []string{protocol}, CompressionThreshold: 1}
		if conn, err := websocket.Accept(w, r, options); err == nil {
			talk(conn, r.URL.Path)
		}
	}, func(address string, path string) {
		options := &websocket.DialOptions{Subprotocols: offered, CompressionThreshold: 1}
		if conn, _, err := websocket.Dial(forever, address, options); err == nil {
			talk(conn, path)
		}
	})
}
