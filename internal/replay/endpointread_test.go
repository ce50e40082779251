package replay

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
)

// compareReads asks the read API what the recording's reader asked.
func (e *endpointReplay) compareReads(ctx context.Context) {
	for i, read := range e.rec.reads {
		if !readPath.MatchString(read.Path) {
			continue
		}
		e.mu.Lock()
		path, want := e.personal(read.Path), e.personal(read.Body)
		e.mu.Unlock()
		cmp := &comparer{where: fmt.Sprintf("read %d %s", i, readKind(read.Path)), excuse: e.excuse}
		got, err := ask(ctx, e.srv.addr, http.MethodGet, path, nil, nil)
		if err != nil {
			cmp.add("answer", read.Status, rawText(err.Error()))
			e.note(cmp.found)
			continue
		}
		if got.status != read.Status {
			cmp.add("status", read.Status, got.status)
		}
		cmp.headers(read.Headers, got.header)
		cmp.texts("body", want, got.body)
		// Where the reference shows the app's whole answer, only the endpoint's answer in it may stand.
		for i, found := range cmp.found {
			if strings.HasSuffix(found.field, "output") && e.personal(shownOutput(found.want)) != shownOutput(found.got) {
				cmp.found[i].field += " of another answer"
			}
		}
		e.note(cmp.found)
	}
	e.compareGraphQL(ctx)
}

// compareGraphQL asks over GraphQL what the recording's reader asked.
func (e *endpointReplay) compareGraphQL(ctx context.Context) {
	reader := &graphqlReader{addr: e.srv.addr, outputs: map[string]string{}, events: map[string]string{}, excuse: e.excuse, personal: func(recorded string) string {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.personal(recorded)
	}}
	for i, asked := range e.rec.asked {
		e.note(reader.compare(ctx, i, asked))
	}
}

// shownOutput is the value that an output in the read API stands for: that of the body of an endpoint's answer, taken out of the
// base64, the op and the quotes that may be around it.
func shownOutput(output string) string {
	value, err := decode(output)
	for range 4 { // no more than these can be around it
		text, isText := value.(string)
		if op, isOp := value.(map[string]any); isOp && op["op"] == "RunComplete" {
			data, _ := op["data"].(map[string]any)
			value = data["body"]
			continue
		}
		if err != nil || !isText {
			break
		}
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
			text = string(plain)
		}
		inner, err := decode(text)
		if err != nil {
			break
		}
		value = inner
	}
	return render(value)
}

// excuse accepts what a server makes anew: tokens for the same run, times, and the client ids of events. Whatever stood once in
// the place of a recorded text must do so again.
func (e *endpointReplay) excuse(field string, parent map[string]any, want, got any) bool {
	wantText, wantIsText := want.(string)
	gotText, gotIsText := got.(string)
	name := field[strings.LastIndexByte(field, '.')+1:]
	switch {
	case slices.Contains([]string{"received_at", "fetched_at", "run_started_at", "ended_at"}, name):
		return isTime(want) && isTime(got)
	case name == "ts" && parent != nil && parent["name"] != nil:
		return isRecent(got)
	case !wantIsText || !gotIsText:
		return false
	case name == "token", name == "realtime_token":
		e.mu.Lock()
		defer e.mu.Unlock()
		return isNewToken(e.personalToken(wantText), gotText) && e.bind(wantText, gotText)
	case name == "id" && isULID(wantText):
		e.mu.Lock()
		defer e.mu.Unlock()
		return isRecentULID(gotText) && e.bind(wantText, gotText)
	}
	return false
}

// personalToken is a recorded token with the id of this server's run in it. The replay must be locked.
func (e *endpointReplay) personalToken(recorded string) string {
	parts := strings.Split(recorded, ".")
	if len(parts) != 3 {
		return recorded
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return recorded
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(e.personal(string(claims))))
	return strings.Join(parts, ".")
}

// bind notes what stands for a recorded text. The replay must be locked.
func (e *endpointReplay) bind(recorded, here string) bool {
	if known, ok := e.bound[recorded]; ok {
		return known == here
	}
	e.bound[recorded] = here
	return true
}

func isULID(text string) bool {
	_, err := ulid.ParseStrict(text)
	return err == nil
}
