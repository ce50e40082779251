package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/config"
)

func TestWriteBanner(t *testing.T) {
	t.Parallel()
	local := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 7)}
	start := config.Default(config.Start)
	start.Host, start.Port = "10.0.0.7", 9000
	noScan := config.Default(config.Dev)
	noScan.Host, noScan.Discovery, noScan.Persist = "::1", false, true

	for name, test := range map[string]struct {
		cfg  config.Config
		want string
	}{
		"dev on all addresses": {config.Default(config.Dev), `
Ingot dev server 1-a online at 0.0.0.0:8288, visible at the following URLs:

 - http://127.0.0.1:8288 (http://localhost:8288)
 - http://10.0.0.7:8288

Mode: dev
Data: in memory, gone when the server stops

Scanning for available serve handlers.
To disable scanning run ` + "`server dev`" + ` with flags: --no-discovery -u <your-serve-url>

`},
		"start on one address": {start, `
Ingot server 1-a online at 10.0.0.7:9000, visible at the following URLs:

 - http://10.0.0.7:9000

Mode: start
Data: .inngest/main.db

`},
		"persistent dev on the IPv6 loopback": {noScan, `
Ingot dev server 1-a online at [::1]:8288, visible at the following URLs:

 - http://[::1]:8288 (http://localhost:8288)

Mode: dev
Data: .inngest/main.db

`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			writeBanner(&out, test.cfg, "1-a", local)
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestServe_ShowsTheBannerAtATerminal(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.StdoutTTY = true
	w.run(t, 0, "dev")
	if want := fmt.Sprintf("http://127.0.0.1:%d (http://localhost:%d)", w.served.Port, w.served.Port); !strings.Contains(w.stdout.String(), want) {
		t.Errorf("no %s in\n%s", want, &w.stdout)
	}
}

func TestLocalAddresses_AreIPv4(t *testing.T) {
	t.Parallel()
	addresses := localAddresses()
	if len(addresses) == 0 {
		t.Error("none")
	}
	for _, address := range addresses {
		if address.To4() == nil {
			t.Errorf("%s is not IPv4", address)
		}
	}
}
