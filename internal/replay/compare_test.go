package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// mismatch is one place where the server differs from a recording.
type mismatch struct {
	where string // which message, for example "call 3", "read /v1/runs/…", "answer"
	field string // which part of it, for example "body.ctx.attempt"
	want  string
	got   string
}

func (m mismatch) String() string {
	return fmt.Sprintf("%s: %s: want %s, got %s", m.where, m.field, shorten(m.want), shorten(m.got))
}

func shorten(text string) string {
	const most = 400
	if len(text) > most {
		return text[:most] + "…(" + strconv.Itoa(len(text)) + ")"
	}
	return text
}

// comparer compares JSON values. excuse may accept two scalars that differ.
type comparer struct {
	where  string
	excuse func(field string, parent map[string]any, want, got any) bool
	found  []mismatch
}

func (c *comparer) add(field string, want, got any) {
	c.found = append(c.found, mismatch{where: c.where, field: field, want: render(want), got: render(got)})
}

// texts compares two bodies: as JSON when both are, byte by byte otherwise.
func (c *comparer) texts(field, want, got string) {
	if want == got {
		return
	}
	wantValue, wantErr := decode(want)
	gotValue, gotErr := decode(got)
	if wantErr != nil || gotErr != nil {
		c.add(field, rawText(want), rawText(got))
		return
	}
	c.values(field, nil, wantValue, gotValue)
	if trail := func(text string) string { return text[len(strings.TrimRight(text, " \n")):] }; trail(want) != trail(got) {
		c.add(field+" trailing space", trail(want), trail(got))
	}
}

func (c *comparer) values(field string, parent map[string]any, want, got any) {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			c.objects(field, want, got)
			return
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				c.values(field+"["+strconv.Itoa(i)+"]", nil, want[i], got[i])
			}
			return
		}
	case json.Number:
		if got, ok := got.(json.Number); ok && want != got && sameFloat(want, got) {
			c.add(field+" number text", want, got)
			return
		}
	}
	if render(want) != render(got) && (c.excuse == nil || !c.excuse(field, parent, want, got)) {
		c.add(field, want, got)
	}
}

func (c *comparer) objects(field string, want, got map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			c.add(field+"."+name, want[name], rawText("(absent)"))
			continue
		}
		c.values(field+"."+name, got, want[name], got[name])
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			c.add(field+"."+name, rawText("(absent)"), got[name])
		}
	}
}

// rawText is rendered as it is, without quotes.
type rawText string

func render(value any) string {
	if text, ok := value.(rawText); ok {
		return string(text)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%v", value)
	}
	return string(encoded)
}

func decode(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if rest, _ := decoder.Token(); rest != nil {
		return nil, fmt.Errorf("decode JSON: more than one value")
	}
	return value, nil
}

func sameFloat(want, got json.Number) bool {
	left, leftErr := want.Float64()
	right, rightErr := got.Float64()
	return leftErr == nil && rightErr == nil && left == right
}

// completeMembers are the members of a JSON object that a cut text holds in full.
func completeMembers(cut string) map[string]json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader([]byte(cut)))
	members := map[string]json.RawMessage{}
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return members
	}
	for {
		name, err := decoder.Token()
		if err != nil {
			return members
		}
		var value json.RawMessage
		key, ok := name.(string)
		if !ok || decoder.Decode(&value) != nil {
			return members
		}
		members[key] = value
	}
}

// isTime is true for the text of a time.
func isTime(value any) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}

// isRecent is true for milliseconds of the last ten minutes.
func isRecent(value any) bool {
	number, ok := value.(json.Number)
	if !ok {
		return false
	}
	millis, err := number.Int64()
	return err == nil && time.Since(time.UnixMilli(millis)).Abs() < 10*time.Minute
}

// isRecentULID is true for a ULID of the last ten minutes.
func isRecentULID(text string) bool {
	id, err := ulid.ParseStrict(text)
	return err == nil && time.Since(ulid.Time(id.Time())).Abs() < 10*time.Minute
}
