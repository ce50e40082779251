package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// graphqlAnswer is one entry of a .graphql.json file: what one of the queries was answered with.
type graphqlAnswer struct {
	Name          string            `json:"name"`
	Variables     map[string]string `json:"variables"`
	Status        int               `json:"status"`
	Headers       headerList        `json:"headers"`
	Body          string            `json:"body"`
	BodyTruncated *struct {
		Bytes int `json:"bytes"`
	} `json:"bodyTruncated"`
}

const spanOutput = "span output"

// isTrace says that a query asks for the tree of a run.
func isTrace(name string) bool { return strings.HasPrefix(name, "run trace ") }

// queries are the texts of the recorded queries, by name.
var queries = sync.OnceValues(func() (map[string]string, error) {
	content, err := readGzip("queries.json")
	if err != nil {
		return nil, err
	}
	var texts map[string]string
	if err := json.Unmarshal(content, &texts); err != nil {
		return nil, fmt.Errorf("decode queries: %w", err)
	}
	return texts, nil
})

// graphqlReader asks over GraphQL what the recording's reader asked, and compares the answers: IDs of spans, times and
// durations only by whether they are there, everything else by value.
type graphqlReader struct {
	addr     string
	personal func(recorded string) string
	// outputs are the server's IDs of outputs by those of the recording, found by their places in the traces.
	outputs map[string]string
	// twice says that the other side has each step twice in its new trace, as the reference does.
	twice bool
}

// compare asks one query. Outputs can only be asked for after the traces that they are in.
func (g *graphqlReader) compare(ctx context.Context, i int, asked graphqlAnswer) []mismatch {
	cmp := &comparer{where: fmt.Sprintf("graphql %d %s", i, asked.Name), excuse: excuseGraphQL}
	got, err := g.ask(ctx, asked)
	if err != nil {
		cmp.add("answer", asked.Status, rawText(err.Error()))
		return cmp.found
	}
	if got.status != asked.Status {
		cmp.add("status", asked.Status, got.status)
	}
	cmp.headers(asked.Headers, got.header)
	if cut := asked.BodyTruncated; cut != nil { // one letter, again and again
		if body := strings.TrimSuffix(got.body, "\n"); len(body) != cut.Bytes || !strings.HasPrefix(body, asked.Body) {
			cmp.add("body", fmt.Sprintf("%d bytes: %s", cut.Bytes, asked.Body), fmt.Sprintf("%d bytes: %s", len(body), body))
		}
		return cmp.found
	}
	want, err := g.recorded(asked.Body)
	if err != nil {
		cmp.add("recorded body", "", err.Error())
		return cmp.found
	}
	have, err := decode(got.body)
	if err != nil {
		cmp.add("body", want, rawText(got.body))
		return cmp.found
	}
	have = arrange(unfold("", have))
	if isTrace(asked.Name) {
		g.compareTraces(cmp, strings.HasSuffix(asked.Name, "=true"), want, have)
	}
	cmp.values("body", nil, want, have)
	return cmp.found
}

func (g *graphqlReader) ask(ctx context.Context, asked graphqlAnswer) (answer, error) {
	texts, err := queries()
	if err != nil {
		return answer{}, err
	}
	variables := map[string]string{}
	for name, value := range asked.Variables {
		variables[name] = g.personal(value)
		if asked.Name != spanOutput {
			continue
		}
		id, known := g.outputs[value]
		if !known {
			return answer{}, fmt.Errorf("no output in this place of the trace")
		}
		variables[name] = id
	}
	body := render(map[string]any{"query": texts[asked.Name], "variables": variables})
	return ask(ctx, g.addr, http.MethodPost, "/v0/gql", headerList{{"Content-Type", "application/json"}}, &body)
}

// recorded is a recorded answer at the server's time and with its IDs.
func (g *graphqlReader) recorded(body string) (any, error) {
	value, err := decode(body)
	if err != nil {
		return nil, err
	}
	if value, err = decode(g.personal(render(unfold("", value)))); err != nil {
		return nil, err
	}
	return arrange(value), nil
}

// compareTraces takes the traces out of two answers and compares them, and notes which output is which.
func (g *graphqlReader) compareTraces(cmp *comparer, preview bool, want, got any) {
	wantRun, gotRun := member(member(want, "data"), "run"), member(member(got, "data"), "run")
	wantTrace, gotTrace := member(wantRun, "trace"), member(gotRun, "trace")
	if wantTrace == nil || gotTrace == nil {
		return
	}
	delete(wantRun, "trace")
	delete(gotRun, "trace")
	wantTree, gotTree := spanTree(wantTrace), spanTree(gotTrace)
	if preview {
		wantTree.merge()
		if g.twice {
			gotTree.merge()
		}
	}
	compareSpans(cmp, "trace", wantTree, gotTree, g.outputs)
}

// member is an object in an object, nil when there is none.
func member(of any, name string) map[string]any {
	object, _ := of.(map[string]any)
	inner, _ := object[name].(map[string]any)
	return inner
}

// foldedMembers are the members whose texts are JSON themselves.
var foldedMembers = []string{"output", "data", "input", "cause", "payloads"}

// unfold opens JSON that is in texts, so that it is compared as JSON and moved to the server's time and IDs.
func unfold(name string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for inner := range value {
			value[inner] = unfold(inner, value[inner])
		}
	case []any:
		for i := range value {
			value[i] = unfold(name, value[i])
		}
	case string:
		if inner, err := decode(value); err == nil && slices.Contains(foldedMembers, name) {
			return map[string]any{"json": inner}
		}
	}
	return value
}

// arrange sorts the events of a batch, which are appended in any order.
func arrange(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			value[name] = arrange(inner)
			if list, ok := inner.([]any); ok && (slices.Contains([]string{"IDs", "triggerIDs", "payloads"}, name) || areEvents(list)) {
				slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(render(a), render(b)) })
			}
		}
	case []any:
		for i := range value {
			value[i] = arrange(value[i])
		}
	}
	return value
}

func areEvents(list []any) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(one any) bool {
		event, _ := one.(map[string]any)
		return event["name"] == nil || event["ts"] == nil
	})
}

// excuseGraphQL accepts times, and IDs that the server makes anew.
func excuseGraphQL(field string, _ map[string]any, want, got any) bool {
	wantText, _ := want.(string)
	gotText, _ := got.(string)
	name := field[strings.LastIndexAny(field, "._")+1:]
	switch name {
	case "queuedAt", "startedAt", "endedAt", "batchCreatedAt", "timestamp", "timeout", "sleepUntil", "updatedAt":
		return isTime(want) && isTime(got)
	case "traceID":
		return len(wantText) == len(gotText)
	case "ts":
		return isRecent(want) && isRecent(got)
	case "Date": // of an answer that a step was given
		_, wantErr := http.ParseTime(wantText)
		_, gotErr := http.ParseTime(gotText)
		return wantErr == nil && gotErr == nil
	case "id", "batchID", "triggeringEventID", "foundEventID", "returnEventID", "runID":
		return isULID(wantText) && isRecentULID(gotText)
	}
	return false
}
