package replay

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// spanNode is a span of a trace over GraphQL. Of IDs and times it only tells whether they are there.
type spanNode struct {
	fields   map[string]any
	outputs  []string // IDs
	children []*spanNode
	// began and ended are zero when they are not known. They say what came before what, and are not compared themselves.
	began, ended time.Time
	// clocked is true of a step that the app saved by itself, so that its times are of another clock.
	clocked bool
}

// presentMembers are the members that differ from run to run.
var presentMembers = []string{
	"spanID", "traceID", "groupID", "parentSpanID", "outputID", "queuedAt", "scheduledAt", "startedAt", "endedAt", "duration",
}

// spanTree reads a trace.
func spanTree(span map[string]any) *spanNode {
	node := &spanNode{fields: map[string]any{}, began: instant(span["startedAt"]), ended: instant(span["endedAt"])}
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
			node.fields[name] = byKind(withoutMeasures(value))
		case name == "response":
			node.fields[name] = withoutTransport(value)
		default:
			node.fields[name] = value
		}
	}
	node.clocked = span["scheduledAt"] == nil && span["groupID"] == nil && span["response"] == nil && span["stepID"] != nil && span["stepType"] != "" &&
		!node.hasAttempts()
	return node
}

// withoutMeasures takes out of metadata what is measured and may be absent: how long an answer took, and the size of all, times among it.
func withoutMeasures(list any) any {
	entries, _ := list.([]any)
	for _, entry := range entries {
		values := member(entry, "values")
		delete(values, "latency_ms")
		delete(values, "metadata_bytes")
	}
	return list
}

// instant reads a time, zero for none.
func instant(value any) time.Time {
	text, _ := value.(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// before says that one span had ended when the other began, as far as the server knows: a replayed app tells the times of the recording.
func (n *spanNode) before(other *spanNode) bool {
	return !n.clocked && !other.clocked && !n.ended.IsZero() && n.ended.Before(other.began)
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
		merged := mergeSpans(same[key])
		for _, span := range same[key] {
			merged.clocked = merged.clocked || span.clocked
			if merged.began.IsZero() || span.began.Before(merged.began) {
				merged.began = span.began
			}
			if span.ended.After(merged.ended) {
				merged.ended = span.ended
			}
		}
		n.children = append(n.children, merged)
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
		row.addTo(attempts, row.text("stepID") != "" && attempts[row.number()] != nil)
	}
	for _, group := range groups {
		if !group.hasAttempts() {
			group.addTo(attempts, false)
			continue
		}
		for _, attempt := range group.children {
			attempt.addTo(attempts, false)
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
	for i, number := range numbers {
		attempts[number].fields["name"] = "Attempt " + render(i)
		top.children = append(top.children, attempts[number])
	}
	return top
}

func (n *spanNode) hasAttempts() bool {
	return slices.ContainsFunc(n.children, func(child *spanNode) bool { return strings.HasPrefix(child.text("name"), "Attempt ") })
}

// number is which attempt the span says that it is.
func (n *spanNode) number() int {
	number := 0
	for render(n.fields["attempts"]) != render(number) && number < 100 {
		number++
	}
	return number
}

// addTo gives an attempt what another span tells of it. What the first one tells counts. A row of a checkpoint always says that it is the
// first attempt; it is another when there is a row of that one.
func (n *spanNode) addTo(attempts map[int]*spanNode, another bool) {
	number := n.number()
	if another {
		number = len(attempts)
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
	same := map[*spanNode]*spanNode{}
	for _, child := range want.children {
		key, label := child.key(), path+"/"+child.label()
		left, right := wanted[key], had[key]
		wanted[key] = left[1:]
		if len(right) == 0 {
			cmp.add(label, child.label(), rawText("(absent)"))
			continue
		}
		had[key] = right[1:]
		same[child] = right[0]
		compareSpans(cmp, label, child, right[0], outputs)
	}
	for _, child := range got.children {
		if slices.Contains(had[child.key()], child) {
			cmp.add(path+"/"+child.label(), rawText("(absent)"), child.label())
		}
	}
	compareOrder(cmp, path, want, got, same)
}

// compareOrder compares the order of spans, of those of which one had ended when the other began: what went on at a time has none. same are the server's spans by those of the recording.
func compareOrder(cmp *comparer, path string, want, got *spanNode, same map[*spanNode]*spanNode) {
	for i, first := range want.children {
		for _, second := range want.children[i+1:] {
			left, right := slices.Index(got.children, same[first]), slices.Index(got.children, same[second])
			if left >= 0 && right >= 0 && left > right && first.before(second) {
				cmp.add(path+" order", first.label()+"before "+second.label(), second.label()+"before "+first.label())
			}
		}
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

// TestCompareSpans_Order is told of steps in the wrong order, but not of steps that went on at a time.
func TestCompareSpans_Order(t *testing.T) {
	t.Parallel()
	step := func(id, began, ended string) map[string]any {
		day := "2026-11-23T23:10:"
		return map[string]any{"name": "run " + id, "stepID": id, "groupID": "g", "startedAt": day + began + "Z", "endedAt": day + ended + "Z"}
	}
	tree := func(spans ...any) *spanNode {
		node := spanTree(map[string]any{"name": "Run", "childrenSpans": spans})
		node.merge()
		return node
	}
	a, b, late := step("a", "01.100", "01.200"), step("b", "01.150", "01.300"), step("c", "01.301", "01.400")
	for name, test := range map[string]struct {
		got  *spanNode
		want []string
	}{
		"as recorded":     {tree(a, b, late), nil},
		"at a time":       {tree(b, a, late), nil},
		"one after other": {tree(a, late, b), []string{"step run b before step run c "}},
	} {
		cmp := &comparer{}
		compareSpans(cmp, "trace", tree(a, b, late), test.got, map[string]string{})
		var want []string
		for _, one := range cmp.found {
			if one.field == "trace order" {
				want = append(want, strings.Trim(one.want, `"`))
			}
		}
		if !slices.Equal(want, test.want) {
			t.Errorf("%s: found %v", name, cmp.found)
		}
	}
}
