package ids

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

const firstStep = "98bf98df193bcce7c33e6bc50927cf2ac21206cb"

// TestVectors are identifiers of the running reference (spec 01 §5, 02 §3 and §5, 03 §8).
func TestVectors(t *testing.T) {
	t.Parallel()
	fn := uuid.MustParse("2b8a7a4a-6d0a-5e0c-8c25-0b6f0a4c2f11")
	idem := FunctionIdempotency(fn, "01HZZZZZZZZZZZZZZZZZZZZZZZ")
	key := RunKey(fn, idem, "")
	runID := "01J8ZKZ5H4X0V6QK3N8N3W9R7T"

	cases := map[string]struct{ got, want string }{
		"account":                 {AccountID().String(), AccountIDText},
		"environment":             {EnvID().String(), EnvIDText},
		"app":                     {AppID("my-app").String(), "6314abb5-b9cc-5d32-8ac3-51e26170f039"},
		"placeholder is by text":  {PlaceholderAppID("my-app").String(), "6314abb5-b9cc-5d32-8ac3-51e26170f039"},
		"function":                {FunctionID("My function", "http://localhost:3000/api/inngest?fnId=my-app-my-fn&stepId=step").String(), "0962ad32-f7ff-5270-b4fb-29d9bbac93b2"},
		"endpoint app":            {EndpointAppID(EnvID(), "https://api.example.com").String(), "6f60362a-7f6e-5656-965e-d3eaba086692"},
		"endpoint function":       {EndpointFunctionID(uuid.MustParse("6f60362a-7f6e-5656-965e-d3eaba086692"), "POST /users").String(), "1d67bd0b-1a8e-59ca-917d-3c3281ae94c3"},
		"pause":                   {PauseID(runID, firstStep).String(), "661dbe7f-e02d-55f2-a434-f0e995663185"},
		"cancel pause":            {CancelPauseID(idem, "user/deleted", "").String(), "6cf56a34-6b5d-52cd-a48d-1d07fc60b9fa"},
		"step":                    {StepHash("first step", 0), firstStep},
		"step a":                  {StepHash("a", 0), "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"},
		"step a again":            {StepHash("a", 1), "de89bfaf06245091a7873290a793604612302247"},
		"run complete":            {StepHash("complete", 0), "0737c22d3bfae812339732d14d8c7dbd6dc4e09c"},
		"x36 hello":               {X36("hello"), "l8a8u0vgmher"},
		"x36 empty":               {X36(""), "3mzsru4d4ty1l"},
		"x36 abc":                 {X36("abc"), "11mo2jbx36f89"},
		"x36 user":                {X36("user:123"), "2pjfupd9p87oz"},
		"request":                 {RequestID(1700000000000, "3w5j0v5g0k3xd", 1).String(), "01HF7YAT000YKTD0RRPDWRPQDS"},
		"deferred event":          {DeferEventID(ulid.MustParse("01HKQJZ5R7XR4MNTQGZ8Z3KPAB"), "fixed-hashed-id").String(), "01HKQJZ5R7GC5N0NPVNFBX80JK"},
		"idempotency":             {FunctionIdempotency(uuid.MustParse("5a8b1c2e-3d4f-5a6b-8c7d-9e0f1a2b3c4d"), "abc"), "l96qhnhe8l18-11mo2jbx36f89"},
		"idempotency of a key":    {FunctionIdempotency(fn, "order-123"), "s1h3u2z3n75i-y9krdmltsc16"},
		"idempotency of an event": {idem, "s1h3u2z3n75i-1f6exuhm4a5qo"},
		"run key without string":  {RunKey(fn, "", runID), fn.String() + ":" + runID},
		"start job":               {StartJob(key), "1da9epkpqfwqp"},
		"discovery job":           {DiscoveryJob(key, firstStep), "1pl0odwgv5qct"},
		"planned job":             {PlannedJob(key, firstStep), "pt2hegcnyupn"},
		"coalesce key":            {CoalesceKey(runID, []string{"bbb", "aaa"}), "31d4cf0f7e73de71"},
	}
	for name, c := range cases {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", name, c.got, c.want)
		}
	}
}

// TestJobTexts pins the text below the hash for the jobs that have no recorded vector.
func TestJobTexts(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ got, text string }{
		"coalesced":      {CoalescedJob("run", "group"), "run-group-discover"},
		"failure":        {FailureJob("key", "op"), "key-op-failure"},
		"sleep":          {SleepJob("key", "op"), "key-op"},
		"pause":          {PauseJob("key", "op"), "key-op"},
		"resume":         {ResumeJob("key", "op"), "key-op-event"},
		"timeout":        {TimeoutJob("key", "op"), "key-op-timeout"},
		"sync retry":     {SyncRetryJob("key", "op"), "key-op-sync-retry"},
		"start timeout":  {StartTimeoutJob("key"), "eager-cancel-start-timeout-key"},
		"finish timeout": {FinishTimeoutJob("key"), "eager-cancel-finish-timeout-key"},
	}
	for name, c := range cases {
		if c.got != X36(c.text) {
			t.Errorf("%s is not the hash of %q", name, c.text)
		}
	}
	if CancelPauseID("i", "e", "x") != named([]byte("i-e-x")) {
		t.Error("a cancel pause's condition is not the last part of its name")
	}
}

func TestCoalesceKey_IsOfTheSetAndTheRun(t *testing.T) {
	t.Parallel()
	ops := []string{"b", "a", "c"}
	before := append([]string(nil), ops...)
	key := CoalesceKey("run", ops)
	if diff := cmp.Diff(before, ops); diff != "" {
		t.Errorf("the argument was changed: %s", diff)
	}
	if key != CoalesceKey("run", []string{"c", "b", "a"}) {
		t.Error("the order of ops matters")
	}
	for name, other := range map[string]string{
		"other run": CoalesceKey("ran", ops), "other set": CoalesceKey("run", ops[:2]), "other cut": CoalesceKey("run", []string{"ba", "c"}),
	} {
		if other == key {
			t.Errorf("%s gives the same key", name)
		}
	}
}

func TestDeterministicULID_PadsShortSeedsAndClampsTime(t *testing.T) {
	t.Parallel()
	if DeterministicULID(1, "abc") != DeterministicULID(1, "abc"+strings.Repeat("\x00", 7)) {
		t.Error("a short seed is not padded with zero bytes")
	}
	if got := DeterministicULID(-5, "abc").Time(); got != 0 {
		t.Errorf("negative time became %d", got)
	}
	if got := DeterministicULID(1<<50, "abc").Time(); got != ulid.MaxTime() {
		t.Errorf("huge time became %d", got)
	}
}

func TestSeed_Vectors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		header string
		index  int
		want   string
	}{
		{"1743130137367,eii2YKXRVTJPuA==", 0, "01JQDAE4RQF8MBCR55T5AK4KXR"},
		{"1743130137367,eii2YKXRVTJPuA==", 1, "01JQDAE4RQF8MBCR55T5AK4KXS"},
		{"1743130137367,eii2YKXRVTJPuA==", 2, "01JQDAE4RQF8MBCR55T5AK4KXT"},
		{"1743130137367,eii2YKXRVTJPuA==", 4999, "01JQDAE4RQF8MBCR55T5AK4RSZ"},
		{"1743130137367,eii2YKXRVTJPuA==", 5000, "01JQDAE4RQF8MBCR55T5AK4RT0"},
		{"1743130137367,AAECAwQF/////w==", 0, "01JQDAE4RQ000G40R40QZZZZZZ"},
		{"1743130137367,AAECAwQF/////w==", 1, "01JQDAE4RQ000G40R40M000000"},
	}
	for _, c := range cases {
		seed, ok := ParseSeed(c.header)
		if !ok {
			t.Fatalf("%s was refused", c.header)
		}
		id, ok := seed.EventID(c.index)
		if !ok || id.String() != c.want {
			t.Errorf("%s index %d: got %s, want %s", c.header, c.index, id, c.want)
		}
	}
}

func TestParseSeed_Refuses(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"empty":           "",
		"no comma":        "1743130137367",
		"three parts":     "1,eii2YKXRVTJPuA==,x",
		"no millis":       ",eii2YKXRVTJPuA==",
		"zero millis":     "0,eii2YKXRVTJPuA==",
		"negative millis": "-1,eii2YKXRVTJPuA==",
		"too many millis": "9223372036854775808,eii2YKXRVTJPuA==",
		"nine bytes":      "1,eii2YKXRVTJP",
		"eleven bytes":    "1,eii2YKXRVTJPuLg=",
		"no padding":      "1,eii2YKXRVTJPuA",
		"not base64":      "1,!!!!",
	} {
		if seed, ok := ParseSeed(header); ok {
			t.Errorf("%s: %q was accepted as %v", name, header, seed)
		}
	}
}

func TestSeed_TimeBeyondAULIDIsNotUsed(t *testing.T) {
	t.Parallel()
	seed, ok := ParseSeed("281474976710656,eii2YKXRVTJPuA==")
	if !ok {
		t.Fatal("the header itself is well formed")
	}
	if id, ok := seed.EventID(0); ok {
		t.Errorf("got %s", id)
	}
}

func TestSeed_AllIndexesOfARequestDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var seed Seed
		seed.MS = rapid.Int64Range(1, int64(ulid.MaxTime())).Draw(rt, "ms")
		copy(seed.Entropy[:], rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(rt, "entropy"))
		again, ok := ParseSeed(seed.String())
		if !ok || again != seed {
			rt.Fatalf("%s does not survive its header", seed)
		}
		seen := map[ulid.ULID]bool{}
		for index := range 5001 {
			id, ok := seed.EventID(index)
			if !ok || seen[id] || int64(id.Time()) != seed.MS {
				rt.Fatalf("index %d: %s, ok %t", index, id, ok)
			}
			seen[id] = true
		}
	})
}

func FuzzParseSeed(f *testing.F) {
	for _, header := range []string{"1743130137367,eii2YKXRVTJPuA==", "1743130137367,AAECAwQF/////w==", "0,", ",", "1,eii2YKXRVTJP", "281474976710656,eii2YKXRVTJPuA=="} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		seed, ok := ParseSeed(header)
		if !ok {
			if seed != (Seed{}) {
				t.Errorf("refused %q but returned %v", header, seed)
			}
			return
		}
		again, ok := ParseSeed(seed.String())
		if !ok || again != seed {
			t.Errorf("%q read as %v, which is written as %s and read as %v", header, seed, seed, again)
		}
		id, ok := seed.EventID(1)
		if ok != (uint64(seed.MS) <= ulid.MaxTime()) || ok && id.Time() != uint64(seed.MS) {
			t.Errorf("%q: event ID %s, ok %t", header, id, ok)
		}
	})
}
