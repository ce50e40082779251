package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
)

var now = time.UnixMilli(1743130137367)

func decoded(t *testing.T, raw string) Event {
	t.Helper()
	e, err := Decode(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	sessions := func(count int) string {
		text := make([]string, count)
		for at := range text {
			text[at] = fmt.Sprintf(`"k%d":"v"`, at)
		}
		return `{"name":"a","meta":{"sessions":{` + strings.Join(text, ",") + `}}}`
	}
	cases := map[string]struct {
		raw  string
		want string // as stored
		err  string
	}{
		"time is filled in":      {raw: `{"name":"a"}`, want: `{"name":"a","data":null,"ts":1743130137367}`},
		"time is kept":           {raw: `{"name":"a","ts":315532800000}`, want: `{"name":"a","data":null,"ts":315532800000}`},
		"last instant":           {raw: `{"name":"a","ts":4102444800000}`, want: `{"name":"a","data":null,"ts":4102444800000}`},
		"before the first":       {raw: `{"name":"a","ts":315532799999}`, err: "timestamp is before Jan 1, 1980"},
		"negative":               {raw: `{"name":"a","ts":-1}`, err: "timestamp is before Jan 1, 1980"},
		"after the last":         {raw: `{"name":"a","ts":4102444800001}`, err: "timestamp is after Jan 1, 2100"},
		"as late as can be":      {raw: `{"name":"a","ts":9223372036854775807}`, err: "timestamp is after Jan 1, 2100"},
		"as early as can be":     {raw: `{"name":"a","ts":-9223372036854775808}`, err: "timestamp is before Jan 1, 1980"},
		"would wrap into range":  {raw: `{"name":"a","ts":18448444203709552}`, err: "timestamp is after Jan 1, 2100"},
		"no name":                {raw: `{}`, err: "event name is empty"},
		"no name and bad time":   {raw: `{"ts":1}`, err: "event name is empty"},
		"reserved":               {raw: `{"name":"inngest/x"}`, err: "event name is reserved for internal use: inngest/x"},
		"reserved in capitals":   {raw: `{"name":"InnGest/","ts":1}`, err: "event name is reserved for internal use: InnGest/"},
		"almost reserved":        {raw: `{"name":"inngest"}`, want: `{"name":"inngest","data":null,"ts":1743130137367}`},
		"metadata alone":         {raw: `{"name":"a","data":{"_inngest":{"a":1}}}`, want: `{"name":"a","data":{},"ts":1743130137367}`},
		"metadata first":         {raw: `{"name":"a","data":{"_inngest":1,"b":2}}`, want: `{"name":"a","data":{"b":2},"ts":1743130137367}`},
		"metadata between":       {raw: `{"name":"a","data":{"a":[{}],"_inngest":{},"b":2}}`, want: `{"name":"a","data":{"a":[{}],"b":2},"ts":1743130137367}`},
		"metadata last":          {raw: `{"name":"a","data":{"a":1,"_inngest":"x"}}`, want: `{"name":"a","data":{"a":1},"ts":1743130137367}`},
		"metadata in disguise":   {raw: `{"name":"a","data":{"\u005finngest":1}}`, want: `{"name":"a","data":{},"ts":1743130137367}`},
		"metadata deeper":        {raw: `{"name":"a","data":{"a":{"_inngest":1},"b":"_inngest"}}`, want: `{"name":"a","data":{"a":{"_inngest":1},"b":"_inngest"},"ts":1743130137367}`},
		"five sessions":          {raw: sessions(5), want: `{"name":"a","data":null,"ts":1743130137367,"meta":{"sessions":{"k0":"v","k1":"v","k2":"v","k3":"v","k4":"v"}}}`},
		"six sessions":           {raw: sessions(6), err: "event sessions can include at most 5 entries"},
		"empty session key":      {raw: `{"name":"a","meta":{"sessions":{"":"x"}}}`, err: "event session keys cannot be empty"},
		"long session key":       {raw: `{"name":"a","meta":{"sessions":{"` + strings.Repeat("k", 129) + `":"x"}}}`, err: `event session key "` + strings.Repeat("k", 129) + `" exceeds 128 bytes`},
		"empty session":          {raw: `{"name":"a","meta":{"sessions":{"k":""}}}`, err: `event session "k" cannot have an empty ID`},
		"long session":           {raw: `{"name":"a","meta":{"sessions":{"k":"` + strings.Repeat("x", 513) + `"}}}`, err: `event session "k" exceeds 512 bytes`},
		"time before sessions":   {raw: `{"name":"a","ts":1,"meta":{"sessions":{"k":""}}}`, err: "timestamp is before Jan 1, 1980"},
		"long evicted key is ok": {raw: `{"name":"a","meta":{"sessions":{"a":"1","b":"1","c":"1","d":"1","e":"1"},"propagated_sessions":{"` + strings.Repeat("k", 129) + `":"x"}}}`, want: `{"name":"a","data":null,"ts":1743130137367,"meta":{"sessions":{"a":"1","b":"1","c":"1","d":"1","e":"1"}}}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := decoded(t, c.raw)
			data := string(before.Data)
			got, err := Normalise(before, now)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("got error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got.AppendStored(nil))); diff != "" {
				t.Error(diff)
			}
			if string(before.Data) != data {
				t.Errorf("the argument's data became %s", before.Data)
			}
		})
	}
}

func TestSessions_Merge(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		meta string
		want map[string]string
		err  string
	}{
		"manual first":             {meta: `{"sessions":{"f":"9"},"propagated_sessions":{"a":1,"b":1,"c":1,"d":1,"e":1}}`, want: map[string]string{"f": "9", "a": "1", "b": "1", "c": "1", "d": "1"}},
		"manual shadows":           {meta: `{"sessions":{"a":"2","f":"9"},"propagated_sessions":{"a":1,"b":1,"c":1,"d":1,"e":1}}`, want: map[string]string{"a": "2", "f": "9", "b": "1", "c": "1", "d": "1"}},
		"byte order":               {meta: `{"propagated_sessions":{"z":1,"é":1,"Z":1,"a":1,"b":1,"c":1}}`, want: map[string]string{"Z": "1", "a": "1", "b": "1", "c": "1", "z": "1"}},
		"not UTF-16 order":         {meta: `{"propagated_sessions":{"\ud83c\udf4e":1,"\ue000":1,"a":1,"b":1,"c":1,"d":1}}`, want: map[string]string{"\ue000": "1", "a": "1", "b": "1", "c": "1", "d": "1"}},
		"tombstone":                {meta: `{"sessions":{"conv_id":null,"new_id":"456"},"propagated_sessions":{"conv_id":"123"}}`, want: map[string]string{"new_id": "456"}},
		"tombstones take no room":  {meta: `{"sessions":{"w":null,"x":null,"y":null,"z":null},"propagated_sessions":{"a":1,"b":1,"c":1,"d":1,"e":1}}`, want: map[string]string{"a": "1", "b": "1", "c": "1", "d": "1", "e": "1"}},
		"null clears":              {meta: `{"sessions":null,"propagated_sessions":{"a":1}}`},
		"empty keeps":              {meta: `{"sessions":{},"propagated_sessions":{"a":1}}`, want: map[string]string{"a": "1"}},
		"absent keeps":             {meta: `{"propagated_sessions":{"a":"1"}}`, want: map[string]string{"a": "1"}},
		"only a tombstone":         {meta: `{"sessions":{"a":null}}`},
		"propagated null":          {meta: `{"propagated_sessions":null}`},
		"numbers verbatim":         {meta: `{"sessions":{"a":9007199254740993,"b":1.50}}`, want: map[string]string{"a": "9007199254740993", "b": "1.50"}},
		"escaped":                  {meta: `{"sessions":{"a\n":"\u00e9"}}`, want: map[string]string{"a\n": "é"}},
		"neither":                  {meta: `{"x":1}`},
		"bool":                     {meta: `{"sessions":{"k":true}}`, err: `event session "k" must be a string, number, or null`},
		"array":                    {meta: `{"sessions":{"k":[]}}`, err: `event session "k" must be a string, number, or null`},
		"propagated object":        {meta: `{"propagated_sessions":{"k":{}}}`, err: `event session "k" must be a string or number`},
		"propagated tombstone":     {meta: `{"propagated_sessions":{"k":null}}`, err: `event session "k" must be a string or number`},
		"not an object":            {meta: `{"sessions":"x"}`, err: `json: cannot unmarshal string into Go struct field raw.meta.sessions of type map[string]json.RawMessage`},
		"propagated not an object": {meta: `{"propagated_sessions":[]}`, err: `json: cannot unmarshal array into Go struct field raw.meta.propagated_sessions of type map[string]json.RawMessage`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(json.RawMessage(`{"meta":` + c.meta + `}`))
			if diff := cmp.Diff(c.err, fmt.Sprint(errOr(err))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.want, got.Sessions); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInvocation(t *testing.T) {
	t.Parallel()
	const meta = `{"source_app_id":"","source_fn_id":"","source_fn_v":0,"fn_id":"app-fn","expire":0,"gid":"","name":""}`
	cases := map[string]struct {
		raw  string
		want string
		err  error
	}{
		"data and time":      {raw: `{"name":"x","data":{"x":1},"ts":1700000000000}`, want: `{"id":"<1700000000000>","name":"inngest/function.invoked","data":{"_inngest":` + meta + `,"x":1},"ts":1700000000000}`},
		"null":               {raw: `null`, want: `{"id":"<1743130137367>","name":"inngest/function.invoked","data":{"_inngest":` + meta + `},"ts":1743130137367}`},
		"own id and user":    {raw: `{"id":"mine","user":{"u":1}} trailing`, want: `{"id":"mine","name":"inngest/function.invoked","data":{"_inngest":` + meta + `},"ts":1743130137367,"user":{"u":1}}`},
		"own metadata":       {raw: `{"id":"i","data":{"a":1,"_inngest":{"fn_id":"other"}}}`, want: `{"id":"i","name":"inngest/function.invoked","data":{"_inngest":` + meta + `,"a":1},"ts":1743130137367}`},
		"empty":              {raw: ``, err: ErrUnreadableInvocation},
		"array":              {raw: `[]`, err: ErrUnreadableInvocation},
		"wrong type":         {raw: `{"data":1}`, err: ErrUnreadableInvocation},
		"bad session":        {raw: `{"meta":{"sessions":{"a":true}}}`, err: ErrUnreadableInvocation},
		"negative time":      {raw: `{"ts":-1}`, err: ErrInvalidInvocation},
		"time beyond a ULID": {raw: `{"ts":281474976710656}`, err: ErrInvalidInvocation},
		"too long a session": {raw: `{"meta":{"sessions":{"a":""}}}`, err: ErrInvalidInvocation},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var drawn uint64
			got, err := Invocation("app-fn", []byte(c.raw), now, func(ms uint64) ulid.ULID {
				drawn = ms
				return ulid.ULID{15: 1}
			})
			if c.err != nil {
				if !errors.Is(err, c.err) || drawn != 0 {
					t.Errorf("got %v and an ID of %d, want %v", err, drawn, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			stored := strings.Replace(string(got.AppendStored(nil)), ulid.ULID{15: 1}.String(), fmt.Sprintf("<%d>", drawn), 1)
			if diff := cmp.Diff(c.want, stored); diff != "" {
				t.Error(diff)
			}
			if fn, correlation := Target(got); fn != "app-fn" || correlation != "" {
				t.Errorf("target %q, correlation %q", fn, correlation)
			}
		})
	}
}

func TestWithMetadata_WritesEveryMember(t *testing.T) {
	t.Parallel()
	data := WithMetadata(json.RawMessage(`{"a":1}`), Metadata{
		Type: "api", Idempotency: "i", SourceAppID: "app", SourceFnID: "fn", SourceFnVersion: 2, FnID: "target",
		CorrelationID: "run.op", Trace: json.RawMessage(`{"ctx":{}}`), Span: json.RawMessage(`{"tp":""}`), ExpireMS: 5, GroupID: "g", StepName: "step \"x\"",
	})
	want := `{"_inngest":{"type":"api","invoke_idempotency":"i","source_app_id":"app","source_fn_id":"fn","source_fn_v":2,"fn_id":"target",` +
		`"correlation_id":"run.op","tc":{"ctx":{}},"isr":{"tp":""},"expire":5,"gid":"g","name":"step \"x\""},"a":1}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
	if fn, correlation := Target(Event{Data: data}); fn != "target" || correlation != "run.op" {
		t.Errorf("target %q, correlation %q", fn, correlation)
	}
}

func TestTarget_OfAnotherEvent(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`null`, `{}`, `{"_inngest":1}`, `{"a":{"_inngest":{"fn_id":"x"}}}`, `{"a":"_inngest"}`, `{"a":["_inngest"],"b":{"_inngest":`} {
		if fn, correlation := Target(Event{Data: json.RawMessage(data)}); fn != "" || correlation != "" {
			t.Errorf("%s: target %q, correlation %q", data, fn, correlation)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"app/user.created":          {"app/user.created", "app/*", "app/user.*"},
		"api/v1/users":              {"api/v1/users", "api/*", "api/v1/*"},
		"user.updated":              {"user.updated", "user.*"},
		"a.b.c":                     {"a.b.c", "a.*", "a.b.*"},
		"x/y.z/w":                   {"x/y.z/w", "x/*", "x/y.z/*", "x/y.*"},
		"simple":                    {"simple"},
		"inngest/function.finished": {"inngest/function.finished", "inngest/*", "inngest/function.*"},
	} {
		if diff := cmp.Diff(want, Patterns(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestIsInternal(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"inngest/x": true, "INNGEST/x": true, "inngest/": true, "inngest": false, "xinngest/": false, "": false, "inngest.x": false,
		FunctionFinished: true, ScheduledTimer: true,
	} {
		if IsInternal(name) != want {
			t.Errorf("%q: got %t", name, !want)
		}
	}
}

func TestDirect(t *testing.T) {
	t.Parallel()
	got := Direct("fn", json.RawMessage(`{"_inngest":{"fn_id":"other"},"n":1}`), "abc", time.UnixMilli(1700000000000))
	want := `{"_inngest":{"type":"api","invoke_idempotency":"abc","source_app_id":"","source_fn_id":"","source_fn_v":0,"fn_id":"fn","expire":0,"gid":"","name":""},"n":1}`
	if got.Name != FunctionInvoked || string(got.Data) != want || got.TS != 1700000000000 {
		t.Errorf("event %+v\n%s", got, got.Data)
	}
	if target, _ := Target(got); target != "fn" || !IsDirect(got) {
		t.Errorf("target %q, direct %t", target, IsDirect(got))
	}
	for name, other := range map[string]Event{
		"of another name": {Name: "app/event", Data: got.Data},
		"of an invoker":   {Name: FunctionInvoked, Data: json.RawMessage(`{"_inngest":{"fn_id":"fn"}}`)},
		"without data":    {Name: FunctionInvoked, Data: json.RawMessage(`null`)},
	} {
		if IsDirect(other) {
			t.Errorf("an event %s is taken for a direct one", name)
		}
	}
}
