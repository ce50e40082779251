package httppool

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/ingothq/ingot/internal/ports"
)

// Opening is how long it took to open a connection: to find out its address, to connect, and to agree on encryption.
type Opening struct{ DNS, TCP, TLS time.Duration }

// dialFunc opens a connection.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// opened is a connection that knows how long it took to open it.
type opened struct {
	net.Conn
	dns, tcp time.Duration
	// at is when it was open.
	at time.Time
}

// timed notes how long connections take to open. Requests on kept connections cost nothing.
func timed(dial dialFunc, clock ports.Clock) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var asked, told time.Time
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			DNSStart: func(httptrace.DNSStartInfo) { asked = clock.Now() },
			DNSDone:  func(httptrace.DNSDoneInfo) { told = clock.Now() },
		})
		start := clock.Now()
		conn, err := dial(traced, network, address)
		if err != nil {
			return nil, err
		}
		dns, at := max(told.Sub(asked), 0), clock.Now()
		return &opened{Conn: conn, dns: dns, tcp: max(at.Sub(start)-dns, 0), at: at}, nil
	}
}

// watch is what is seen of one request. Its methods are called by the transport's goroutines.
type watch struct {
	clock            ports.Clock
	reused, answered atomic.Bool
	dns, tcp, tls    atomic.Int64
}

func (w *watch) first() { w.answered.Store(true) }

// got notes the connection that the request is made on.
func (w *watch) got(info httptrace.GotConnInfo) {
	w.reused.Store(info.Reused)
	if info.Reused {
		return
	}
	conn := info.Conn
	encrypted, isTLS := conn.(*tls.Conn)
	if isTLS {
		conn = encrypted.NetConn()
	}
	if conn, ok := conn.(*opened); ok {
		w.dns.Add(int64(conn.dns))
		w.tcp.Add(int64(conn.tcp))
		if isTLS {
			w.tls.Add(int64(max(w.clock.Now().Sub(conn.at), 0)))
		}
	}
}

func (w *watch) opening() Opening {
	return Opening{DNS: time.Duration(w.dns.Load()), TCP: time.Duration(w.tcp.Load()), TLS: time.Duration(w.tls.Load())}
}
