package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
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
	// events are the names of the events of runs, by the recorded ID of the run, as their triggers tell them.
	events map[string]string
	// excuse accepts more than is always accepted; nil accepts nothing.
	excuse func(field string, parent map[string]any, want, got any) bool
}

// compare asks one query. Outputs can only be asked for after the traces that they are in.
func (g *graphqlReader) compare(ctx context.Context, i int, asked graphqlAnswer) []mismatch {
	cmp := &comparer{where: fmt.Sprintf("graphql %d %s", i, asked.Name), excuse: func(field string, parent map[string]any, want, got any) bool {
		return excuseGraphQL(field, parent, want, got) || g.excuse != nil && g.excuse(field, parent, want, got)
	}}
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
		compareResults(cmp, member(member(want, "data"), "run"), member(member(have, "data"), "run"))
	}
	cmp.values("body", nil, want, have)
	g.checkEvents(asked, have, cmp.found)
	return cmp.found
}

// checkEvents notes which event started a run, and tells a run that tells of another one.
func (g *graphqlReader) checkEvents(asked graphqlAnswer, have any, found []mismatch) {
	if asked.Name == "run trigger" {
		g.events[asked.Variables["r"]] = render(member(member(have, "data"), "runTrigger")["eventName"])
		return
	}
	for i := range found {
		if found[i].field == "body.data.run.eventName" && found[i].got != g.events[asked.Variables["runID"]] {
			found[i].field += " of another event"
		}
	}
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

// compareResults compares what is told of a run's result where the reference tells the op that completed it, and we its data. Then
// it takes them out of the answers.
func compareResults(cmp *comparer, want, got map[string]any) {
	if want == nil || got == nil || render(want["output"]) == render(got["output"]) {
		return
	}
	if result, completed := resultOf(want["output"]); completed && render(result) == render(resultIn(got["output"])) {
		cmp.add("body.data.run.output", rawText("RunComplete"), rawText("its data"))
		delete(want, "output")
		delete(got, "output")
	}
}

// resultOf is the data of the op RunComplete in an output, and for a durable endpoint the body in it. It is not ok for another output.
func resultOf(output any) (result any, ok bool) {
	output = resultIn(output)
	if ops, isList := output.([]any); isList && len(ops) > 0 {
		output = ops[len(ops)-1]
	}
	op, _ := output.(map[string]any)
	if op["op"] != "RunComplete" {
		return nil, false
	}
	answer := member(op, "data")
	if _, isAnswer := answer["status"]; !isAnswer || answer["version"] == nil {
		return resultIn(op["data"]), true
	}
	result = answer["body"]
	for range 2 { // an SDK may have written the body as text, too
		if text, isText := result.(string); isText {
			if inner, err := decode(text); err == nil {
				result = inner
			}
		}
	}
	return result, true
}

// resultIn takes the value out of an opened text.
func resultIn(output any) any {
	opened, _ := output.(map[string]any)
	if value, ok := opened["json"]; ok && len(opened) == 1 {
		return value
	}
	return output
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

// isAbout is true for milliseconds of about that time.
func isAbout(value any, at time.Time) bool {
	number, _ := value.(json.Number)
	millis, err := number.Int64()
	return err == nil && time.UnixMilli(millis).Sub(at).Abs() < time.Hour
}

// excuseGraphQL accepts times, and IDs that the server makes anew.
func excuseGraphQL(field string, _ map[string]any, want, got any) bool {
	wantText, _ := want.(string)
	gotText, _ := got.(string)
	name := field[strings.LastIndexAny(field, "._")+1:]
	switch name {
	case "queuedAt", "startedAt", "endedAt", "batchCreatedAt", "timestamp", "timeout", "sleepUntil", "updatedAt":
		return isTime(want) && isTime(got)
	case "gid":
		return uuid.Validate(wantText) == nil && uuid.Validate(gotText) == nil
	case "expire":
		const year = 365 * 24 * time.Hour
		return isAbout(want, httpRecordedAt) && isRecent(got) || isAbout(want, httpRecordedAt.Add(year)) && isAbout(got, time.Now().Add(year))
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
