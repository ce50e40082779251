package testkit

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// TB is what is needed of a testing.TB.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Fatal(args ...any)
}

// Script starts a server that treats the requests of each connection by hand: one function a request, lists by
// connection. A connection is closed when its list is over. It is stopped at the end of the test.
func Script(t TB, connections ...[]func(net.Conn)) (url string, accepted func() int) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	count := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			index := count
			count++
			mu.Unlock()
			if index < len(connections) {
				requests := bufio.NewReader(conn)
				for _, answer := range connections[index] {
					if request, err := http.ReadRequest(requests); err == nil {
						_, _ = requests.Discard(int(request.ContentLength))
						answer(conn)
					}
				}
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return "http://" + listener.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

// Say answers with a text.
func Say(text string) func(net.Conn) {
	return func(conn net.Conn) { fmt.Fprint(conn, text) }
}

// HangUp answers nothing.
func HangUp(net.Conn) {}
