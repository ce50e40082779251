package replay

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const wireDir = "testdata/wire"

// message is one line of a recording.
type message struct {
	Seq           int        `json:"seq"`
	T             int64      `json:"t"` // ms since the scenario began
	Exchange      int        `json:"exchange"`
	Type          string     `json:"type"`
	Dir           string     `json:"dir"`
	Method        string     `json:"method"`
	Path          string     `json:"path"`
	Status        int        `json:"status"`
	Headers       headerList `json:"headers"`
	Body          string     `json:"body"`
	BodyBase64    string     `json:"bodyBase64"` // in the place of body when that is no text
	BodyTruncated *struct {
		Bytes int `json:"bytes"`
	} `json:"bodyTruncated"`
}

// headerList is raw headers in wire order and case.
type headerList [][2]string

// get is the first value of a header, by name in any case.
func (h headerList) get(name string) string {
	for _, pair := range h {
		if strings.EqualFold(pair[0], name) {
			return pair[1]
		}
	}
	return ""
}

// exchange is a request with its response, and the exchanges that the app made between the two.
type exchange struct {
	number   int
	request  message
	response message
	nested   []*exchange
}

// recording is one scenario of one SDK.
type recording struct {
	name      string // for example "04-three-steps.go"
	exchanges []*exchange
	reads     []readAnswer
	asked     []graphqlAnswer // over GraphQL
}

// readAnswer is one entry of an .api.json file.
type readAnswer struct {
	Method  string     `json:"method"`
	Path    string     `json:"path"`
	Status  int        `json:"status"`
	Headers headerList `json:"headers"`
	Body    string     `json:"body"`
}

// lane names the SDK.
func (r *recording) lane() string { return r.name[strings.LastIndexByte(r.name, '.')+1:] }

// scenario is the recording's two-digit number.
func (r *recording) scenario() string { return r.name[:2] }

// readGzip is the content of a file of the recordings.
func readGzip(name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(wireDir, name+".gz"))
	if err != nil {
		return nil, fmt.Errorf("open recording %s: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("unzip recording %s: %w", name, err)
	}
	content, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", name, err)
	}
	return content, nil
}

// lines decodes a file of JSON lines.
func lines[T any](name string) ([]T, error) {
	content, err := readGzip(name)
	if err != nil {
		return nil, err
	}
	var all []T
	scanner := bufio.NewScanner(strings.NewReader(string(content)))
	scanner.Buffer(nil, len(content)+1)
	for scanner.Scan() {
		var one T
		if err := json.Unmarshal(scanner.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("decode line %d of %s: %w", len(all)+1, name, err)
		}
		all = append(all, one)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("split %s: %w", name, err)
	}
	return all, nil
}

// load reads a recording. What the app asked while it worked on a call becomes nested in that call.
func load(t *testing.T, name string) *recording {
	t.Helper()
	messages, err := lines[message](name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	rec := &recording{name: name}
	byNumber := map[int]*exchange{}
	var open []*exchange // calls to the app without an answer so far
	for _, msg := range messages {
		if msg.Type != "request" {
			done := byNumber[msg.Exchange]
			done.response = msg
			open = remove(open, done)
			continue
		}
		made := &exchange{number: msg.Exchange, request: msg}
		byNumber[msg.Exchange] = made
		if caller := callerOf(msg, open); caller != nil {
			caller.nested = append(caller.nested, made)
		} else {
			rec.exchanges = append(rec.exchanges, made)
		}
		if strings.HasSuffix(msg.Dir, "->app") {
			open = append(open, made)
		}
	}
	if content, err := readGzip(name + ".api.json"); err == nil {
		if err := json.Unmarshal(content, &rec.reads); err != nil {
			t.Fatalf("decode reads of %s: %v", name, err)
		}
	}
	if content, err := readGzip(name + ".graphql.json"); err == nil {
		if err := json.Unmarshal(content, &rec.asked); err != nil {
			t.Fatalf("decode GraphQL answers of %s: %v", name, err)
		}
	}
	return rec
}

// callerOf is the call that the app was working on when it sent a request: a checkpoint names the job of its call, anything
// else belongs to the only call that was under way.
func callerOf(msg message, open []*exchange) *exchange {
	if msg.Dir != "app->server" {
		return nil
	}
	if job := checkpointJob(msg); job != "" {
		for _, one := range open {
			if ctx, _ := contextOf(one.request.Body); ctx.QueueItem == job {
				return one
			}
		}
		return nil
	}
	if len(open) == 1 {
		return open[0]
	}
	return nil
}

func remove(list []*exchange, gone *exchange) []*exchange {
	var kept []*exchange
	for _, one := range list {
		if one != gone {
			kept = append(kept, one)
		}
	}
	return kept
}

// at is when a message was complete, by the clock of the recording. The first message is about the scenario's beginning.
func (r *recording) at(begin time.Time, msg message) time.Time {
	return begin.Add(time.Duration(msg.T-r.exchanges[0].request.T) * time.Millisecond)
}

// toApp are the calls that the server made.
func (r *recording) toApp() []*exchange {
	var calls []*exchange
	for _, one := range r.exchanges {
		if one.request.Dir == "server->app" {
			calls = append(calls, one)
		}
	}
	return calls
}

// all walks every exchange, nested ones too.
func (r *recording) all(visit func(*exchange)) {
	for _, one := range r.exchanges {
		visit(one)
		for _, inner := range one.nested {
			visit(inner)
		}
	}
}

// query is a parameter of a request path.
func query(path, name string) string {
	parsed, err := url.Parse(path)
	if err != nil {
		return ""
	}
	return parsed.Query().Get(name)
}

// answerOp is an op of an app's answer.
type answerOp struct {
	ID   string          `json:"id"`
	Op   string          `json:"op"`
	Data json.RawMessage `json:"data"`
}

// answerOps are the ids of the ops of an app's answer, nil for an answer without ops.
func answerOps(body string) []string {
	var ids []string
	for _, op := range opsOf(body) {
		ids = append(ids, op.ID)
	}
	return ids
}

// opsOf are the ops of an app's answer, which may be wrapped for streaming.
func opsOf(body string) []answerOp {
	body = strings.TrimSpace(body)
	var wrapper struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	}
	if strings.HasPrefix(body, "{") && json.Unmarshal([]byte(body), &wrapper) == nil && wrapper.Status == 206 {
		body = string(wrapper.Body)
		var text string
		if json.Unmarshal(wrapper.Body, &text) == nil {
			body = text
		}
	}
	var ops []answerOp
	if json.Unmarshal([]byte(body), &ops) != nil {
		return nil
	}
	return slices.DeleteFunc(ops, func(op answerOp) bool { return op.Op == "" })
}
