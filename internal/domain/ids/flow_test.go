package ids

import (
	"testing"

	"github.com/google/uuid"
)

const (
	sampleFunction = "11111111-2222-4333-8444-555555555555"
	sampleULID     = "01J8G44701QYGE0DH65PZM8DPM"
)

// TestFlowVectors are the hashes of spec 11 §1.1 and the keys made of them in spec 11 §3–§10 and spec 09 §5.
func TestFlowVectors(t *testing.T) {
	t.Parallel()
	fn := uuid.MustParse(sampleFunction)
	cases := map[string]struct{ got, want string }{
		"empty":               {X36(""), "3mzsru4d4ty1l"},
		"1":                   {X36("1"), "2skj0thvf2ifo"},
		"42":                  {X36("42"), "1o60h1nx1t7zt"},
		"99":                  {X36("99"), "32yb9mloepbmo"},
		"10":                  {X36("10"), "157pkbah199uf"},
		"abc":                 {X36("abc"), "11mo2jbx36f89"},
		"hello":               {X36("hello"), "l8a8u0vgmher"},
		"true":                {X36("true"), "3a4vab01wq7uy"},
		"false":               {X36("false"), "1nt4mu0skse4a"},
		"null":                {X36("NULL_VALUE"), "1a3loudw8i25"},
		"a million":           {X36("1e+06"), "21xnv3zwxkjci"},
		"123456789":           {X36("1.23456789e+08"), "qaz5gljuzc6e"},
		"object":              {X36("map[id:1 name:a]"), "3fbu1nuhn3tvy"},
		"array":               {X36("[a b]"), "279m613uh4oer"},
		"expression":          {X36("event.data.userId"), "27q1go5bd4m02"},
		"other expression":    {X36("event.data.customerId"), "3ar5pw91scx3a"},
		"function's text":     {X36(sampleFunction), "1wuy30g4tx7s8"},
		"function's bytes":    {X36(string(fn[:])), "17rkbfhxn16am"},
		"customer1":           {X36("customer1"), "1dudf5fsf82j2"},
		"canonical key":       {X36("f:" + sampleFunction + ":1dudf5fsf82j2"), "thghuxujg64y"},
		"batch key":           {BatchKeyHash("user-1"), "xsKJ5J6cBbIUWGA4e3O8sY30P7CaHkpKlxPHbIi7VBs="},
		"batch key false":     {BatchKeyHash("false"), "/LzxZZCN0YqeSff/J4EBdtuOn2O0NSITdBZkJFIk+Ko="},
		"batch key empty":     {BatchKeyHash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
		"batch key default":   {BatchKeyHash("default"), "N6juwc4ZaH0TL+KQUdymKdFk4sSVi6FB1fQTOjPwaI8="},
		"batch job":           {BatchJob(EnvID(), sampleULID), "35r7fg76iqgh2"},
		"debounce job":        {DebounceJob(sampleULID), "1kjgk9qjdagnf"},
		"start":               {FunctionIdempotency(fn, "abc"), "1wuy30g4tx7s8-11mo2jbx36f89"},
		"start of a batch":    {FunctionIdempotency(fn, sampleFunction+"-"+sampleULID), "1wuy30g4tx7s8-2b3bkgti3y80p"},
		"start of a tick":     {FunctionIdempotency(fn, "2026-08-21T00:05:00Z"), "1wuy30g4tx7s8-2ckjy9ft9bfev"},
		"start job":           {StartJob(RunKey(fn, FunctionIdempotency(fn, "abc"), "")), "hgexs9kqk2e1"},
		"start of an event":   {FunctionIdempotency(fn, "01M1EDEAFC0000000000000002"), "1wuy30g4tx7s8-2jz0zp5bf549e"},
		"its start job":       {StartJob(RunKey(fn, "1wuy30g4tx7s8-2jz0zp5bf549e", "")), "iqoqefrapcin"},
		"its next job":        {DiscoveryJob(RunKey(fn, "1wuy30g4tx7s8-2jz0zp5bf549e", ""), StepHash("step-1", 0)), "2yt5o74be31rt"},
		"its planned job":     {PlannedJob(RunKey(fn, "1wuy30g4tx7s8-2jz0zp5bf549e", ""), StepHash("step-1", 0)), "s17psqpfv0ke"},
		"a run, for timeouts": {X36("01M1EDEAG00000000000000001"), "2ns1ond9fpmmn"},
	}
	for name, c := range cases {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", name, c.got, c.want)
		}
	}
}
