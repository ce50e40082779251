package trace

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"
)

// ErrNoRoot says that none of the rows is that of a run.
var ErrNoRoot = errors.New("no root span found")

// group is a span, put together from its rows.
type group struct {
	// id is what the rows have in common, ids their own IDs.
	id     string
	ids    []string
	first  Span
	name   string
	parent string
	// start and end are those of the rows.
	start, end time.Time
	status     Status
	attrs      attrs
	// requests are the calls that its rows were written for.
	requests []string
	// inputRow and outputRow are the rows that have them, empty for none.
	inputRow, outputRow string
	up                  *group
	down                []*group
	metadata            []Metadata
	reached             bool
	// rows are kept of what is attached only.
	rows []Span
}

// forest are the spans of a run.
type forest struct {
	root *group
	// all are the spans but for what is attached to others, in the order in which they began.
	all []*group
	// byID finds them by what their rows have in common, and by the rows' own IDs.
	byID map[string]*group
	// attached are metadata, and runs that are to be started.
	attached []*group
}

// plant puts the rows of a run together. What has no parent among them is below the run.
func plant(rows []Span) (*forest, error) {
	f := &forest{byID: map[string]*group{}}
	for _, rows := range bySpan(rows) {
		g := gather(rows)
		if g.name == NameMetadata || g.name == NameDefer {
			g.rows = rows
			f.attached = append(f.attached, g)
		} else {
			f.all = append(f.all, g)
		}
		for _, id := range append(g.ids, g.id) {
			if _, taken := f.byID[id]; !taken {
				f.byID[id] = g
			}
		}
	}
	if f.root = f.findRoot(); f.root == nil {
		return nil, ErrNoRoot
	}
	f.indexAttempts()
	f.link()
	f.borrow()
	f.attach()
	return f, nil
}

// bySpan sorts rows into those of one span each, in the order of what happened. A row that is there twice counts once; one that only has
// the ID of another does not, for an ID may be made from what happens a second time.
func bySpan(rows []Span) [][]Span {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b Span) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), additions(a)-additions(b), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Dynamic, b.Dynamic), cmp.Compare(a.Status, b.Status), cmp.Compare(string(a.Attributes), string(b.Attributes)))
	})
	var spans [][]Span
	places := map[string]int{}
	for i, row := range rows {
		if i > 0 && isAgain(rows[i-1], row) {
			continue
		}
		id := cmp.Or(row.Dynamic, row.ID)
		at, known := places[id]
		if !known {
			at = len(spans)
			places[id] = at
			spans = append(spans, nil)
		}
		spans[at] = append(spans[at], row)
	}
	return spans
}

// isAgain tells whether a row is the same as the one before it.
func isAgain(before, row Span) bool {
	return before.ID == row.ID && before.Dynamic == row.Dynamic && before.Name == row.Name && before.Status == row.Status &&
		before.Start.Equal(row.Start) && before.End.Equal(row.End) && string(before.Attributes) == string(row.Attributes)
}

// additions sorts rows that only add to a span behind that of the span, of the same instant.
func additions(row Span) int {
	if row.Name == NameExtend {
		return 1
	}
	return 0
}

// gather puts the rows of a span together. Of what several say the last one counts, but a status does not go back, and what an end says stays:
// rows of one instant come in any order, and so do those whose times were cut to the millisecond.
func gather(rows []Span) *group {
	g := &group{
		id: cmp.Or(rows[0].Dynamic, rows[0].ID), first: rows[0], name: rows[0].Name, parent: rows[0].Parent,
		start: rows[0].Start, end: rows[0].End, attrs: attrs{},
	}
	named := false
	for _, row := range rows {
		g.ids = append(g.ids, row.ID)
		if row.Name != NameExtend && !named {
			g.first, g.name, g.parent, named = row, row.Name, row.Parent, true
		}
		if row.End.After(g.end) {
			g.end = row.End
		}
		g.status = g.status.then(row.Status)
		if row.HasInput || len(row.Input) > 0 {
			g.inputRow = row.ID
		}
		if row.HasOutput || len(row.Output) > 0 {
			g.outputRow = row.ID
		}
	}
	for _, ended := range []bool{false, true} {
		for _, row := range rows {
			if row.Status.Ended() != ended {
				continue
			}
			decoded := decodeAttributes(row.Attributes)
			maps.Copy(g.attrs, decoded)
			if request := decoded.text(KeyRequestID); request != "" && !slices.Contains(g.requests, request) {
				g.requests = append(g.requests, request)
			}
		}
	}
	return g
}

// indexAttempts finds steps by the IDs of their attempts too: SDKs make those themselves, and hang their apps' spans below them, before anyone
// knows which attempt is the last and gets the ID of the step. Spec 04 §9.
func (f *forest) indexAttempts() {
	if !slices.ContainsFunc(f.all, func(g *group) bool { return g.name == NameUserland }) {
		return
	}
	for _, g := range f.all {
		step := g.attrs.text(KeyStepID)
		if g.name != NameStep || step == "" {
			continue
		}
		attempt, _ := g.attrs.number(KeyAttempt)
		if id := AttemptID(step, attempt); f.byID[id] == nil {
			f.byID[id] = g
		}
	}
}

func (g *group) isRoot() bool { return g.parent == "" || g.parent == NoParent }

func (f *forest) findRoot() *group {
	for _, named := range []string{NameRun, NameExtend, ""} {
		for _, g := range f.all {
			if g.isRoot() && g.name != NameUserland && (named == "" || g.name == named) {
				return g
			}
		}
	}
	return nil
}

// link hangs each span below its parent.
func (f *forest) link() {
	for _, g := range f.all {
		if g == f.root {
			continue
		}
		g.up = f.byID[g.parent]
		if g.name == NameUserland && (g.up == nil || g.up.name != NameUserland) {
			if attempt := f.attemptOf(g); attempt != nil {
				g.up = attempt
			}
		}
		if g.up == nil || g.up == g || g.up.name == NameMetadata || g.up.name == NameDefer {
			g.up = f.root
		}
		g.up.down = append(g.up.down, g)
	}
	f.root.reach()
	for _, g := range f.all { // those in a ring
		if g.reached {
			continue
		}
		g.up.down = slices.DeleteFunc(g.up.down, func(other *group) bool { return other == g })
		g.up = f.root
		f.root.down = append(f.root.down, g)
		g.reach()
	}
	slices.SortFunc(f.all, byStart)
	for _, g := range f.all {
		slices.SortFunc(g.down, byStart)
	}
}

func (g *group) reach() {
	if g.reached {
		return
	}
	g.reached = true
	for _, below := range g.down {
		below.reach()
	}
}

// byStart orders spans by when they began.
func byStart(a, b *group) int {
	return cmp.Or(a.began().Compare(b.began()), cmp.Compare(a.id, b.id))
}

func (g *group) began() time.Time {
	if at := g.attrs.at(KeyStartedAt); !at.IsZero() {
		return at
	}
	return g.start
}

// attemptOf is the attempt of a step that a span of the app belongs to, by what the span says of it.
func (f *forest) attemptOf(span *group) *group {
	step := span.attrs.text(KeyStepID)
	attempt, known := span.attrs.number(KeyAttempt)
	if step == "" || !known {
		return nil
	}
	for _, name := range []string{NameStep, NameExecution} {
		for _, g := range f.all {
			if n, _ := g.attrs.number(KeyAttempt); g.name == name && g.attrs.text(KeyStepID) == step && n == attempt {
				return g
			}
		}
	}
	return nil
}

// borrow gives spans whose output is that of another the place of it.
func (f *forest) borrow() {
	for _, g := range f.all {
		if of := f.byID[g.attrs.text(keyOutputRef)]; of != nil && of.outputRow != "" {
			g.outputRow = of.outputRow
		}
	}
}

// response is what the app answered, nil when it is not stored.
func (g *group) response() *Response {
	status, known := g.attrs.number(KeyStatusCode)
	headers := g.attrs.object(KeyHeaders)
	if !known || status == 0 || headers == nil {
		return nil
	}
	return &Response{Status: status, Headers: headers}
}
