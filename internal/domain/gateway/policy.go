package gateway

import (
	"fmt"
	"net/netip"
	"strings"
)

// Policy says which addresses a request may reach. The zero value lets it reach the public internet only. It is asked
// of every address that a connection is made to, after the name was resolved, so that no name, redirect or change of
// DNS gets around it. Source: spec 01 §9.
type Policy struct {
	// AllowPrivate allows loopback, private, link-local, multicast and unspecified addresses, and the name localhost.
	AllowPrivate bool
	// AllowDockerHost allows host.docker.internal, whatever its address.
	AllowDockerHost bool
	// AllowNAT64 allows the prefixes of NAT64. An IPv4 address inside of one still has to be allowed.
	AllowNAT64 bool
}

// AllowAll is the policy of a server whose apps are the operator's own, as in dev.
var AllowAll = Policy{AllowPrivate: true, AllowDockerHost: true, AllowNAT64: true}

// RefusedError says why a Policy forbids an address.
type RefusedError struct {
	// Address is host and port, as they were asked for.
	Address string
	IP      netip.Addr
	// Class is "private IP range", "accessing docker host" or "NAT64 address".
	Class string
}

// Error is the text that users see.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("Unable to make request to %s at IP %s: %s", e.Address, e.IP.Unmap(), e.Class)
}

const dockerHost = "host.docker.internal"

// Check returns a *RefusedError when the address, "host:port", must not be connected to at the IP.
func (p Policy) Check(address string, ip netip.Addr) error {
	refuse := func(class string) error { return &RefusedError{Address: address, IP: ip, Class: class} }
	ip = ip.Unmap().WithZone("") // no prefix contains an address with a zone
	host := hostOf(address)
	switch {
	case host == dockerHost:
		if !p.AllowDockerHost {
			return refuse("accessing docker host")
		}
	case !p.AllowNAT64 && within(nat64, ip):
		return refuse("NAT64 address")
	case !p.AllowPrivate && (isLocalName(host) || isPrivate(ip)):
		return refuse("private IP range")
	}
	return nil
}

// hostOf returns the host of "host:port" in lower case, without the dot that may end a name.
func hostOf(address string) string {
	host := address
	if colon := strings.LastIndexByte(address, ':'); colon >= 0 {
		host = address[:colon]
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

func isLocalName(host string) bool {
	switch host {
	case "localhost", "localhost.localdomain", "0.0.0.0":
		return true
	default:
		return false
	}
}

func isPrivate(ip netip.Addr) bool {
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || within(private, ip) || within(special, ip) {
		return true
	}
	inner, ok := embedded(ip)
	return ok && isPrivate(inner)
}

// embedded returns the IPv4 address that a packet to an IPv6 address is carried to: by NAT64, by 6to4, or by a host
// that still knows IPv4-compatible addresses.
func embedded(ip netip.Addr) (inner netip.Addr, ok bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	all := ip.As16()
	switch {
	case nat64[0].Contains(ip), compatible.Contains(ip):
		return netip.AddrFrom4([4]byte(all[12:16])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(all[2:6])), true
	default:
		return netip.Addr{}, false
	}
}

func within(ranges []netip.Prefix, ip netip.Addr) bool {
	for _, prefix := range ranges {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// The ranges of spec 01 §9.
var (
	private = prefixes("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
		"::1/128", "fe80::/10", "fc00::/7", "ff00::/8", "fec0::/10")
	nat64 = prefixes("64:ff9b::/96", "2001:db8::/32", "2001:db8:aaaa::/48", localNAT64)
)

// Ranges beyond those of the reference that lead inside too: this network (RFC 791), shared address space (RFC 6598,
// where clouds and VPNs put their services), protocol assignments, benchmarks, and class E with broadcast. localNAT64
// is the prefix for an operator's own translators (RFC 8215).
var (
	special    = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4")
	compatible = netip.MustParsePrefix("::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

const localNAT64 = "64:ff9b:1::/48"

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}
