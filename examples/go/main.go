// Command app is a small app: one durable function, served over HTTP.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/inngest/inngestgo"
	"github.com/inngest/inngestgo/step"
)

// signup is the data of the event user/signed.up.
type signup struct {
	Email string `json:"email"`
}

func main() {
	client, err := inngestgo.NewClient(inngestgo.ClientOpts{AppID: "example-go"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := inngestgo.CreateFunction(
		client,
		inngestgo.FunctionOpts{ID: "welcome", Name: "Welcome a new user"},
		inngestgo.EventTrigger("user/signed.up", nil),
		welcome,
	); err != nil {
		log.Fatal(err)
	}
	http.Handle("/api/inngest", client.Serve())
	log.Println("serving on http://localhost:8080/api/inngest")
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: time.Minute}
	log.Fatal(server.ListenAndServe())
}

// welcome greets, waits, and asks how it goes. Each step runs once, whatever happens to this process in between.
func welcome(ctx context.Context, input inngestgo.Input[signup]) (any, error) {
	email := input.Event.Data.Email
	greeting, err := step.Run(ctx, "greet", func(context.Context) (string, error) {
		log.Println("greeting", email)
		return "Welcome, " + email, nil
	})
	if err != nil {
		return nil, fmt.Errorf("greet: %w", err)
	}
	step.Sleep(ctx, "let them look around", 2*time.Second)
	return step.Run(ctx, "ask", func(context.Context) (string, error) {
		log.Println("asking", email)
		return greeting + ". How is it going?", nil
	})
}
