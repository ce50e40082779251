package gatewayhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ingothq/ingot/internal/domain/gateway"
)

// Resolver finds the addresses of a name, or reads the address that a host is. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// dialer connects to what the policy allows.
type dialer struct {
	policy   gateway.Policy
	resolver Resolver
	timeout  time.Duration
	// connect connects to an IP address and port.
	connect func(ctx context.Context, network, address string) (net.Conn, error)
}

// dial resolves a host and connects to the first of its addresses that is allowed and answers. It never hands a name
// on, so what was checked is what is connected to, however the name's DNS changes. A host none of whose addresses is
// allowed is a *gateway.RefusedError.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, fmt.Errorf("no connection within %s", d.timeout))
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read address: %w", err)
	}
	found, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("look up %s: no address", host)
	}
	var failed, refused error
	for i, ip := range found {
		if err := d.policy.Check(address, ip); err != nil {
			refused = err
			continue
		}
		target := net.JoinHostPort(ip.Unmap().String(), port)
		conn, err := d.connectWithin(ctx, network, target, d.timeout/time.Duration(len(found)), i == len(found)-1)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return nil, failed
	}
	return nil, refused
}

// connectWithin gives up after an equal share of the time, unless there is no other address to try.
func (d *dialer) connectWithin(ctx context.Context, network, address string, share time.Duration, last bool) (net.Conn, error) {
	if !last {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, share, fmt.Errorf("no connection to %s within %s", address, share))
		defer cancel()
	}
	return d.connect(ctx, network, address)
}
