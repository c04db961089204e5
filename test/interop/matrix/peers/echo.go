// What the peers written in Go have in common: obey, and the frame of a program.

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

const protocol = "second.choice"

var offered = []string{"first.choice", protocol}

// What can be done with one connection.
type connection interface {
	send(isText bool, message []byte) error
	sendPieces(isText bool, pieces [][]byte) error
	ping(payload string) error
	close(code int, reason string)
}

type echo struct {
	connection
	inPieces bool
}

func (e *echo) message(isText bool, message []byte) error {
	if !isText || !strings.HasPrefix(string(message), "interop:") {
		return e.reply(isText, message)
	}
	order, words, _ := strings.Cut(strings.TrimPrefix(string(message), "interop:"), " ")
	switch order {
	case "pieces":
		e.inPieces = true
	case "ping":
		return e.ping(words)
	default:
		code, reason, _ := strings.Cut(words, " ")
		number, _ := strconv.Atoi(code)
		e.close(number, reason)
	}
	return nil
}

func (e *echo) reply(isText bool, message []byte) error {
	if !e.inPieces {
		return e.send(isText, message)
	}
	e.inPieces = false
	third := len(message) / 3
	return e.sendPieces(isText, [][]byte{message[:third], message[third : 2*third], message[2*third:]})
}

func (e *echo) pong(payload string) error {
	return e.send(true, []byte("interop:pong "+payload))
}

var telling sync.Mutex

func tell(line map[string]any) {
	text, _ := json.Marshal(line)
	telling.Lock()
	defer telling.Unlock()
	fmt.Println(string(text))
}

func tellEnd(path string, subprotocol string, code int, reason string) {
	tell(map[string]any{"path": path, "protocol": subprotocol, "code": code, "reason": reason})
}

// The version of a library that Debian has as sources.
func packaged(name string) string {
	version, err := exec.Command("dpkg-query", "--show", "--showformat=${source:Upstream-Version}", name).Output()
	if err != nil {
		return ""
	}
	return string(version)
}

func run(version string, handle http.HandlerFunc, connect func(address string, path string)) {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if os.Args[1] == "serve" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		tell(map[string]any{"version": version, "port": listener.Addr().(*net.TCPAddr).Port})
		http.Serve(listener, handle)
	}
	tell(map[string]any{"version": version})
	for _, address := range os.Args[2:] {
		where, _ := url.Parse(address)
		connect(address, where.Path)
	}
}
