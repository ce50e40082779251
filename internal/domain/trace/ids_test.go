package trace

import (
	"encoding/hex"
	"testing"

	"github.com/oklog/ulid/v2"
)

// TestIDs are the vectors of spec 05 §8.4 and spec 15 §8.7.
func TestIDs(t *testing.T) {
	t.Parallel()
	const fetch, other = "857c0b3e9253ce40ce09381575f27504abb803ea", "98bf98df193bcce7c33e6bc50927cf2ac21206cb"
	const first, sleeping = "0000000000000000000000000000000000000001", "c3ca5f787365eae0dea86250e27d476406956478"
	parent := ulid.MustParse("01HZX3Z9QG7V5K8M2N4P6R8T0W")
	for name, c := range map[string]struct{ got, want string }{
		"step":                     {StepID(fetch), "deee52e2e9787c70"},
		"another step":             {StepID(other), "fbd6b50f698332d5"},
		"attempt":                  {AttemptID(fetch, 1), "6563e85f2f2d24ec"},
		"attempt of another":       {AttemptID(other, 1), "de58fe0603efb774"},
		"sleep":                    {SleepID(fetch), "b346f6561a34bfd7"},
		"sleep of the first":       {SleepID(first), "1eafbfe0cb9c342f"},
		"another sleep":            {SleepID(sleeping), "7ea7656299dbaaa9"},
		"after a sleep":            {SleepDiscoveryID(fetch), "94108bc5d7e4ed5a"},
		"after that of the first":  {SleepDiscoveryID(first), "c79fdde6e2cc3e16"},
		"after another sleep":      {SleepDiscoveryID(sleeping), "5f7087d07d143ad9"},
		"outside of steps":         {NonStepID("5b0e7d8a-2f0c-4f5e-9f5a-0b1c2d3e4f50", 0), "8e6c3ea7aa10f17e"},
		"defer":                    {DeferID(parent, fetch), "5050ac8249cc8204"},
		"another defer":            {DeferID(ulid.MustParse("01J8V5Z3K4ABCDEFGHJKMNPQRS"), "abc123"), "2cf1b620aaba4ff3"},
		"metadata":                 {MetadataID("deee52e2e9787c70", "inngest.ai"), "45d15227fdba314b"},
		"metadata of another":      {MetadataID("333714d684bb4b95", "inngest.ai"), "1fdf413d6769c1f7"},
		"metadata of another kind": {MetadataID("c41a4e51605c51b9", "inngest.http.timing"), "2f5d3ce02966565f"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
}

func TestRunIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string][2]string{
		"01HZX3Z9QG7V5K8M2N4P6R8T0W": {"018ffa3fa6f03ecb345055258d84681c", "770d1acd3aeaa98a"},
		"01J8V5Z3K4ABCDEFGHJKMNPQRS": {"0192365f8e6452d8d73e1194e95b5f19", "333714d684bb4b95"},
	} {
		traceID, spanID := RunIDs(ulid.MustParse(id))
		if got := [2]string{traceID, spanID}; got != want {
			t.Errorf("run %s: %v, want %v", id, got, want)
		}
	}
}

// TestSeeded are the vectors of the generator, for the traces that other servers began.
func TestSeeded(t *testing.T) {
	t.Parallel()
	first, second := ulid.MustParse("01HZX3Z9QG7V5K8M2N4P6R8T0W"), ulid.MustParse("01M8569Q0PM9XBCEGC8ZGDG2W1")
	for seed, want := range map[string][2]string{
		"":                {"9d4ed117bc35f7e2040733c1be2b974e", "dd9fc5ea353468a4"},
		"whatever":        {"b9f5a2dd4a1235e85b5d67e2b5f7394b", "3ef37e678cd5f60a"},
		string(first[:]):  {"c201bf8d183c82b1e420f7e3773a993c", "770d1acd3aeaa98a"},
		string(second[:]): {"80a6e802f5c4e66782e509ef9569a2e3", "aedab68818f016ca"},
	} {
		traceID, spanID := seeded([]byte(seed))
		if got := [2]string{hex.EncodeToString(traceID[:]), hex.EncodeToString(spanID[:])}; got != want {
			t.Errorf("seed %q: %v, want %v", seed, got, want)
		}
	}
}

func TestStatus_Ended(t *testing.T) {
	t.Parallel()
	for status, want := range map[Status]bool{
		"": false, Queued: false, Running: false, Waiting: false, Sleeping: false, Invoking: false, Skipped: false,
		Completed: true, Failed: true, Errored: true, Cancelled: true, TimedOut: true,
	} {
		if status.Ended() != want {
			t.Errorf("%q ended is %t", status, !want)
		}
	}
}
