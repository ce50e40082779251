package ingot

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/config"
)

func TestRun_GraphQL(t *testing.T) {
	t.Parallel()
	selfHosted := config.Default(config.Start)
	selfHosted.SigningKey, selfHosted.EventKeys = "0123abcd", []config.Secret{"key"}
	for name, cfg := range map[string]config.Config{"dev": quiet(), "start": selfHosted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.SQLiteDir = t.TempDir()
			p, a := start(t, cfg), newApp(t, "10ms")
			if status, body := p.ask(http.MethodPost, "/fn/register", a.registration()); status != http.StatusOK {
				t.Fatalf("register: status %d, body %s", status, body)
			}
			event := p.send("key", `{"name":"app/event"}`)
			if status, _ := p.finished(event); status != "Completed" {
				t.Errorf("the run ended as %s", status)
			}
			status, body := p.query(`{eventV2(id:"` + event + `"){runs{status output function{slug app{name}} trace(preview:true){status childrenSpans{name status stepOp}} old:trace{name status}}}}`)
			want := `{"data":{"eventV2":{"runs":[{"status":"COMPLETED","output":"\"done\"","function":{"slug":"app-fn","app":{"name":"app"}},"trace":{"status":"COMPLETED","childrenSpans":[{"name":"a","status":"COMPLETED","stepOp":"RUN"},{"name":"10ms","status":"COMPLETED","stepOp":"SLEEP"},{"name":"b","status":"COMPLETED","stepOp":"RUN"},{"name":"Finalization","status":"COMPLETED","stepOp":null}]},"old":{"name":"app-fn","status":"COMPLETED"}}]}}}`
			if status != http.StatusOK || body != want {
				t.Errorf("status %d\ngot  %s\nwant %s", status, body, want)
			}
			if p.key == "" {
				return
			}
			p.key = "another"
			if status, body := p.query(`{apps{id}}`); status != http.StatusUnauthorized {
				t.Errorf("with another key: %d %s", status, body)
			}
		})
	}
}

func TestRun_GraphQLIsOffWithoutTheUI(t *testing.T) {
	t.Parallel()
	cfg := config.Default(config.Start)
	cfg.SigningKey, cfg.EventKeys = "0123abcd", []config.Secret{"key"}
	cfg.NoUI, cfg.SQLiteDir = true, t.TempDir()
	p := start(t, cfg)
	if status, _ := p.query(`{apps{id}}`); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
}

// query asks by GET.
func (p *process) query(text string) (status int, body string) {
	p.t.Helper()
	return p.ask(http.MethodGet, "/v0/gql?query="+strings.NewReplacer(" ", "+", `"`, "%22", "{", "%7B", "}", "%7D").Replace(text), "")
}
