package expr

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func hasKey(program *Program, s *Subject) bool {
	keys, known := program.Keys()
	for _, key := range keys {
		if slices.Contains(s.KeysAt(key.Path), key) {
			return true
		}
	}
	return !known
}

func TestProgram_Keys(t *testing.T) {
	t.Parallel()
	id := Key{"/data/id", `"u1`}
	for text, want := range map[string]struct {
		keys  []Key
		known bool
	}{
		`"u1" == async.data.id`:                                         {[]Key{id}, true},
		`async.data.id == "u1" && async.data.n > 5`:                     {[]Key{id}, true},
		`async.data.ok == true && async.data.id == "u1"`:                {[]Key{id}, true},
		`async.data.n == 5`:                                             {[]Key{{"/data/n", "5"}}, true},
		`async.data.n == 5.0`:                                           {[]Key{{"/data/n", "5"}}, true},
		`async.data.n == -0.0`:                                          {[]Key{{"/data/n", "0"}}, true},
		`async.data.n == null`:                                          {[]Key{{"/data/n", "null"}}, true},
		`async.data.n == null && async.data.n.x == 1`:                   {[]Key{{"/data/n/x", "1"}}, true},
		`async.data.n == null || async.data.n.x == 1`:                   {nil, false},
		`async.data.a == "x" || async.data.ok == true`:                  {[]Key{{"/data/a", `"x`}, {"/data/ok", "true"}}, true},
		`async.data.a == "x" || async.data.b == async.data.c`:           {nil, false},
		`!(async.data.a == "x" && async.data.b == "y")`:                 {nil, false},
		`!(async.data.a != "x" || async.data.b == "y")`:                 {[]Key{{"/data/a", `"x`}}, true},
		`!(async.data.a != "x" && async.data.b != "y")`:                 {[]Key{{"/data/a", `"x`}, {"/data/b", `"y`}}, true},
		`!!(async.data.a == "x")`:                                       {[]Key{{"/data/a", `"x`}}, true},
		`!(!(async.data.a == "x"))`:                                     {[]Key{{"/data/a", `"x`}}, true},
		`!("x" in async.data.tags)`:                                     {nil, false},
		`"k" in async.data.m`:                                           {[]Key{{"/data/m/*", `"k`}}, true},
		`async.data.id in ["u1", "u2"]`:                                 {[]Key{id, {"/data/id", `"u2`}}, true},
		`async.data.id in []`:                                           {[]Key{}, true},
		`async.data.x == [1.0, {"a": null}]`:                            {[]Key{{"/data/x", `[1,{"a":null,},]`}}, true},
		`async.data["a/b*~"] == 1`:                                      {[]Key{{"/data/a~1b~2~0", "1"}}, true},
		`async.data["a"] == false`:                                      {nil, false},
		`async.data.a == b"x"`:                                          {nil, false},
		`async.data.a == {1: 2}`:                                        {nil, false},
		`async.data.l[0] == "z"`:                                        {nil, false},
		`async.data.l[async.data.i] == "z"`:                             {nil, false},
		`async.data.t == now()`:                                         {nil, false},
		`1295 <= async.data.val`:                                        {nil, false},
		`async.data.a == 1 ? true : false`:                              {[]Key{{"/data/a", "1"}}, true},
		`async.data.a == 1 ? async.data.b == 2 : async.data.c == 3`:     {[]Key{{"/data/a", "1"}, {"/data/c", "3"}}, true},
		`async.data.n == 5u`:                                            {[]Key{{"/data/n", "5"}}, true},
		`async.data.n in [5, 5.5, 6u]`:                                  {[]Key{{"/data/n", "5"}, {"/data/n", "5.5"}, {"/data/n", "6"}}, true},
		`async.data.o == {"b": [true], "a": {}}`:                        {[]Key{{"/data/o", `{"a":{},"b":[true,],}`}}, true},
		`async.data.l == [1, b"x"]`:                                     {nil, false},
		`async.data.o == {"a": b"x"}`:                                   {nil, false},
		`async.data.o == {"a": 1} && async.data.l == [b"x"]`:            {[]Key{{"/data/o", `{"a":1,}`}}, true},
		`!(true || async.data.a != "x")`:                                {[]Key{}, true},
		`!(false || async.data.a != "x")`:                               {[]Key{{"/data/a", `"x`}}, true},
		`!(async.data.a != "x" && false)`:                               {nil, false},
		`!(async.data.a != "x" && true)`:                                {[]Key{{"/data/a", `"x`}}, true},
		`async.data.n in [` + strings.Repeat("1, ", maxLiterals) + `2]`: {nil, false},
		`async.data.s == "` + strings.Repeat("x", 90_000) + `"` + strings.Repeat(` + "x"`, 120):  {nil, false},
		`async.data.id == "u1" && async.data.n in [` + strings.Repeat("1, ", maxLiterals) + `2]`: {[]Key{id}, true},
		`true`:                    {nil, false},
		`false`:                   {[]Key{}, true},
		`null == 1`:               {[]Key{}, true},
		`event.data.x == 1`:       {[]Key{}, true},
		`!true`:                   {[]Key{}, true},
		`!false`:                  {nil, false},
		`async.data.s == "x" + 5`: {[]Key{{"/data/s", `"x5`}}, true},
		`async.data.s == "` + strings.Repeat("x", 200) + `"`: {[]Key{{"/data/s", "#780fde66354f9ae6"}}, true},
		`async == {}`:   {nil, false},
		`async.data.ok`: {nil, false},
	} {
		keys, known := compiled(t, text).Keys()
		if diff := cmp.Diff(want.keys, keys); diff != "" || known != want.known {
			t.Errorf("%s: %t %s", text, known, diff)
		}
	}
}

func TestSubject_KeysAt(t *testing.T) {
	t.Parallel()
	subject := NewSubject(withData(`{"n":1e2,"t":true,"z":null,"s":"a","l":[1,"1",[]],"o":{"k":0},"a/b":{"*~":2},"long":"`+strings.Repeat("x", 200)+`"}`), at)
	for path, want := range map[string][]string{
		"/data/n": {"100"}, "/data/t": {"true"}, "/data/z": {"null"}, "/data/none": {"null"}, "/data/s": {`"a`},
		"/data/l": {`[1,"1,[],]`}, "/data/l/*": {"1", `"1`, "[]"}, "/data/o": {`{"k":0,}`}, "/data/o/*": {`"k`},
		"/data/a~1b/~2~0": {"2"}, "/data/s/*": nil, "/data/none/*": nil, "/name": {`"x/y`}, "/data/long": {"#780fde66354f9ae6"},
	} {
		var got []string
		for _, key := range subject.KeysAt(path) {
			if key.Path != path {
				t.Errorf("%s: at %s", path, key.Path)
			}
			got = append(got, key.Literal)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}
