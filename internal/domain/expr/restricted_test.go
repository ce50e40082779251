package expr

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckRestricted(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`event.data.foo == 1`, `event.data.name`, `null > 0`, `int(async.status) == 200`, `'item' in event.data.tags`,
		`event['data'].foo != ''`, `async.data.b == -5`, `async.data.b in [lowercase("A")]`, `event.data.a ? true : false`,
		`async.data.x`, `"abc"`, `!(event.data.a == 1 && event.data.b == 2 || event.data.c >= 3)`,
	} {
		if err := CheckRestricted(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		`size(event.data.x) > 1`:                           "validation failed: 1 error occurred:\n\t* function calls are disallowed (uses 'size')\n\n",
		`has(event.data.x)`:                                "validation failed: 1 error occurred:\n\t* macros are disallowed (uses 'has')\n\n",
		`event.data.a.exists(x, x == 1)`:                   "validation failed: 1 error occurred:\n\t* macros are disallowed (contains ",
		`event.data.a.contains("b")`:                       "validation failed: 1 error occurred:\n\t* function calls are disallowed (uses 'contains')\n\n",
		`5 + 4`:                                            "validation failed: 1 error occurred:\n\t* function calls are disallowed (uses '_+_')\n\n",
		`size(event.data.x) == 1 || 1 + 1 == 2`:            "validation failed: 2 errors occurred:\n\t* function calls are disallowed (uses 'size')\n\t* function calls are disallowed (uses '_+_')\n\n",
		`lowercase(event.data.x.matches("a")) == "a"`:      "validation failed: 2 errors occurred:\n",
		`event.data.a == 1 && lowercase(event.name) == ""`: "validation failed: 1 error occurred:\n\t* function calls are disallowed (uses 'lowercase')\n\n",
	} {
		err := CheckRestricted(text)
		if found := (*ViolationsError)(nil); !errors.As(err, &found) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if err := CheckRestricted(`event.data.x ==`); err == nil || !strings.HasPrefix(err.Error(), "error compiling expression: ") {
		t.Errorf("got %v", err)
	}
}
