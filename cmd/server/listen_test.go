package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
)

// take occupies a loopback port for the length of the test.
func take(t *testing.T) (address string, port int) {
	t.Helper()
	listener, err := Listen(t.Context(), "127.0.0.1", 0, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String(), boundPort(listener)
}

func TestListen(t *testing.T) {
	t.Parallel()
	t.Run("a free port is kept", func(t *testing.T) {
		t.Parallel()
		free, err := Listen(t.Context(), "127.0.0.1", 0, true)
		if err != nil {
			t.Fatal(err)
		}
		port := boundPort(free)
		if port == 0 {
			t.Fatal("no port bound")
		}
		if err := free.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Listen(t.Context(), "127.0.0.1", port, false)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if got := boundPort(again); got != port {
			t.Errorf("port %d, want %d", got, port)
		}
	})
	t.Run("a port in use moves up", func(t *testing.T) {
		t.Parallel()
		_, port := take(t)
		listener, err := Listen(t.Context(), "127.0.0.1", port, true)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if got := boundPort(listener); got <= port {
			t.Errorf("port %d, want one above %d", got, port)
		}
	})
	t.Run("a port in use is an error", func(t *testing.T) {
		t.Parallel()
		address, port := take(t)
		_, err := Listen(t.Context(), "127.0.0.1", port, false)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "listen on "+address+": ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("brackets are no part of the address", func(t *testing.T) {
		t.Parallel()
		listener, err := Listen(t.Context(), "[127.0.0.1]", 0, false)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if host, _, _ := net.SplitHostPort(listener.Addr().String()); host != "127.0.0.1" {
			t.Errorf("bound to %s", host)
		}
	})
	t.Run("a failure other than a conflict does not move", func(t *testing.T) {
		t.Parallel()
		// An address reserved for documentation is on no interface.
		_, err := Listen(t.Context(), "203.0.113.9", 9000, true)
		if err == nil || !strings.HasPrefix(err.Error(), "listen on 203.0.113.9:9000: ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a cancelled context ends the search", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Listen(ctx, "localhost", 0, true); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no port left", func(t *testing.T) {
		t.Parallel()
		last, err := Listen(t.Context(), "127.0.0.1", maxPort, false)
		if err == nil {
			defer last.Close()
		} else if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
		_, err = Listen(t.Context(), "127.0.0.1", maxPort, true)
		if want := fmt.Sprintf("no ports available starting at %d", maxPort); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}

func TestBoundPort_OfAnotherKindOfListenerIsZero(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if port := boundPort(listener); port != 0 {
		t.Errorf("port %d", port)
	}
}
