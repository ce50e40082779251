package apiv2

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/ingothq/ingot/client"
)

// openAPI describes the REST API. It is generated from the proto files.
//
//go:embed openapi.json
var openAPI []byte

// documents are the paths that describe the API.
var documents = map[string]http.HandlerFunc{
	"/openapi.json": getOnly(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, openAPI) }),
	"/operations": getOnly(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "public, max-age=300, stale-while-revalidate=3600")
		writeJSON(w, http.StatusOK, catalogue())
	}),
}

// operation is an entry of the catalogue. Spec 17 §10.3.
type operation struct {
	ID          string  `json:"id"`
	Summary     string  `json:"summary,omitempty"`
	Description string  `json:"description,omitempty"`
	HTTP        route   `json:"http"`
	CLI         command `json:"cli"`
}

type route struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

type command struct {
	Command string `json:"command"`
}

// catalogue lists what the API offers.
var catalogue = sync.OnceValue(func() []byte {
	described := descriptions()
	var answer struct {
		Data struct {
			Operations []operation `json:"operations"`
		} `json:"data"`
	}
	for _, op := range client.Operations() {
		text := described[op.Path][strings.ToLower(op.Method)]
		answer.Data.Operations = append(answer.Data.Operations, operation{
			op.ID, text.Summary, text.Description, route{op.Method, op.Path}, command{op.Command},
		})
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return []byte(`{"data":{}}`) // texts always encode
	}
	return body
})

// words are what the description says of an operation.
type words struct {
	Summary     string `json:"summary"`
	Description string `json:"description"`
}

// descriptions are the words of all operations, by path and method.
func descriptions() map[string]map[string]words {
	var document struct {
		Paths map[string]map[string]words `json:"paths"`
	}
	if json.Unmarshal(openAPI, &document) != nil {
		return nil // it is generated, and a test reads it
	}
	return document.Paths
}
