package gateway

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

const (
	classPrivate = "private IP range"
	classDocker  = "accessing docker host"
	classNAT64   = "NAT64 address"
)

func TestPolicy_ZeroValueAllowsThePublicInternetOnly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ address, ip, want string }{
		"public v4":                     {"a.test:443", "93.184.216.34", ""},
		"public v6":                     {"a.test:443", "2606:2800:220:1::1", ""},
		"mapped public":                 {"a.test:443", "::ffff:93.184.216.34", ""},
		"loopback":                      {"a.test:80", "127.0.0.1", classPrivate},
		"end of loopback":               {"a.test:80", "127.255.255.255", classPrivate},
		"after loopback":                {"a.test:80", "128.0.0.0", ""},
		"ten":                           {"10.0.0.1:80", "10.0.0.1", classPrivate},
		"end of ten":                    {"a.test:80", "10.255.255.255", classPrivate},
		"before 172.16":                 {"a.test:80", "172.15.255.255", ""},
		"172.16":                        {"a.test:80", "172.16.0.0", classPrivate},
		"end of 172.16":                 {"a.test:80", "172.31.255.255", classPrivate},
		"after 172.16":                  {"a.test:80", "172.32.0.0", ""},
		"192.168":                       {"a.test:80", "192.168.0.1", classPrivate},
		"after 192.168":                 {"a.test:80", "192.169.0.0", ""},
		"metadata service":              {"a.test:80", "169.254.169.254", classPrivate},
		"unspecified":                   {"a.test:80", "0.0.0.0", classPrivate},
		"this network":                  {"a.test:80", "0.1.2.3", classPrivate},
		"multicast":                     {"a.test:80", "224.0.0.1", classPrivate},
		"end of multicast":              {"a.test:80", "239.255.255.255", classPrivate},
		"class E":                       {"a.test:80", "240.0.0.1", classPrivate},
		"broadcast":                     {"a.test:80", "255.255.255.255", classPrivate},
		"shared":                        {"a.test:80", "100.64.0.1", classPrivate},
		"before shared":                 {"a.test:80", "100.63.255.255", ""},
		"after shared":                  {"a.test:80", "100.128.0.0", ""},
		"benchmarks":                    {"a.test:80", "198.19.0.1", classPrivate},
		"protocol assignments":          {"a.test:80", "192.0.0.8", classPrivate},
		"v6 loopback":                   {"[::1]:80", "::1", classPrivate},
		"v6 unspecified":                {"a.test:80", "::", classPrivate},
		"v6 link-local":                 {"a.test:80", "fe80::1", classPrivate},
		"v6 link-local with zone":       {"[fe80::1%eth0]:80", "fe80::1%eth0", classPrivate},
		"v6 unique local":               {"a.test:80", "fd00::1", classPrivate},
		"v6 site-local":                 {"a.test:80", "fec0::1", classPrivate},
		"v6 multicast":                  {"a.test:80", "ff02::1", classPrivate},
		"mapped loopback":               {"a.test:80", "::ffff:127.0.0.1", classPrivate},
		"mapped private":                {"a.test:80", "::ffff:10.1.2.3", classPrivate},
		"compatible loopback":           {"a.test:80", "::127.0.0.1", classPrivate},
		"6to4 of a private address":     {"a.test:80", "2002:0a00:0001::1", classPrivate},
		"6to4 of a public address":      {"a.test:80", "2002:5db8:d822::1", ""},
		"NAT64":                         {"a.test:80", "64:ff9b::5db8:d822", classNAT64},
		"NAT64 of a private address":    {"a.test:80", "64:ff9b::10.0.0.1", classNAT64},
		"NAT64 of an operator":          {"a.test:80", "64:ff9b:1::1", classNAT64},
		"after NAT64":                   {"a.test:80", "64:ff9b:2::1", ""},
		"documentation":                 {"a.test:80", "2001:db8::1", classNAT64},
		"documentation aaaa":            {"a.test:80", "2001:db8:aaaa::1", classNAT64},
		"localhost":                     {"localhost:80", "93.184.216.34", classPrivate},
		"LOCALHOST.":                    {"LOCALHOST.:80", "93.184.216.34", classPrivate},
		"localhost.localdomain":         {"localhost.localdomain:80", "93.184.216.34", classPrivate},
		"0.0.0.0 by name":               {"0.0.0.0:80", "93.184.216.34", classPrivate},
		"name that ends like localhost": {"notlocalhost:80", "93.184.216.34", ""},
		"host without port":             {"localhost", "93.184.216.34", classPrivate},
		"docker host":                   {"host.docker.internal:80", "93.184.216.34", classDocker},
		"docker host in capitals":       {"Host.Docker.Internal.:80", "192.168.65.2", classDocker},
		"no address":                    {"a.test:80", "", classPrivate},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Policy{}.Check(test.address, parse(test.ip))
			if got := class(err); got != test.want {
				t.Errorf("class is %q, want %q", got, test.want)
			}
			if err := AllowAll.Check(test.address, parse(test.ip)); err != nil {
				t.Errorf("with everything allowed: %v", err)
			}
		})
	}
}

func TestPolicy_Switches(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		policy            Policy
		address, ip, want string
	}{
		"private allowed":                       {Policy{AllowPrivate: true}, "localhost:1", "127.0.0.1", ""},
		"private allowed, docker not":           {Policy{AllowPrivate: true}, "host.docker.internal:1", "192.168.65.2", classDocker},
		"private allowed, NAT64 not":            {Policy{AllowPrivate: true}, "a.test:1", "64:ff9b::10.0.0.1", classNAT64},
		"docker allowed at a private address":   {Policy{AllowDockerHost: true}, "host.docker.internal:1", "192.168.65.2", ""},
		"docker allowed, private not":           {Policy{AllowDockerHost: true}, "a.test:1", "192.168.65.2", classPrivate},
		"NAT64 allowed, to a public address":    {Policy{AllowNAT64: true}, "a.test:1", "64:ff9b::93.184.216.34", ""},
		"NAT64 allowed, to a private address":   {Policy{AllowNAT64: true}, "a.test:1", "64:ff9b::10.0.0.1", classPrivate},
		"NAT64 allowed, documentation":          {Policy{AllowNAT64: true}, "a.test:1", "2001:db8::1", ""},
		"NAT64 allowed, private still is not":   {Policy{AllowNAT64: true}, "a.test:1", "fe80::1", classPrivate},
		"everything allowed, to nothing at all": {AllowAll, "a.test:1", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := class(test.policy.Check(test.address, parse(test.ip))); got != test.want {
				t.Errorf("class is %q, want %q", got, test.want)
			}
		})
	}
}

func TestRefusedError_Text(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ address, ip, want string }{
		"private": {"10.0.0.1:80", "10.0.0.1", "Unable to make request to 10.0.0.1:80 at IP 10.0.0.1: private IP range"},
		"mapped":  {"a.test:443", "::ffff:10.0.0.1", "Unable to make request to a.test:443 at IP 10.0.0.1: private IP range"},
		"docker":  {"host.docker.internal:80", "192.168.65.2", "Unable to make request to host.docker.internal:80 at IP 192.168.65.2: accessing docker host"},
		"NAT64":   {"a.test:80", "64:ff9b::a00:1", "Unable to make request to a.test:80 at IP 64:ff9b::a00:1: NAT64 address"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Policy{}.Check(test.address, parse(test.ip))
			if err == nil || err.Error() != test.want {
				t.Errorf("error is %v, want %s", err, test.want)
			}
		})
	}
}

// A way of writing an IPv4 address as IPv6 reaches nothing that the IPv4 address does not.
func TestPolicy_EmbeddingHidesNothing(t *testing.T) {
	t.Parallel()
	policy := Policy{AllowNAT64: true}
	rapid.Check(t, func(t *rapid.T) {
		inner := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "IPv4"))
		refused := policy.Check("a.test:1", netip.AddrFrom4(inner)) != nil
		var mapped, translated, tunnelled [16]byte
		mapped[10], mapped[11] = 0xff, 0xff
		copy(mapped[12:], inner[:])
		translated = nat64[0].Addr().As16()
		copy(translated[12:], inner[:])
		tunnelled[0], tunnelled[1] = 0x20, 0x02
		copy(tunnelled[2:], inner[:])
		for name, form := range map[string][16]byte{"mapped": mapped, "NAT64": translated, "6to4": tunnelled} {
			if got := policy.Check("a.test:1", netip.AddrFrom16(form)) != nil; got != refused {
				t.Fatalf("%s %v: refused %v, as IPv4 %v", name, netip.AddrFrom16(form), got, refused)
			}
		}
	})
}

func parse(text string) netip.Addr {
	if text == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(text)
}

func class(err error) string {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.Class
	}
	return ""
}
