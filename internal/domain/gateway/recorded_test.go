package gateway

import (
	"encoding/json"
	"net/url"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// recorded is one op of the reference's recorded traffic, with all that came of it.
type recorded struct {
	Name    string          `json:"name"`
	Op      sdk.Opcode      `json:"op"`
	Opts    json.RawMessage `json:"opts"`
	Request struct {
		Method string            `json:"method"`
		Path   string            `json:"path"`
		Header map[string]string `json:"header"`
		Body   string            `json:"body"`
	} `json:"request"`
	Response struct {
		Status int                 `json:"status"`
		Header map[string][]string `json:"header"`
		Body   string              `json:"body"`
	} `json:"response"`
	Memo json.RawMessage `json:"memo"`
}

func recordings(t testing.TB) []recorded {
	t.Helper()
	content, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d recordings", len(all))
	}
	return all
}

func TestRecorded_RequestAndMemoAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	for _, want := range recordings(t) {
		t.Run(want.Name, func(t *testing.T) {
			t.Parallel()
			request, err := Decode(sdk.Op{Op: want.Op, ID: "1c8f", Opts: want.Opts})
			if err != nil {
				t.Fatal(err)
			}
			compareRequest(t, request, want)

			last := true
			response := Response{Status: want.Response.Status, Header: want.Response.Header, Body: []byte(want.Response.Body)}
			outcome := request.Outcome(response, last)
			if diff := cmp.Diff(decoded(t, want.Memo), decoded(t, outcome.Memo)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func compareRequest(t *testing.T, request Request, want recorded) {
	t.Helper()
	target, err := url.Parse(request.URL)
	if err != nil {
		t.Fatal(err)
	}
	if request.Method != want.Request.Method || target.RequestURI() != want.Request.Path {
		t.Errorf("requests %s %s, want %s %s", request.Method, target.RequestURI(), want.Request.Method, want.Request.Path)
	}
	header := map[string]string{}
	for name, value := range want.Request.Header {
		if !ownedByTransport(name) && name != "User-Agent" { // the adapter's
			header[name] = value
		}
	}
	if diff := cmp.Diff(header, request.Header); diff != "" {
		t.Error("headers: ", diff)
	}
	if want.Op == sdk.OpGateway || len(request.Body) == 0 {
		if string(request.Body) != want.Request.Body {
			t.Errorf("body is %s, want %s", request.Body, want.Request.Body)
		}
		return
	}
	// The order of the members is the app's, not the reference's.
	if diff := cmp.Diff(decoded(t, json.RawMessage(want.Request.Body)), decoded(t, request.Body)); diff != "" {
		t.Error("body: ", diff)
	}
}

func decoded(t testing.TB, value json.RawMessage) any {
	t.Helper()
	var read any
	if err := json.Unmarshal(value, &read); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return read
}
