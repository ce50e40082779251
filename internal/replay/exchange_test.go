package replay

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer is a response as it came over the wire.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request exactly as written, target and headers included, and reads the answer. Host, Connection and
// Content-Length are the only headers it adds, in the place of those and of others about the connection.
func ask(ctx context.Context, addr, method, target string, headers headerList, body *string) (answer, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, target, err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, target, addr)
	for _, pair := range headers {
		if !slices.Contains([]string{"host", "connection", "content-length", "accept-encoding", "transfer-encoding"}, strings.ToLower(pair[0])) {
			fmt.Fprintf(&text, "%s: %s\r\n", pair[0], pair[1])
		}
	}
	if body != nil {
		text.WriteString("Content-Length: " + strconv.Itoa(len(*body)) + "\r\n")
	}
	text.WriteString("\r\n")
	if body != nil {
		text.WriteString(*body)
	}
	// A server may answer and close before it has read a body that is too large.
	writeFailed := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, text.String())
		writeFailed <- err
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: read answer: %w", method, target, err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: read body: %w", method, target, err)
	}
	_ = conn.Close()
	<-writeFailed
	return answer{status: response.StatusCode, header: response.Header, body: string(read)}, nil
}

// unordered are response headers that say nothing about the server's behaviour.
var ignoredHeaders = []string{"Date", "Content-Length", "Connection", "Transfer-Encoding"}

// headers compares response headers, names and values. Content-Length must fit the body only.
func (c *comparer) headers(want headerList, got http.Header) {
	wanted := http.Header{}
	for _, pair := range want {
		wanted.Add(pair[0], pair[1])
	}
	names := map[string]bool{}
	for name := range wanted {
		names[name] = true
	}
	for name := range got {
		names[name] = true
	}
	for name := range names {
		if slices.Contains(ignoredHeaders, name) {
			continue
		}
		left, right := strings.Join(wanted.Values(name), " | "), strings.Join(got.Values(name), " | ")
		if left != right {
			c.add("header "+name, rawText(left), rawText(right))
		}
	}
}
