package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

const maxPort = 65535

// Listen binds a TCP port of an address: an IP, with or without brackets, or a name. Port 0 takes any free port. With
// moveUp a port in use is left to its owner and the next free one above is taken (Spec 16 §2); any other failure, and a
// port in use without moveUp, is returned.
func Listen(ctx context.Context, host string, port int, moveUp bool) (net.Listener, error) {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	var listen net.ListenConfig
	for candidate := port; candidate <= maxPort; candidate++ {
		address := net.JoinHostPort(host, strconv.Itoa(candidate))
		listener, err := listen.Listen(ctx, "tcp", address)
		if err == nil {
			return listener, nil
		}
		if !moveUp || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
	}
	return nil, fmt.Errorf("no ports available starting at %d", port)
}

// boundPort is the port a TCP listener has.
func boundPort(listener net.Listener) int {
	if address, isTCP := listener.Addr().(*net.TCPAddr); isTCP {
		return address.Port
	}
	return 0
}
