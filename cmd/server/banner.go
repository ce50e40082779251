package main

import (
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/ingothq/ingot/internal/config"
)

// writeBanner tells a person at a terminal where the server is and where its data lies. local are the addresses of the
// machine, used when the server is bound to all of them.
func writeBanner(out io.Writer, cfg config.Config, version string, local []net.IP) {
	port := strconv.Itoa(cfg.Port)
	name := "Ingot server"
	if cfg.Mode == config.Dev {
		name = "Ingot dev server"
	}
	fmt.Fprintf(out, "\n%s %s online at %s, visible at the following URLs:\n\n", name, version, net.JoinHostPort(cfg.Host, port))
	for _, ip := range visibleAt(cfg.Host, local) {
		fmt.Fprintf(out, " - http://%s", net.JoinHostPort(ip, port))
		if parsed := net.ParseIP(ip); parsed != nil && parsed.IsLoopback() {
			fmt.Fprintf(out, " (http://localhost:%s)", port)
		}
		fmt.Fprintln(out)
	}

	data := "in memory, gone when the server stops"
	if path := cfg.DatabasePath(); path != "" {
		data = path
	}
	fmt.Fprintf(out, "\nMode: %s\nData: %s\n", cfg.Mode, data)
	if cfg.Discovery {
		fmt.Fprint(out, "\nScanning for available serve handlers.\nTo disable scanning run `server dev` with flags: --no-discovery -u <your-serve-url>\n")
	}
	fmt.Fprintln(out)
}

// visibleAt is where clients reach a server bound to host.
func visibleAt(host string, local []net.IP) []string {
	if bound := net.ParseIP(host); bound == nil || !bound.IsUnspecified() {
		return []string{host}
	}
	var hosts []string
	for _, ip := range local {
		hosts = append(hosts, ip.String())
	}
	return hosts
}

// localAddresses lists the machine's IPv4 addresses. They only decorate the banner, so a failure leaves the loopback.
func localAddresses() []net.IP {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	var ips []net.IP
	for _, address := range addresses {
		if network, isNetwork := address.(*net.IPNet); isNetwork && network.IP.To4() != nil {
			ips = append(ips, network.IP)
		}
	}
	return ips
}
