package trace

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/ingothq/ingot/internal/domain/metadata"
)

// usageKind is the kind of the metadata that is counted, never stored.
const usageKind = "inngest.usage"

// attach hangs metadata to the spans that it is of.
func (f *forest) attach() {
	for _, g := range f.attached {
		if g.name != NameMetadata {
			continue
		}
		of := f.byID[g.parent]
		if of == nil || of.name == NameMetadata || of.name == NameDefer {
			of = f.root
		}
		if value, ok := g.value(); ok {
			of.metadata = append(of.metadata, value)
		}
	}
}

// value folds the updates of one kind.
func (g *group) value() (Metadata, bool) {
	var updates []metadata.Stored
	kind, scope := "", ""
	for i, row := range g.rows {
		a := decodeAttributes(row.Attributes)
		if i == 0 {
			kind, scope = a.text(keyMetadataKind), a.text(keyMetadataScope)
		}
		if a.text(keyMetadataKind) != kind || a.text(keyMetadataScope) != scope || kind == "" || kind == usageKind {
			continue
		}
		var values metadata.Values
		if json.Unmarshal(a.object(keyMetadataValues), &values) != nil {
			continue
		}
		stored := metadata.Stored{At: millisecond(row.Start)}
		stored.Kind, stored.Op, stored.Values = kind, metadata.Op(a.text(keyMetadataOp)), values
		updates = append(updates, stored)
	}
	folded := metadata.Fold(updates)
	if len(folded) == 0 {
		return Metadata{}, false
	}
	return Metadata{Scope: scopeName(scope), Kind: kind, Values: folded[0].Values, UpdatedAt: folded[0].UpdatedAt}, true
}

// told is the metadata that the row of an attempt itself has.
func (g *group) told() []Metadata {
	var kinds map[string]metadata.Values
	if json.Unmarshal(g.attrs.object(KeyMetadata), &kinds) != nil {
		return nil
	}
	var list []Metadata
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		list = append(list, Metadata{Scope: "step_attempt", Kind: kind, Values: kinds[kind], UpdatedAt: g.attrs.at(KeyEndedAt)})
	}
	return list
}

// scopeName is a scope that clients know.
func scopeName(scope string) string {
	if slices.Contains([]string{"run", "step", "step_attempt", "extended_trace", "request"}, scope) {
		return scope
	}
	return "unknown"
}

// scopeOf is the scope of what clients attached.
func scopeOf(target metadata.Target) string {
	switch {
	case target.StepID == "":
		return "run"
	case target.SpanID != "":
		return "extended_trace"
	case target.Attempt >= 0:
		return "step_attempt"
	}
	return "step"
}

// put attaches what clients attached to a node that it is of, or else to the run.
func (n *Node) put(values []metadata.Value) {
	for _, value := range values {
		of := n.target(value.Target)
		if of == nil {
			of = n
		}
		of.Metadata = append(of.Metadata, Metadata{
			Scope: scopeOf(value.Target), Kind: value.Kind, Values: value.Values, UpdatedAt: millisecond(value.UpdatedAt),
		})
	}
}

// target is the node that something is attached to; nil when it is not there.
func (n *Node) target(target metadata.Target) *Node {
	if target.StepID == "" {
		return n
	}
	for _, step := range n.Children {
		if step.StepID != target.StepID {
			continue
		}
		if target.SpanID != "" {
			if span := step.find(target.SpanID); span != nil {
				return span
			}
		}
		for _, attempt := range step.Children {
			if target.Attempt >= 0 && attempt.StepID == target.StepID && attempt.Attempts == target.Attempt {
				return attempt
			}
		}
		return step
	}
	return nil
}

func (n *Node) find(id string) *Node {
	if n.ID == id {
		return n
	}
	for _, child := range n.Children {
		if found := child.find(id); found != nil {
			return found
		}
	}
	return nil
}

// settle sorts the metadata of all nodes and counts its size.
func (n *Node) settle() (bytes int) {
	slices.SortStableFunc(n.Metadata, func(a, b Metadata) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Kind, b.Kind))
	})
	for _, attached := range n.Metadata {
		for name, value := range attached.Values {
			bytes += len(name) + len(value)
		}
	}
	for _, child := range n.Children {
		bytes += child.settle()
	}
	return bytes
}
