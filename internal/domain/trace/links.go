package trace

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"
)

// Links are what joins a run to others: those that start when it ends, and those whose end started it.
type Links struct {
	// Defers are in the order of their IDs.
	Defers []Defer
	// Parents are the runs that deferred this one, all of the function ParentSlug.
	Parents    []ulid.ULID
	ParentSlug string
}

// Defer is a run that another starts when it ends.
type Defer struct {
	// ID is the hash that the SDK gave it, UserlandID what the app calls it.
	ID, UserlandID string
	// Function is the slug of the function.
	Function string
	Status   DeferStatus
	// Run is zero until there is one.
	Run ulid.ULID
}

// DeferStatus is what becomes of a defer.
type DeferStatus string

// Statuses of defers, as they are stored. Spec 05 §7.1.
const (
	DeferScheduled DeferStatus = "after_run"
	DeferAborted   DeferStatus = "aborted"
	DeferRejected  DeferStatus = "rejected"
)

// linkAttributes are those of a run's row and of a defer's.
type linkAttributes struct {
	ID         string      `json:"_inngest.defer.hashed_id"`
	UserlandID string      `json:"_inngest.defer.userland_id"`
	Function   string      `json:"_inngest.defer.fn_slug"`
	Status     DeferStatus `json:"_inngest.defer.status"`
	Child      string      `json:"_inngest.defer.child_run_id"`
	Parents    []string    `json:"_inngest.defer.parent_run_ids"`
	ParentSlug string      `json:"_inngest.defer.parent_fn_slug"`
}

// ReadLinks reads the links of a run from its rows, in the order of History.Spans. Rows that cannot be read, and defers of which it is
// not known what becomes of them, are left out.
func ReadLinks(rows []Span) Links {
	var links Links
	defers := map[string]*linkAttributes{}
	for _, row := range rows {
		deferred := row.Name == NameDefer
		known := defers[row.Dynamic]
		switch {
		case deferred && known == nil:
			known = &linkAttributes{}
			defers[row.Dynamic] = known
		case known == nil && row.Parent == NoParent:
			known = &linkAttributes{}
		case known == nil:
			continue
		}
		// What a later row does not say stays as it was.
		if len(row.Attributes) == 0 || json.Unmarshal(row.Attributes, known) != nil || row.Parent != NoParent {
			continue
		}
		for _, text := range known.Parents {
			if id, err := ulid.ParseStrict(text); err == nil && !slices.Contains(links.Parents, id) {
				links.Parents = append(links.Parents, id)
			}
		}
		links.ParentSlug = cmp.Or(known.ParentSlug, links.ParentSlug)
	}
	for _, dynamic := range slices.Sorted(maps.Keys(defers)) {
		a := defers[dynamic]
		switch a.Status {
		case DeferScheduled, DeferAborted, DeferRejected:
			child, _ := ulid.ParseStrict(a.Child) // none, until there is a run
			links.Defers = append(links.Defers, Defer{ID: a.ID, UserlandID: a.UserlandID, Function: a.Function, Status: a.Status, Run: child})
		}
	}
	slices.SortFunc(links.Defers, func(a, b Defer) int { return cmp.Compare(a.ID, b.ID) })
	return links
}
