package replay

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// spanNode is a span of a trace over GraphQL. Of IDs and times it only tells whether they are there.
type spanNode struct {
	fields   map[string]any
	outputs  []string // IDs
	children []*spanNode
}

// presentMembers are the members that differ from run to run.
var presentMembers = []string{
	"spanID", "traceID", "groupID", "parentSpanID", "outputID", "queuedAt", "scheduledAt", "startedAt", "endedAt", "duration",
}

// spanTree reads a trace.
func spanTree(span map[string]any) *spanNode {
	node := &spanNode{fields: map[string]any{}}
	if id, ok := span["outputID"].(string); ok {
		node.outputs = []string{id}
	}
	for name, value := range span {
		switch {
		case name == "childrenSpans":
			children, _ := value.([]any)
			for _, child := range children {
				object, _ := child.(map[string]any)
				node.children = append(node.children, spanTree(object))
			}
		case slices.Contains(presentMembers, name):
			node.fields[name] = value != nil
		case name == "metadata":
			node.fields[name] = byKind(value)
		case name == "response":
			node.fields[name] = withoutTransport(value)
		default:
			node.fields[name] = value
		}
	}
	return node
}

// byKind makes an object of metadata, whose order means nothing.
func byKind(list any) map[string]any {
	entries, _ := list.([]any)
	named := map[string]any{}
	for _, entry := range entries {
		object, _ := entry.(map[string]any)
		scope, _ := object["scope"].(string)
		kind, _ := object["kind"].(string)
		named[scope+" "+kind] = measured(kind, object["values"])
	}
	return named
}

// measuredKinds are the kinds of metadata whose values are measured, and so differ from run to run.
var measuredKinds = []string{"inngest.timing", "inngest.http.timing", "inngest.usage"}

// measured tells of what was measured whether it is a number that can be.
func measured(kind string, values any) any {
	members, ok := values.(map[string]any)
	if !ok || !slices.Contains(measuredKinds, kind) {
		return values
	}
	kinds := map[string]any{}
	for name, value := range members {
		n, err := strconv.Atoi(render(value))
		kinds[name] = err == nil && (n > 0 || n == 0 && kind != "inngest.usage")
	}
	return kinds
}

// withoutTransport takes the headers out of a response that say nothing of the app's answer, or are made from its call's.
func withoutTransport(response any) any {
	headers := member(response, "headers")
	for _, name := range append([]string{"Traceparent", "Tracestate", "Keep-Alive"}, ignoredHeaders...) {
		delete(headers, name)
	}
	return response
}

func (n *spanNode) text(name string) string {
	text, _ := n.fields[name].(string)
	return text
}

// key is what spans of one step, and those of the end of the function, have in common.
func (n *spanNode) key() string {
	name, step := n.text("name"), n.text("stepID")
	switch {
	case strings.HasPrefix(name, "Attempt "):
		return "span " + name
	case slices.Contains([]string{"Finalization", "executor.nonstep", "function success", "function error", "execute"}, name), step != "" && name == step:
		return "end"
	case step != "":
		return "step " + step
	}
	return "span " + name
}

// merge puts the two spans together that the reference has of each step, and of the last call: the group of its requests
// (the response, and the attempts below it) and the row of its result (duration, output). Spec 05 §8.8.
func (n *spanNode) merge() {
	var order []string
	same := map[string][]*spanNode{}
	for _, child := range n.children {
		if same[child.key()] == nil {
			order = append(order, child.key())
		}
		same[child.key()] = append(same[child.key()], child)
	}
	n.children = nil
	for _, key := range order {
		n.children = append(n.children, mergeSpans(same[key]))
	}
}

// mergeSpans makes one span of all that there is of a step.
func mergeSpans(spans []*spanNode) *spanNode {
	if len(spans) == 1 && !spans[0].hasAttempts() {
		return spans[0]
	}
	attempts := map[int]*spanNode{}
	var rows, groups []*spanNode
	for _, span := range spans {
		if span.hasAttempts() || span.fields["response"] != nil || span.text("name") == "Finalization" {
			groups = append(groups, span)
		} else {
			rows = append(rows, span)
		}
	}
	for _, row := range rows {
		row.addTo(attempts)
	}
	for _, group := range groups {
		if !group.hasAttempts() {
			group.addTo(attempts)
			continue
		}
		for _, attempt := range group.children {
			attempt.addTo(attempts)
		}
	}
	numbers := slices.Sorted(maps.Keys(attempts))
	last := attempts[numbers[len(numbers)-1]]
	top := &spanNode{fields: maps.Clone(last.fields), outputs: last.outputs, children: last.children}
	for _, group := range groups {
		top.outputs = append(slices.Clone(top.outputs), group.outputs...)
		if name := group.text("name"); name == "Finalization" || top.text("name") == "" || strings.HasPrefix(top.text("name"), "Attempt ") {
			top.fields["name"] = name
		}
		if kind := group.text("stepType"); top.text("stepType") == "" && kind != "" {
			top.fields["stepType"] = kind
		}
	}
	if len(attempts) == 1 {
		return top
	}
	top.fields["response"], top.fields["metadata"], top.children = nil, map[string]any{}, nil
	for _, number := range numbers {
		attempts[number].fields["name"] = "Attempt " + render(number)
		top.children = append(top.children, attempts[number])
	}
	return top
}

func (n *spanNode) hasAttempts() bool {
	return slices.ContainsFunc(n.children, func(child *spanNode) bool { return strings.HasPrefix(child.text("name"), "Attempt ") })
}

// addTo gives an attempt what another span tells of it. What the first one tells counts.
func (n *spanNode) addTo(attempts map[int]*spanNode) {
	number := 0
	for render(n.fields["attempts"]) != render(number) && number < 100 {
		number++
	}
	known := attempts[number]
	if known == nil {
		attempts[number] = &spanNode{fields: maps.Clone(n.fields), outputs: n.outputs, children: n.children}
		return
	}
	for name, value := range n.fields {
		switch was := known.fields[name].(type) {
		case nil:
			known.fields[name] = value
		case bool:
			known.fields[name] = was || value == true
		case string:
			if was == "" {
				known.fields[name] = value
			}
		case map[string]any:
			more, _ := value.(map[string]any)
			if name == "metadata" {
				maps.Copy(was, more)
			}
		}
	}
	known.outputs = append(slices.Clone(known.outputs), n.outputs...)
	known.children = append(slices.Clone(known.children), n.children...)
}

// compareSpans compares two traces, and notes in outputs which output of the server's is which of the recording's.
func compareSpans(cmp *comparer, path string, want, got *spanNode, outputs map[string]string) {
	cmp.objects(path, want.fields, got.fields)
	for i, id := range want.outputs {
		if len(got.outputs) > 0 {
			outputs[id] = got.outputs[min(i, len(got.outputs)-1)]
		}
	}
	wanted, had := want.byKey(), got.byKey()
	var wantOrder, gotOrder []string
	for _, child := range want.children {
		key, label := child.key(), path+"/"+child.label()
		left, right := wanted[key], had[key]
		wanted[key] = left[1:]
		if len(right) == 0 {
			cmp.add(label, child.label(), rawText("(absent)"))
			continue
		}
		had[key] = right[1:]
		wantOrder = append(wantOrder, key)
		compareSpans(cmp, label, child, right[0], outputs)
	}
	for _, child := range got.children {
		if key := child.key(); slices.Contains(had[key], child) {
			cmp.add(path+"/"+child.label(), rawText("(absent)"), child.label())
		} else {
			gotOrder = append(gotOrder, key)
		}
	}
	if !slices.Equal(wantOrder, gotOrder) {
		cmp.add(path+" order", wantOrder, gotOrder)
	}
}

// label names a span for the reader of a mismatch: what it is, and its name.
func (n *spanNode) label() string {
	kind, _, _ := strings.Cut(n.key(), " ")
	return kind + " " + n.text("name") + " "
}

func (n *spanNode) byKey() map[string][]*spanNode {
	children := map[string][]*spanNode{}
	for _, child := range n.children {
		children[child.key()] = append(children[child.key()], child)
	}
	return children
}

// TestCompareSpans puts a recorded step together, and is told of each thing that differs.
func TestCompareSpans(t *testing.T) {
	t.Parallel()
	tree := func(spans ...any) *spanNode { return spanTree(map[string]any{"name": "Run", "childrenSpans": spans}) }
	step := func(name, status, output string, number int) map[string]any {
		return map[string]any{"name": name, "stepID": "s", "status": status, "outputID": output, "attempts": number}
	}
	recorded := func() *spanNode {
		group := step("a", "COMPLETED", "group", 0)
		group["response"] = map[string]any{"statusCode": 206}
		row := step("a", "COMPLETED", "row", 0)
		row["duration"] = 1
		merged := tree(group, row)
		merged.merge()
		return merged
	}
	one := step("a", "COMPLETED", "ours", 0)
	one["response"], one["duration"] = map[string]any{"statusCode": 206}, 7
	outputs := map[string]string{}
	same := &comparer{}
	if compareSpans(same, "trace", recorded(), tree(one), outputs); len(same.found) > 0 || outputs["row"] != "ours" || outputs["group"] != "ours" {
		t.Errorf("found %v, outputs %v", same.found, outputs)
	}
	for field, got := range map[string]*spanNode{
		"trace/step a .status":   tree(step("a", "FAILED", "ours", 0)),
		"trace/step a .response": tree(step("a", "COMPLETED", "ours", 0)),
		"trace/step a .attempts": tree(step("a", "COMPLETED", "ours", 2)),
		"trace/step a .name":     tree(step("b", "COMPLETED", "ours", 0)),
		"trace/step a ":          tree(),
		"trace/span more ":       tree(one, map[string]any{"name": "more"}),
	} {
		cmp := &comparer{}
		compareSpans(cmp, "trace", recorded(), got, map[string]string{})
		if !slices.ContainsFunc(cmp.found, func(m mismatch) bool { return m.field == field }) {
			t.Errorf("%s is not noticed: %v", field, cmp.found)
		}
	}
}
