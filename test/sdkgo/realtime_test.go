package sdkgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	ierrors "github.com/inngest/inngestgo/errors"
	"github.com/inngest/inngestgo/realtime"
	"github.com/inngest/inngestgo/step"

	"github.com/ingothq/ingot/test/harness"
)

var realtimeScenarios = map[string]func(*testing.T, *app){
	"realtime: a subscriber gets what a run publishes":   testRealtime,
	"realtime: a subscriber follows a run and its steps": testFollow,
}

func (a *app) createRealtime(t *testing.T) {
	t.Helper()
	var none int
	create := func(id string, fn handler) {
		a.create(t, inngestgo.FunctionOpts{ID: id, Name: id, Retries: &none}, "go/"+id, nil, fn)
	}
	create("publish", func(ctx context.Context, in input) (any, error) {
		for i, to := range [][2]string{{"user:go", "status"}, {"user:other", "status"}, {"user:go", "unasked"}, {"user:go", "status"}} {
			_, err := step.Run(ctx, fmt.Sprintf("publish %d", i), func(ctx context.Context) (any, error) {
				a.note(in, "publish")
				return nil, realtime.PublishWithURL(ctx, a.server.URL+"/v1/realtime/publish", to[0], to[1], []byte(fmt.Sprintf(`{"n":%d}`, i)))
			})
			if err != nil {
				return nil, err
			}
		}
		return "published", nil
	})
	create("followed", func(ctx context.Context, in input) (any, error) {
		stepOf(ctx, a, in, "one", object{"n": 1})
		step.Sleep(ctx, "nap", time.Second)
		_, err := step.Run(ctx, "fails", func(context.Context) (any, error) {
			return nil, ierrors.NoRetryError(errors.New("not this one"))
		})
		return object{"failed": err != nil}, nil
	})
}

// subscribe subscribes to topics of a channel; what comes is received from the channel.
func (a *app) subscribe(t *testing.T, channel string, names ...string) chan realtime.StreamItem {
	t.Helper()
	var topics []object
	for _, name := range names {
		topics = append(topics, object{"channel": channel, "name": name, "kind": "run"})
	}
	asked, err := json.Marshal(topics)
	if err != nil {
		t.Fatal(err)
	}
	status, text, err := a.server.Call(t.Context(), http.MethodPost, "/v1/realtime/token", string(asked))
	var token struct {
		JWT string `json:"jwt"`
	}
	if err != nil || status != http.StatusCreated || json.Unmarshal([]byte(text), &token) != nil {
		t.Fatalf("ask for a token: status %d, %v: %s", status, err, text)
	}
	items, err := realtime.SubscribeWithURL(t.Context(), strings.Replace(a.server.URL, "http", "ws", 1)+"/v1/realtime/connect", token.JWT)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return items
}

// nextMessage fails the test unless what comes next is a message of the channel and topic.
func nextMessage(t *testing.T, items chan realtime.StreamItem, channel, topic string) realtime.Message {
	t.Helper()
	item := <-items
	if !item.IsMessage() {
		t.Fatalf("got a %s (%v), want a message", item.Kind(), item.Err())
	}
	message := item.Message()
	if message.Channel != channel || message.Topic != topic {
		t.Errorf("message of channel %q and topic %q, want %s and %s", message.Channel, message.Topic, channel, topic)
	}
	return message
}

func testRealtime(t *testing.T, a *app) {
	items := a.subscribe(t, "user:go", "status")
	run := a.finish(t, "go/publish", "publish", harness.Completed)
	sameJSON(t, "output", run.Output, `"published"`)
	for _, want := range []string{`{"n":0}`, `{"n":3}`} {
		sameJSON(t, "data of the message", nextMessage(t, items, "user:go", "status").Data, want)
	}
}

func testFollow(t *testing.T, a *app) {
	const key = "followed"
	// Time to subscribe before the run starts.
	eventID := a.sendAt(t, "go/followed", object{"key": key}, time.Now().Add(8*time.Second))
	var runID string
	harness.Eventually(t, waitLimit, "the run that will start", func() (bool, string) {
		runs, err := a.server.EventRuns(t.Context(), eventID)
		if len(runs) > 0 {
			runID = runs[0].ID
		}
		return len(runs) > 0, fmt.Sprint(err)
	})
	items := a.subscribe(t, runID, "$run", "$step")
	sameJSON(t, "output", a.settle(t, eventID, key, harness.Completed).Output, `{"failed":true}`)
	for _, want := range []struct{ topic, name, status, output string }{
		{"$run", "", "Running", ""},
		{"$step", "one", "Completed", `{"n":1}`},
		{"$step", "nap", "Completed", `null`},
		{"$step", "fails", "Failed", ""},
		{"$run", "", "Completed", `{"failed":true}`},
	} {
		message := nextMessage(t, items, runID, want.topic)
		var data struct {
			Name, Status string
			Output       json.RawMessage
		}
		if err := json.Unmarshal(message.Data, &data); err != nil {
			t.Fatalf("data %s: %v", message.Data, err)
		}
		if "$"+string(message.Kind) != want.topic || data.Name != want.name || data.Status != want.status {
			t.Errorf("%s message %s, want %+v", message.Kind, message.Data, want)
		}
		switch {
		case want.status == "Failed":
			if !strings.Contains(string(data.Output), "not this one") {
				t.Errorf("output of the step that fails: %s", data.Output)
			}
		case string(data.Output) != want.output:
			t.Errorf("output %s, want %s", data.Output, want.output)
		}
	}
}
