package httpapi_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
)

var update = flag.Bool("update", false, "write the golden files")

// transcript is what a client and the server said to each other.
type transcript struct {
	*fixture
	text bytes.Buffer
}

// syncID is the one thing in the answers that is random.
var syncID = regexp.MustCompile(`"sync_id":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)

// say makes a request and writes it and its answer down.
func (s *transcript) say(title, method, path, body string, headers ...string) string {
	s.tb.Helper()
	w := s.send(method, path, body, headers...)
	if len(body) > 300 {
		body = fmt.Sprintf("%s… (%d bytes)", body[:60], len(body))
	}
	fmt.Fprintf(&s.text, "=== %s\n%s %s\n", title, method, path)
	for _, header := range headers {
		fmt.Fprintln(&s.text, header)
	}
	fmt.Fprintf(&s.text, "%s\n--- %d\n", strings.ReplaceAll(body, "\r\n", "\n"), w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		for _, value := range w.Header()[name] {
			fmt.Fprintf(&s.text, "%s: %s\n", name, value)
		}
	}
	answer := syncID.ReplaceAllString(w.Body.String(), `"sync_id":"(a UUID)"`)
	ending := ""
	if answer != "" && !strings.HasSuffix(answer, "\n") {
		ending = "(no newline)\n"
	}
	fmt.Fprintf(&s.text, "\n%s%s\n", answer, ending)
	return w.Body.String()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	scenarios := map[string]struct {
		config httpapi.Config
		script func(*transcript)
	}{
		"events":       {devConfig, sayEvents},
		"events_start": {startConfig, sayEventsOfStart},
		"invoke":       {devConfig, sayInvoke},
		"register":     {devConfig, sayRegister},
		"fn":           {devConfig, sayFn},
		"dev":          {devOptions(), sayDev},
		"v0":           {devConfig, sayV0},
		"v1_events":    {devConfig, sayV1Events},
		"v1_runs":      {devConfig, sayV1Runs},
		"v1_waits":     {devConfig, sayWaits},
		"v1_jobs":      {devConfig, sayJobs},
		"v1_apps":      {devConfig, sayApps},
		"test":         {httpapi.Config{Kind: httpapi.KindDev, TestMode: true}, sayTest},
		"v1_endpoints": {devConfig, sayEndpoints},
		"v1_metadata":  {devConfig, sayMetadata},
		"metadata_off": {httpapi.Config{Kind: httpapi.KindDev, NoMetadata: true}, sayNoMetadata},
		"v1_cancels":   {devConfig, sayCancellations},
		"v1_pausing":   {devConfig, sayPausing},
		"cors":         {devConfig, sayCORS},
		"routing":      {devConfig, sayRouting},
	}
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &transcript{fixture: newFixture(t, scenario.config)}
			scenario.script(s)
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, s.text.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), s.text.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}
