package function_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ingothq/ingot/internal/domain/function"
)

// FuzzDecode registers any body. A refusal is an error of its own kind; what is accepted can be stored, read back and
// stored again without a change, and registering it again changes nothing.
func FuzzDecode(f *testing.F) {
	for _, recorded := range load[registration](f, "registrations.json") {
		f.Add([]byte(recorded.Body))
	}
	for _, c := range load[registerCase](f, "register_cases.json") {
		f.Add([]byte(c.Body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := function.Decode(body)
		if err != nil {
			var refused *function.RequestError
			if !errors.As(err, &refused) || refused.Reason == "" {
				t.Fatalf("error %v is no RequestError with a reason", err)
			}
			return
		}
		c := newCatalog()
		plan, outcome := c.sync(request, acceptAll)
		if outcome.Refused != nil {
			return
		}
		for _, put := range plan.Put {
			assertStored(t, put)
		}
		if !json.Valid(plan.App.Metadata) {
			t.Fatalf("metadata %s is no JSON", plan.App.Metadata)
		}
		if _, outcome := c.sync(request, acceptAll); outcome.Modified {
			t.Fatal("the same registration counts as a change")
		}
	})
}

// assertStored checks that a function to store and its configuration say the same.
func assertStored(t *testing.T, put function.Function) {
	t.Helper()
	if put.Name == "" || put.Version != 1 {
		t.Fatalf("stored without a name or first version: %+v", put)
	}
	parsed, err := function.ParseConfig(put.Config)
	if err != nil {
		t.Fatalf("config %s: %v", put.Config, err)
	}
	parsed.AppID = put.AppID
	if diff := cmp.Diff(put, parsed, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-put +parsed\n%s", diff)
	}
	if again := function.Encode(parsed); !bytes.Equal(put.Config, again) {
		t.Fatalf("stored  %s\nagain   %s", put.Config, again)
	}
}

// FuzzParseConfig reads any stored row. What is read can be written, and then stays as it is.
func FuzzParseConfig(f *testing.F) {
	for _, row := range load[string](f, "stored_configs.json") {
		f.Add([]byte(row))
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		read, err := function.ParseConfig(row)
		if err != nil {
			return
		}
		written := function.Encode(read)
		again, err := function.ParseConfig(written)
		if err != nil {
			t.Fatalf("%s was written as %s: %v", row, written, err)
		}
		if twice := function.Encode(again); !bytes.Equal(written, twice) {
			t.Fatalf("once  %s\ntwice %s", written, twice)
		}
	})
}
