package flow

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
)

const (
	account = "a:" + ids.AccountIDText
	env     = "e:" + ids.EnvIDText
	ofFn    = "f:" + sampleText
)

func TestConstraints(t *testing.T) {
	t.Parallel()
	thousand := Defaults{Account: 1000, Function: 1000}
	for name, c := range map[string]struct {
		config, data string
		defaults     Defaults
		want         []Constraint
	}{
		"nothing":           {`{}`, `{}`, Defaults{}, []Constraint{}},
		"the defaults":      {`{}`, `{}`, thousand, []Constraint{{account, 1000}, {ofFn, 1000}}},
		"a function's":      {`{"concurrency": [{"limit": 3}]}`, `{}`, thousand, []Constraint{{account, 1000}, {ofFn, 3}}},
		"0 is none":         {`{"concurrency": [{"limit": 0}]}`, `{}`, thousand, []Constraint{{account, 1000}, {ofFn, 1000}}},
		"the smallest of 2": {`{"concurrency": [{"limit": 9}, {"limit": 4}]}`, `{}`, Defaults{}, []Constraint{{ofFn, 4}}},
		"a key": {
			`{"concurrency": [{"limit": 3, "key": "event.data.customerId"}]}`, `{"customerId":"customer1"}`, thousand,
			[]Constraint{{account, 1000}, {ofFn, 1000}, {ofFn + "<3ar5pw91scx3a:1dudf5fsf82j2>", 3}},
		},
		"a key of the environment and one of the account": {
			`{"concurrency": [{"limit": 2, "scope": "env", "key": "event.data.userId"}, {"limit": 5, "scope": "account", "key": "event.data.customerId"}]}`,
			`{"userId":99,"customerId":"1"}`, Defaults{},
			[]Constraint{{env + "<27q1go5bd4m02:32yb9mloepbmo>", 2}, {account + "<3ar5pw91scx3a:2skj0thvf2ifo>", 5}},
		},
		"a key and the function's": {
			`{"concurrency": [{"limit": 2, "key": "event.data.userId"}, {"limit": 5}]}`, `{}`, Defaults{Account: 7},
			[]Constraint{{account, 7}, {ofFn, 5}, {ofFn + "<27q1go5bd4m02:1nt4mu0skse4a>", 2}},
		},
	} {
		settings := compile(t, stored(t, c.config))
		keys := settings.Evaluate(eventOf(1, c.data).Event, FromEvent, epoch).Concurrency
		if diff := cmp.Diff(c.want, settings.Constraints(keys, c.defaults)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestConstraints_OfChangedSettings: the key is the run's for good, the limit is the function's current one.
func TestConstraints_OfChangedSettings(t *testing.T) {
	t.Parallel()
	before := compile(t, stored(t, `{"concurrency": [{"limit": 2, "key": "event.data.userId"}]}`))
	keys := before.Evaluate(eventOf(1, `{"userId":"1"}`).Event, FromEvent, epoch).Concurrency
	const name = ofFn + "<27q1go5bd4m02:2skj0thvf2ifo>"
	for what, c := range map[string]struct {
		config string
		want   []Constraint
	}{
		"a higher limit":           {`{"concurrency": [{"limit": 9, "key": "event.data.userId"}]}`, []Constraint{{name, 9}}},
		"none":                     {`{}`, []Constraint{}},
		"another expression":       {`{"concurrency": [{"limit": 9, "key": "event.data.customerId"}]}`, []Constraint{}},
		"another scope":            {`{"concurrency": [{"limit": 9, "scope": "env", "key": "event.data.userId"}]}`, []Constraint{}},
		"one without a key beside": {`{"concurrency": [{"limit": 1}, {"limit": 9, "key": "event.data.userId"}]}`, []Constraint{{ofFn, 1}, {name, 9}}},
	} {
		if diff := cmp.Diff(c.want, compile(t, stored(t, c.config)).Constraints(keys, Defaults{})); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

func TestRunConstraint(t *testing.T) {
	t.Parallel()
	settings := func(limit int, key string) *Settings {
		return compile(t, function.Settings{Concurrency: &function.Concurrency{Run: []function.RunLimit{{Limit: limit, Key: key}}}})
	}
	plain, keyed := settings(3, ""), settings(2, "event.data.customerId")
	key := func(s *Settings) *RunKey {
		return s.Evaluate(eventOf(1, `{"customerId":"customer1"}`).Event, FromEvent, epoch).Run
	}
	for name, c := range map[string]struct {
		settings *Settings
		key      *RunKey
		want     Constraint
	}{
		"without a key":     {plain, key(plain), Constraint{"fn:" + sampleText + ":", 3}},
		"with a key":        {keyed, key(keyed), Constraint{"fnkey:1ie5bhw7313a1:1dudf5fsf82j2", 2}},
		"another limit":     {settings(8, "event.data.customerId"), key(keyed), Constraint{"fnkey:1ie5bhw7313a1:1dudf5fsf82j2", 8}},
		"another key":       {plain, key(keyed), Constraint{}},
		"no limit any more": {compile(t, function.Settings{}), key(keyed), Constraint{}},
		"no limit before":   {keyed, nil, Constraint{}},
	} {
		got, ok := c.settings.RunConstraint(c.key)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want != Constraint{}) {
			t.Errorf("%s: %t %s", name, ok, diff)
		}
	}
}
