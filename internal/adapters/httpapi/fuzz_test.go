package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzEvents sends any body with any content type. Every answer is JSON of the one shape; it has an ID for each event that is
// stored, and a request that is refused has stored nothing.
func FuzzEvents(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `{"name":"a"}`, `[{"name":"a"},{"name":"b","data":{"x":[1,{}]}}]`, `[{"name":"a"},7]`, `[null]`, `a=b`, "\xff",
		`{"name":"a","ts":1e3}`, `{"name":"\ud800"}`, `[{"name":"inngest/x"}]`, "--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nx\r\n--B--\r\n"} {
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=B", ""} {
			f.Add(body, contentType)
		}
	}
	f.Fuzz(func(t *testing.T, body, contentType string) {
		s := newFixture(t, devConfig)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/e/k", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		var answer struct {
			IDs    []string
			Status int
			Error  *string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("answer %q: %v", w.Body, err)
		}
		stored := s.backend.AllEvents()
		want := make([]string, max(len(stored), 1)) // without events there is one empty ID
		for i, e := range stored {
			want[i] = e.InternalID.String()
		}
		refused := w.Code == http.StatusBadRequest
		if answer.Status != w.Code || strings.Join(answer.IDs, " ") != strings.Join(want, " ") || (answer.Error != nil) != refused ||
			!refused && w.Code != http.StatusOK || refused && len(stored) > 0 {
			t.Errorf("status %d, %d stored, answer %s", w.Code, len(stored), w.Body)
		}
	})
}
