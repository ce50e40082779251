// Command api talks to a server through its typed client: it lists the apps, starts a function twice with one idempotency key,
// waits for the run, and prints its output and its trace.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/ingothq/ingot/client"
	apiv2 "github.com/ingothq/ingot/proto/api/v2"
)

func main() {
	url := flag.String("url", "http://localhost:8288", "URL of the server")
	key := flag.String("signing-key", "", "signing key of the server, none for a development server")
	app := flag.String("app", "example-go", "name of the app")
	function := flag.String("function", "welcome", "ID of the function")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.New(*url, *key)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, c, *app, *function); err != nil {
		for _, each := range client.Errors(err) {
			log.Printf("%s: %s", each.GetCode(), each.GetMessage())
		}
		log.Fatal(err)
	}
}

func run(ctx context.Context, c *client.Client, app, function string) error {
	apps, err := c.GetApps(ctx, connect.NewRequest(&apiv2.GetAppsRequest{}))
	if err != nil {
		return err
	}
	for _, each := range apps.Msg.GetData() {
		fmt.Printf("app %s has %d functions\n", each.GetId(), each.GetFunctionCount())
	}

	data, err := structpb.NewStruct(map[string]any{"email": "ada@example.com"})
	if err != nil {
		return err
	}
	// With the same key the function is started once, however often this is repeated.
	idempotency := fmt.Sprintf("welcome-%d", time.Now().UnixNano())
	request := &apiv2.InvokeFunctionRequest{AppId: app, FunctionId: function, Data: data, IdempotencyKey: &idempotency}
	var id string
	for range 2 {
		started, err := c.InvokeFunction(ctx, connect.NewRequest(request))
		if err != nil {
			return err
		}
		id = started.Msg.GetData().GetRunId()
		fmt.Printf("run %s, started before: %t\n", id, client.IsReplayed(started))
	}

	done, err := wait(ctx, c, id)
	if err != nil {
		return err
	}
	output, err := json.Marshal(done.GetOutput())
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", done.GetStatus(), output)

	trace, err := c.GetRunTrace(ctx, connect.NewRequest(&apiv2.GetRunTraceRequest{RunId: id}))
	if err != nil {
		return err
	}
	for _, span := range trace.Msg.GetData().GetRootSpan().GetChildren() {
		fmt.Printf("  %s %s, %d ms\n", span.GetName(), span.GetStatus(), span.GetDurationMs())
	}
	return nil
}

// wait asks for a run until it has ended.
func wait(ctx context.Context, c *client.Client, id string) (*apiv2.FunctionRun, error) {
	outputs := true
	for {
		found, err := c.GetFunctionRun(ctx, connect.NewRequest(&apiv2.GetFunctionRunRequest{RunId: id, IncludeOutput: &outputs}))
		if err != nil {
			return nil, err
		}
		if found.Msg.GetData().GetEndedAt() != nil {
			return found.Msg.GetData(), nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("the run has not ended in time")
		case <-time.After(200 * time.Millisecond):
		}
	}
}
