package trace

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
)

func TestReadLinks(t *testing.T) {
	t.Parallel()
	const parent, child = "01HZX3Z9QG7V5K8M2N4P6R8T0W", "01HZX3Z9QG7V5K8M2N4P6R8T0X"
	row := func(name, dynamic, parent, attributes string) Span {
		return Span{Name: name, Dynamic: dynamic, Parent: parent, Attributes: json.RawMessage(attributes)}
	}
	for name, c := range map[string]struct {
		rows []Span
		want Links
	}{
		"none":                    {[]Span{row(NameRun, "r", NoParent, `{}`), row(NameStep, "s", "r", `{"_inngest.step.id":"x"}`)}, Links{}},
		"rows without attributes": {[]Span{row(NameRun, "r", NoParent, ``), row(NameDefer, "d", "r", `7`)}, Links{}},
		"parents": {
			[]Span{
				row(NameRun, "r", NoParent, `{"_inngest.defer.parent_run_ids":["`+parent+`","?","`+parent+`"],"_inngest.defer.parent_fn_slug":"app-fn"}`),
				row(NameExtend, "r", NoParent, `{}`),
			},
			Links{Parents: []ulid.ULID{ulid.MustParse(parent)}, ParentSlug: "app-fn"},
		},
		"defers by their IDs, what is known last of each": {
			[]Span{
				row(NameDefer, "1", "r", `{"_inngest.defer.hashed_id":"b","_inngest.defer.userland_id":"B","_inngest.defer.fn_slug":"f","_inngest.defer.status":"after_run"}`),
				row(NameDefer, "2", "r", `{"_inngest.defer.hashed_id":"a","_inngest.defer.status":"after_run"}`),
				row(NameExtend, "1", "r", `{"_inngest.defer.child_run_id":"`+child+`"}`),
				row(NameExtend, "2", "r", `{"_inngest.defer.status":"aborted"}`),
				row(NameDefer, "3", "r", `{"_inngest.defer.hashed_id":"c","_inngest.defer.status":"unknown"}`),
				row(NameDefer, "4", "r", `{"_inngest.defer.hashed_id":"d","_inngest.defer.status":"rejected"}`),
			},
			Links{Defers: []Defer{
				{ID: "a", Status: DeferAborted},
				{ID: "b", UserlandID: "B", Function: "f", Status: DeferScheduled, Run: ulid.MustParse(child)},
				{ID: "d", Status: DeferRejected},
			}},
		},
	} {
		if diff := cmp.Diff(c.want, ReadLinks(c.rows)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
