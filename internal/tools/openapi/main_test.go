package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const generated = `{"openapi":"3.1.0","info":{},"paths":{"/x":{"get":{"operationId":"a.b.GetX","responses":{"200":{"description":"Success"}}}}},
"components":{"schemas":{"a.RunState":{"title":"RunState","enum":["RUN_STATE_DONE","RUN_STATE_RUN_STATE_ODD"]},"a.X":{"title":"X","type":"object"}}}}`

func TestRun_CompletesAFileOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, []byte(generated), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Servers    []struct{ URL string }
		Components struct {
			Schemas map[string]struct{ Enum []string }
		}
		Paths map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(out, &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Servers) != 2 || document.Servers[0].URL != "/api/v2" {
		t.Errorf("servers %v", document.Servers)
	}
	if enum := document.Components.Schemas["a.RunState"].Enum; !slices.Equal(enum, []string{"DONE", "RUN_STATE_ODD"}) {
		t.Errorf("enum %v", enum)
	}
	if _, ok := document.Components.Schemas["api.v2.ErrorResponse"]; !ok {
		t.Error("errors have no schema")
	}
	get := document.Paths["/x"]["get"]
	if get.OperationID != "GetX" || len(get.Responses) != 2 || get.Responses["default"] == nil {
		t.Errorf("operation %+v", get)
	}
}

func TestRun_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := run(file); err == nil {
		t.Error("a file that is not there is fine")
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
}
