package realtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/ids"
)

var (
	runID = ulid.MustParse("01JQE1K13Q1A4D1B5XF0M1S2E0")
	at    = time.Date(2026, 8, 14, 12, 0, 0, 123_000_000, time.UTC)
)

func TestTopic_Key(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		topic Topic
		want  string
	}{
		"on a channel":                {ChannelTopic(ids.EnvID(), "user:123", "messages"), "00000000-0000-4000-b000-000000000000:2pjfupd9p87oz:messages"},
		"whatever the run":            {Topic{TopicRun, ids.EnvID(), runID, "user:123", "messages"}, "00000000-0000-4000-b000-000000000000:2pjfupd9p87oz:messages"},
		"on the channel without name": {ChannelTopic(ids.EnvID(), "", ""), "00000000-0000-4000-b000-000000000000:" + ids.X36("") + ":"},
		"of events":                   {Topic{Kind: TopicEvent, EnvID: ids.EnvID(), Channel: "x", Name: "app/a"}, "00000000-0000-4000-b000-000000000000:app/a"},
		"of an unknown kind":          {Topic{Kind: "new", EnvID: ids.EnvID(), Name: "a"}, "00000000-0000-4000-b000-000000000000:a"},
	} {
		if got := test.topic.Key(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestStreamID_IsBase36AndDiffers(t *testing.T) {
	t.Parallel()
	one, two := StreamID(runID), StreamID(ulid.ULID{1})
	if one == two || strings.Trim(one, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		t.Errorf("%q, %q", one, two)
	}
}

func TestParseTopics(t *testing.T) {
	t.Parallel()
	many := "[" + strings.Repeat("{},", MaxTopics-1) + "{}"
	for name, test := range map[string]struct {
		text string
		want []Topic
		err  error
	}{
		"none":                  {`[]`, []Topic{}, nil},
		"of an SDK":             {`[{"channel":"user:1","name":"ai","kind":"run"}]`, []Topic{ChannelTopic(ids.EnvID(), "user:1", "ai")}, nil},
		"of another env":        {`[{"kind":"event","env_id":"11111111-0000-4000-b000-000000000000","name":"a"}]`, []Topic{{Kind: TopicEvent, EnvID: ids.EnvID(), Name: "a"}}, nil},
		"of a run":              {`[{"run_id":"01JQE1K13Q1A4D1B5XF0M1S2E0"}]`, []Topic{{EnvID: ids.EnvID(), RunID: runID}}, nil},
		"null":                  {`null`, nil, errNoTopics},
		"an object":             {`{}`, nil, errNoTopics},
		"a broken run":          {`[{"run_id":"x"}]`, nil, errNoTopics},
		"empty":                 {``, nil, errNoTopics},
		"one more than allowed": {many + ",{}]", nil, ErrTooManyTopics},
	} {
		got, err := ParseTopics([]byte(test.text), ids.EnvID())
		if !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", name, err, test.err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if got, err := ParseTopics([]byte(many+"]"), ids.EnvID()); err != nil || len(got) != MaxTopics {
		t.Errorf("as many as allowed: %d, %v", len(got), err)
	}
}

func TestClaims_Encode(t *testing.T) {
	t.Parallel()
	now := time.Unix(1743130137, 900)
	subscribe := SubscribeClaims(runID, ids.EnvID(), []Topic{ChannelTopic(ids.EnvID(), "user:123", "messages")}, now, SubscribeLifetime)
	const head = `{"iss":"rt.inngest.com","sub":"00000000-0000-4000-a000-000000000000",`
	const env = `"iat":1743130137,"jti":"01JQE1K13Q1A4D1B5XF0M1S2E0","env":"00000000-0000-4000-b000-000000000000",`
	for name, test := range map[string]struct {
		claims any
		want   string
	}{
		"subscribe": {subscribe, head + `"exp":1743130197,` + env +
			`"topics":[{"kind":"run","env_id":"00000000-0000-4000-b000-000000000000","channel":"user:123","name":"messages"}],"publish":false}`},
		"subscribe to nothing": {SubscribeClaims(runID, ids.EnvID(), nil, now, SubscribeLifetime), head + `"exp":1743130197,` + env + `"topics":[],"publish":false}`},
		"publish":              {PublishClaims(runID, ids.EnvID(), now, time.Hour), head + `"exp":1743133737,` + env + `"topics":null,"publish":true}`},
		"stream of a run": {StreamClaims(runID, ids.EnvID(), runID, now), head + `"exp":1743131097,` + env +
			`"topics":[{"kind":"run","env_id":"00000000-0000-4000-b000-000000000000","channel":"01JQE1K13Q1A4D1B5XF0M1S2E0","name":"$stream"}],"publish":false}`},
		"run": {NewRunClaims(ids.EnvID(), runID, now), `{"iss":"api.inngest.com","sub":"run-claim","exp":1743133737,"iat":1743130137,` +
			`"Env":"00000000-0000-4000-b000-000000000000","RunID":"01JQE1K13Q1A4D1B5XF0M1S2E0"}`},
	} {
		got, err := json.Marshal(test.claims)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestClaims_Validate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1743130137, 500)
	edit := func(change func(*Claims)) Claims {
		claims := SubscribeClaims(runID, ids.EnvID(), nil, now, SubscribeLifetime)
		change(&claims)
		return claims
	}
	editRun := func(change func(*RunClaims)) RunClaims {
		claims := NewRunClaims(ids.EnvID(), runID, now)
		change(&claims)
		return claims
	}
	for name, test := range map[string]struct {
		claims interface{ Validate(time.Time) error }
		at     time.Time
		want   error
	}{
		"valid":                {edit(func(*Claims) {}), now, nil},
		"valid to publish":     {PublishClaims(runID, ids.EnvID(), now, time.Hour), now, nil},
		"valid until the last": {edit(func(*Claims) {}), now.Add(time.Minute - time.Second), nil},
		"expired":              {edit(func(*Claims) {}), time.Unix(1743130197, 0), ErrExpired},
		"from later":           {edit(func(*Claims) {}), time.Unix(1743130136, 0), ErrFromLater},
		"without expiry":       {edit(func(c *Claims) { c.ExpiresAt = 0 }), now, ErrNoExpiry},
		"another issuer":       {edit(func(c *Claims) { c.Issuer = RunIssuer }), now, ErrIssuer},
		"without environment":  {edit(func(c *Claims) { c.Env = uuid.Nil }), now, ErrNoEnv},
		"too many topics":      {edit(func(c *Claims) { c.Topics = make([]Topic, MaxTopics+1) }), now, ErrTooManyTopics},

		"run: valid":               {editRun(func(*RunClaims) {}), now, nil},
		"run: expired":             {editRun(func(*RunClaims) {}), now.Add(RunLifetime), ErrExpired},
		"run: another issuer":      {editRun(func(c *RunClaims) { c.Issuer = Issuer }), now, ErrIssuer},
		"run: another subject":     {editRun(func(c *RunClaims) { c.Subject = "" }), now, ErrSubject},
		"run: without environment": {editRun(func(c *RunClaims) { c.Env = uuid.Nil }), now, ErrNoEnv},
		"run: without run":         {editRun(func(c *RunClaims) { c.RunID = ulid.Zero }), now, ErrNoRun},
	} {
		if got := test.claims.Validate(test.at); !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestMessage_Encode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		message Message
		want    string
	}{
		"data": {
			Message{Kind: KindData, Data: Data([]byte(`{"a": 1}`)), CreatedAt: at, Channel: "user:123", EnvID: ids.EnvID(), Topic: "messages"},
			`{"kind":"data","data":{"a":1},"created_at":"2026-08-14T12:00:00.123Z","channel":"user:123","env_id":"00000000-0000-4000-b000-000000000000","topic":"messages"}`,
		},
		"everything": {
			Message{KindRun, Data([]byte("a\n\xff<")), json.RawMessage(`[ ]`), at, "c", ids.EnvID(), "t", uuid.UUID{1}, "app-fn", runID},
			`{"kind":"run","data":"a\n�<","metadata":[],"created_at":"2026-08-14T12:00:00.123Z","channel":"c","env_id":"00000000-0000-4000-b000-000000000000","topic":"t",` +
				`"fn_id":"01000000-0000-0000-0000-000000000000","fn_slug":"app-fn","run_id":"01JQE1K13Q1A4D1B5XF0M1S2E0"}`,
		},
		"nothing": {Message{Kind: KindClosing, CreatedAt: at}, `{"kind":"closing","data":null,"created_at":"2026-08-14T12:00:00.123Z","topic":""}`},
		"digits stay": {
			Message{Kind: KindData, Data: Data([]byte("[12345678901234567890.0,\n\"\\u003c<\"]")), CreatedAt: at},
			`{"kind":"data","data":[12345678901234567890.0,"\u003c<"],"created_at":"2026-08-14T12:00:00.123Z","topic":""}`,
		},
	} {
		got, err := test.message.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(Frame{FrameMessage, []byte(test.want)}, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if _, err := (Message{Data: json.RawMessage("{")}).Encode(); err == nil {
		t.Error("broken data is encoded")
	}
}

func TestMessage_Topics(t *testing.T) {
	t.Parallel()
	on := func(names ...string) []Topic {
		var topics []Topic
		for _, name := range names {
			topics = append(topics, ChannelTopic(ids.EnvID(), "c", name))
		}
		return topics
	}
	for name, test := range map[string]struct {
		kind  MessageKind
		topic string
		want  []Topic
	}{
		"data":                              {KindData, "a", on("a")},
		"data without one":                  {KindData, "", on("")},
		"stream":                            {KindStreamStart, "a", on("a")},
		"run":                               {KindRun, "", on("$run")},
		"run once":                          {KindRun, "$run", on("$run")},
		"run with a name":                   {KindRun, "a", on("$run", "a")},
		"step":                              {KindStep, "a", on("$step", "a")},
		"step like a topic of the server's": {KindStep, "$run", on("$step")},
	} {
		if diff := cmp.Diff(test.want, Message{Kind: test.kind, Topic: test.topic, EnvID: ids.EnvID(), Channel: "c"}.Topics()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestChunk_Encode(t *testing.T) {
	t.Parallel()
	for want, chunk := range map[string]Chunk{
		`{"kind":"chunk","stream_id":"s","data":"a\"\n","channel":"c","topic":"t"}`: {StreamID: "s", Data: "a\"\n", Channel: "c", Topic: "t"},
		`{"kind":"chunk","stream_id":"s","data":"","fn_id":"01000000-0000-0000-0000-000000000000","fn_slug":"f","run_id":"01JQE1K13Q1A4D1B5XF0M1S2E0","topic":""}`: {
			StreamID: "s", FnID: uuid.UUID{1}, FnSlug: "f", RunID: runID,
		},
	} {
		if diff := cmp.Diff(Frame{FrameChunk, []byte(want)}, chunk.Encode()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:              `""`,
		`x`:             `"x"`,
		`{"a":1}`:       `{"a":1}`,
		` [1] `:         ` [1] `,
		`"text"`:        `"text"`,
		`null`:          `null`,
		`{"a":1} {}`:    `"{\"a\":1} {}"`,
		"\x00\xff":      `"\u0000�"`,
		"\"\xff\"":      `"�"`,
		"{\"a\":\"\xc3": `"{\"a\":\"�"`,
	} {
		if got := string(Data([]byte(body))); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
}

// FuzzData: whatever is published, the message is one line of JSON in UTF-8, with the value that the body has.
func FuzzData(f *testing.F) {
	for _, seed := range []string{"", "x", `{"a":[1,2]}`, "\xff", "\"\xed\xa0\x80\"", "1e999", "\u2028\n", `"\ud800"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		frame, err := Message{Kind: KindData, Data: Data(body), CreatedAt: at}.Encode()
		if err != nil || bytes.ContainsAny(frame.Body, "\r\n") || !utf8.Valid(frame.Body) {
			t.Fatalf("%q: %v", frame.Body, err)
		}
		var got struct{ Data json.RawMessage }
		if err := json.Unmarshal(frame.Body, &got); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(body) {
			var text string
			if err := json.Unmarshal(got.Data, &text); err != nil || text != string(bytes.ToValidUTF8(body, []byte("�"))) {
				t.Fatalf("%q became %q (%v)", body, text, err)
			}
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, bytes.ToValidUTF8(body, []byte("�"))); err != nil || !bytes.Equal(got.Data, want.Bytes()) {
			t.Fatalf("%q became %q (%v)", body, got.Data, err)
		}
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]json.RawMessage{"": nil, `{"a":1}`: json.RawMessage(`{"a":1}`), "1": json.RawMessage("1")} {
		if got, err := Metadata(text); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"x", "{", "\"\xff\"", " "} {
		if got, err := Metadata(text); !errors.Is(err, errNoJSON) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

func TestSplitText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":              "",
		"abc":           "abc",
		"aé":            "aé",
		"a\xc3":         "a",
		"\xf0\x9f":      "",
		"a\xf0\x9f\x98": "a",
		"a😀":            "a😀",
		"a\x80\x80\x80": "a\x80\x80\x80",
		"a\xff":         "a\xff",
		"\xc3\xc3":      "\xc3",
	} {
		whole, rest := SplitText([]byte(text))
		if string(whole) != want || string(whole)+string(rest) != text {
			t.Errorf("%q: %q + %q, want %q", text, whole, rest, want)
		}
	}
}

// TestSplitText_PassesTextOnWhole: text that arrives in any pieces leaves in pieces that are text.
func TestSplitText_PassesTextOnWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var rest, got []byte
		for left := []byte(text); len(left) > 0; {
			n := rapid.IntRange(1, min(len(left), 6)).Draw(t, "n")
			var whole []byte
			whole, rest = SplitText(append(bytes.Clone(rest), left[:n]...))
			if !utf8.Valid(whole) || len(rest) >= utf8.UTFMax {
				t.Fatalf("%q and %q", whole, rest)
			}
			got, left = append(got, whole...), left[n:]
		}
		if len(rest) > 0 || string(got) != text {
			t.Fatalf("%q, then %q", got, rest)
		}
	})
}
