package trace

import (
	"cmp"
	"slices"

	"github.com/oklog/ulid/v2"
)

// Deferred is a run that was to be started when another ends.
type Deferred struct {
	// ID is the hash that the SDK gave it, UserID the name that the app gave it.
	ID, UserID string
	// Slug is the function's.
	Slug string
	// Status is after_run, aborted or rejected.
	Status string
	// Run is the run, once there is one.
	Run ulid.ULID
}

// Parents are the runs that started a run when they ended.
type Parents struct {
	Runs []ulid.ULID
	// Slug is that of their function.
	Slug string
}

// Links are the runs that rows tell of besides their own: those to be started when it ends, by their IDs, and those that started it.
// Spec 05 §7.1.
func Links(rows []Span) ([]Deferred, Parents) {
	var deferred []Deferred
	var parents Parents
	for _, rows := range bySpan(rows) {
		g := gather(rows)
		switch {
		case g.name == NameDefer:
			d := Deferred{
				ID: g.attrs.text(KeyDeferID), UserID: g.attrs.text(KeyDeferUserlandID), Slug: g.attrs.text(KeyDeferFunction),
				Status: g.attrs.text(KeyDeferStatus), Run: g.attrs.id(keyDeferChild),
			}
			if slices.Contains([]string{"after_run", "aborted", "rejected"}, d.Status) {
				deferred = append(deferred, d)
			}
		case g.name == NameRun && g.isRoot():
			parents.Slug = g.attrs.text(KeyDeferParentSlug)
			for _, text := range g.attrs.list(KeyDeferParents) {
				if id, err := ulid.ParseStrict(text); err == nil {
					parents.Runs = append(parents.Runs, id)
				}
			}
		}
	}
	slices.SortFunc(deferred, func(a, b Deferred) int { return cmp.Compare(a.ID, b.ID) })
	return deferred, parents
}
