package gatewayhttp

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/gateway"
)

func gzipped(content []byte) []byte {
	var encoded bytes.Buffer
	writer := gzip.NewWriter(&encoded)
	_, _ = writer.Write(content)
	_ = writer.Close()
	return encoded.Bytes()
}

func brotlied(content []byte) []byte {
	var encoded bytes.Buffer
	writer := brotli.NewWriter(&encoded)
	_, _ = writer.Write(content)
	_ = writer.Close()
	return encoded.Bytes()
}

func TestRead_Encodings(t *testing.T) {
	t.Parallel()
	content := []byte(strings.Repeat("hello ", 1000))
	tests := map[string]struct {
		method, encoding string
		sent             []byte
		want             string
		failure          string
	}{
		"none":                  {"GET", "", content, string(content), ""},
		"identity":              {"GET", "identity", content, string(content), ""},
		"gzip":                  {"GET", "gzip", gzipped(content), string(content), ""},
		"gzip in capitals":      {"GET", " GZIP", gzipped(content), string(content), ""},
		"two members of gzip":   {"GET", "gzip", append(gzipped([]byte("a")), gzipped([]byte("b"))...), "ab", ""},
		"brotli":                {"GET", "br", brotlied(content), string(content), ""},
		"nothing, encoded":      {"GET", "gzip", gzipped(nil), "", ""},
		"nothing at all":        {"GET", "gzip", nil, "", ""},
		"HEAD":                  {"HEAD", "gzip", nil, "", ""},
		"HEAD, unknown":         {"HEAD", "zstd", nil, "", ""},
		"no gzip":               {"GET", "gzip", content, "", "read response: gzip: invalid header"},
		"half of gzip":          {"GET", "gzip", gzipped(content)[:20], "", "read response: unexpected EOF"},
		"half of gzip's header": {"GET", "gzip", gzipped(content)[:5], "", "read response: unexpected EOF"},
		"other":                 {"GET", "deflate", content, "", `unsupported content encoding: "deflate"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				_, _ = w.Write(test.sent)
			})
			request := aRequest(server.URL)
			request.Method = test.method
			got := do(t, newLocal(t, Config{}), request)
			if string(got.Body) != test.want || got.TransportError != test.failure || got.Status != 200 {
				t.Errorf("status %d, %d bytes, failure %q", got.Status, len(got.Body), got.TransportError)
			}
			_, encoded := got.Header["Content-Encoding"]
			_, length := got.Header["Content-Length"]
			if len(test.want) > 0 && test.encoding != "" && test.encoding != "identity" && (encoded || length) {
				t.Errorf("headers speak of the encoded body: %v", got.Header)
			}
		})
	}
}

func TestRead_LimitCountsDecodedBytes(t *testing.T) {
	t.Parallel()
	largest := bytes.Repeat([]byte{'x'}, gateway.MaxResponseBytes)
	tests := map[string]struct {
		encoding string
		sent     []byte
		tooLarge bool
	}{
		"largest":        {"", largest, false},
		"one more":       {"", append(bytes.Clone(largest), 'x'), true},
		"much more":      {"", bytes.Repeat([]byte{'x'}, 3*gateway.MaxResponseBytes), true},
		"largest, gzip":  {"gzip", gzipped(largest), false},
		"one more, gzip": {"gzip", gzipped(append(bytes.Clone(largest), 'x')), true},
		"brotli bomb":    {"br", brotlied(make([]byte, 16<<20)), true},
		"gzip bomb":      {"gzip", gzipped(make([]byte, 16<<20)), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				_, _ = w.Write(test.sent)
			})
			relayed := 0
			got, err := newLocal(t, Config{}).Do(t.Context(), aRequest(server.URL), func(chunk []byte) { relayed += len(chunk) })
			if err != nil {
				t.Fatal(err)
			}
			if got.TooLarge != test.tooLarge || got.TransportError != "" {
				t.Errorf("too large %v, failure %q", got.TooLarge, got.TransportError)
			}
			want := gateway.MaxResponseBytes
			if test.tooLarge {
				want = 0
			}
			if len(got.Body) != want || relayed > gateway.MaxResponseBytes+(32<<10) || relayed < gateway.MaxResponseBytes {
				t.Errorf("%d bytes, %d relayed", len(got.Body), relayed)
			}
		})
	}
}

func TestRelay_SeesTheBodyWhileItArrives(t *testing.T) {
	t.Parallel()
	relayed := make(chan string)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Location", "/next")
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, "not this one")
			return
		}
		for _, piece := range []string{"data: 1\n\n", "data: 2\n\n"} {
			io.WriteString(w, piece)
			w.(http.Flusher).Flush()
			if got := <-relayed; got != piece { // the next piece is sent only when this one was relayed
				t.Errorf("relayed %q, want %q", got, piece)
			}
		}
	})
	got, err := newLocal(t, Config{}).Do(t.Context(), aRequest(server.URL), func(chunk []byte) { relayed <- string(chunk) })
	if err != nil || string(got.Body) != "data: 1\n\ndata: 2\n\n" {
		t.Errorf("response %+v, error %v", got, err)
	}
}

func TestRelay_CannotHarmTheBody(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789", 20_000)
	calls := 0
	tests := map[string]func(chunk []byte){
		"panics":  func([]byte) { calls++; panic("subscriber gone") },
		"writes":  func(chunk []byte) { clear(chunk) },
		"appends": func(chunk []byte) { _ = append(chunk, "xxx"...) },
	}
	for name, relay := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, content) })
			got, err := newLocal(t, Config{}).Do(t.Context(), aRequest(server.URL), relay)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(content, string(got.Body)); diff != "" {
				t.Error("the body was changed")
			}
			if name == "panics" && calls != 1 {
				t.Errorf("called %d times", calls)
			}
		})
	}
}
