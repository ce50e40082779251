package sdk_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

const hashedKey = "b2ed992186a5cb19f6668aade821f502c1d00970dfd0e35128d51bac4649916c" // of 12345678

func TestNormalizeKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"signkey-test-12345678":  "12345678",
		"signkey-prod-abcd":      "abcd",
		"signkey-my_env2-abcd":   "abcd",
		"signkey-a-signkey-b-cd": "signkey-b-cd",
		"signkey-a-b-cd":         "b-cd",
		"12345678":               "12345678",
		"signkey--abcd":          "signkey--abcd",
		"signkey-prod":           "signkey-prod",
		"signkey-prod.x-abcd":    "signkey-prod.x-abcd",
		"xsignkey-prod-abcd":     "xsignkey-prod-abcd",
		"signkey-prod-":          "",
		"":                       "",
	} {
		if got := sdk.NormalizeKey(key); got != want {
			t.Errorf("NormalizeKey(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestHashKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"12345678", "signkey-test-12345678"} {
		if got, err := sdk.HashKey(key); err != nil || got != hashedKey {
			t.Errorf("HashKey(%s) = %s, %v", key, got, err)
		}
	}
	if got, err := sdk.HashKey("signkey-test-nothex!"); err == nil {
		t.Errorf("hashed to %s", got)
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	const want = "t=1700000000&s=dd235e13be80839922b79ac9363e479eed2bd0360312bb954c21f326311e31e9"
	for _, test := range []struct{ key, body, want string }{
		{"12345678", `{"a":1,"b":"x"}`, want},
		{"signkey-test-12345678", `{"a":1,"b":"x"}`, want},
		{"signkey-test-12345678", ` {"b":"x", "a":1.0} `, want},
		{"12345678", `{"url":"http://localhost:3000/api/inngest"}`, "t=1700000000&s=79c7e78b659f7161417794ab50cfd64517cf6b5e1bf38b8b10bc47e3789666c5"},
		{"", `{}`, ""},
	} {
		if got, err := sdk.Signature(test.key, []byte(test.body), 1700000000); err != nil || got != test.want {
			t.Errorf("Signature(%s, %s) = %s, %v; want %s", test.key, test.body, got, err, test.want)
		}
	}
	if got, err := sdk.Signature("12345678", []byte("{"), 1700000000); err == nil {
		t.Errorf("signed no JSON: %s", got)
	}
}

func TestCanonicalBody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want string }{
		"empty":           {``, ``},
		"sorted, compact": {" { \"b\" : [ 1 , 2 ],\n\"a\" : null } ", `{"a":null,"b":[1,2]}`},
		"fractions":       {`[1.0,-0.0,1e21,0.1]`, `[1,0,1e+21,0.1]`},
		"big integers":    {`[9007199254740993,12345678901234567890]`, `[9007199254740992,12345678901234567000]`},
		"minus zero":      {`[-0]`, `[0]`},
		"escapes":         {`["\u003cb\u003e","\u2028","\/","\u00e9"]`, "[\"<b>\",\"\u2028\",\"/\",\"é\"]"},
		"UTF-16 order":    {`{"\ufb33":1,"😀":2,"é":3}`, "{\"é\":3,\"😀\":2,\"\ufb33\":1}"},
		"repeated names":  {`{"a":1,"b":9007199254740993,"a":{"x":2,"x":"<"}}`, `{"a":{"x":"<"},"b":9007199254740992}`},
		"broken UTF-8":    {"[\"\xff\"]", "[\"\uFFFD\"]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			original := []byte(test.body)
			if got, err := sdk.CanonicalBody(original); err != nil || string(got) != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
			if string(original) != test.body {
				t.Errorf("the body was changed to %s", original)
			}
		})
	}
	for _, broken := range []string{"{", "[1]x", "nul"} {
		if got, err := sdk.CanonicalBody([]byte(broken)); err == nil {
			t.Errorf("%s became %s", broken, got)
		}
	}
}

func TestSignature_IsOfDoublesAsEverySDKReadsThem(t *testing.T) {
	t.Parallel()
	got, err := sdk.Signature("12345678", []byte(`{"n":9007199254740993}`), 1700000000)
	if want := sdk.Sign("12345678", []byte(`{"n":9007199254740992}`), 1700000000); err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0)
	const body = `{"b":1,"a":2}`
	good, err := sdk.Signature("12345678", []byte(body), at.Unix())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key, header, body string
		now               time.Time
		ok                bool
	}{
		"right":                 {"12345678", good, body, at, true},
		"right, prefixed key":   {"signkey-test-12345678", good, body, at, true},
		"right, other spelling": {"12345678", good, ` {"a":2.0,"b":1}`, at, true},
		"five minutes old":      {"12345678", good, body, at.Add(5 * time.Minute), true},
		"too old":               {"12345678", good, body, at.Add(5*time.Minute + time.Second), false},
		"from the future":       {"12345678", good, body, at.Add(-6 * time.Minute), false},
		"other key":             {"87654321", good, body, at, false},
		"other body":            {"12345678", good, `{}`, at, false},
		"no JSON":               {"12345678", good, `{`, at, false},
		"no signature":          {"12345678", "t=1700000000", body, at, false},
		"no time":               {"12345678", "s=00", body, at, false},
		"unreadable":            {"12345678", "%zz", body, at, false},
		"empty":                 {"12345678", "", body, at, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := sdk.VerifySignature(test.key, test.header, []byte(test.body), test.now)
			if test.ok != (err == nil) || err != nil && !errors.Is(err, sdk.ErrBadSignature) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestVerifyBearer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		key, header string
		want        bool
	}{
		"plain":                      {"12345678", "Bearer 12345678", true},
		"hashed":                     {"12345678", "Bearer " + hashedKey, true},
		"prefixed key":               {"signkey-test-12345678", "Bearer 12345678", true},
		"prefixed token":             {"12345678", "Bearer signkey-prod-12345678", true},
		"prefixed hash":              {"signkey-test-12345678", "bearer signkey-test-" + hashedKey, true},
		"any scheme case, separator": {"12345678", "bEaReR:12345678", true},
		"key that is no hex, plain":  {"secret!", "Bearer secret!", true},
		"hash in capitals":           {"12345678", "Bearer B2ED992186A5CB19F6668AADE821F502C1D00970DFD0E35128D51BAC4649916C", false},
		"two prefixes":               {"12345678", "Bearer signkey-a-signkey-b-12345678", false},
		"other key":                  {"12345678", "Bearer 12345679", false},
		"part of the key":            {"12345678", "Bearer 1234567", false},
		"undefined":                  {"12345678", "Bearer undefined", false},
		"no token":                   {"12345678", "Bearer ", false},
		"scheme only":                {"12345678", "Bearer", false},
		"other scheme":               {"12345678", "Basic  12345678", false},
		"empty header":               {"12345678", "", false},
		"no key":                     {"", "Bearer x", false},
		"no key, empty hash":         {"", "Bearer e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false},
		"prefix without key":         {"signkey-test-", "Bearer signkey-test-", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := sdk.VerifyBearer(test.key, test.header); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestVerifyBearerAny(t *testing.T) {
	t.Parallel()
	keys := []string{"", "87654321", "signkey-test-12345678", "12345678"}
	for token, want := range map[string]bool{"12345678": true, hashedKey: true, "87654321": true, "11111111": false, "": false} {
		if got := sdk.VerifyBearerAny(keys, "Bearer "+token); got != want {
			t.Errorf("token %q: got %v", token, got)
		}
	}
	if sdk.VerifyBearerAny(nil, "Bearer 12345678") {
		t.Error("accepted without any key")
	}
}

// FuzzVerifySignature: a foreign header is refused, and what was signed is accepted.
func FuzzVerifySignature(f *testing.F) {
	f.Add("t=1700000000&s=dd235e13be80839922b79ac9363e479eed2bd0360312bb954c21f326311e31e9", []byte(`{"a":1,"b":"x"}`))
	f.Add("t=1&s=", []byte(`{"a":1,"a":2}`))
	f.Add("", []byte(``))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		at := time.Unix(1700000000, 0)
		signed, err := sdk.Signature("12345678", body, at.Unix())
		if err != nil {
			if sdk.VerifySignature("12345678", header, body, at) == nil {
				t.Fatalf("%q accepted for a body that cannot be signed", header)
			}
			return
		}
		if err := sdk.VerifySignature("12345678", signed, body, at); err != nil {
			t.Fatalf("own signature of %q refused: %v", body, err)
		}
		if header != signed && sdk.VerifySignature("87654321", header, body, at) == nil {
			t.Fatalf("%q accepted with a key that never signed", header)
		}
	})
}

func TestCanonicalBody_IsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(`{"` + rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "name") + `":` + rapid.StringMatching(`-?[1-9][0-9]{0,25}(\.[0-9]{1,3})?`).Draw(t, "number") + `}`)
		once, err := sdk.CanonicalBody(text)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := sdk.CanonicalBody(once); err != nil || string(twice) != string(once) {
			t.Fatalf("%s became %s, then %s, %v", text, once, twice, err)
		}
	})
}

func BenchmarkSignature(b *testing.B) {
	memos := make([]string, 50)
	for i := range memos {
		memos[i] = `{"data":{"n":1,"text":"hello world"}}`
	}
	text := []byte(body(b, anInput(memos...)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sdk.Signature("12345678", text, 1700000000); err != nil {
			b.Fatal(err)
		}
	}
}
