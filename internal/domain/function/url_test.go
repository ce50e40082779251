package function_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestNormalizeURL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ url, want string }{
		"deployId goes":              {"http://127.0.0.1:3000/api/inngest?fnId=x&deployId=1", "http://localhost:3000/api/inngest?fnId=x"},
		"probe goes":                 {"http://h/a?probe=trust", "http://h/a"},
		"query is sorted":            {"https://ex.com:443/a?b=2&a=1", "https://ex.com/a?a=1&b=2"},
		"loopback without port":      {"http://127.0.0.1/a", "http://127.0.0.1/a"},
		"default port goes first":    {"http://127.0.0.1:80/a", "http://127.0.0.1/a"},
		"unspecified address":        {"http://0.0.0.0:3000/a", "http://localhost:3000/a"},
		"localhost stays":            {"http://localhost:3000/a", "http://localhost:3000/a"},
		"default port of wss":        {"wss://h:443/a", "wss://h/a"},
		"default port of ws":         {"ws://h:80/a", "ws://h/a"},
		"port of the other scheme":   {"http://h:443/a", "http://h:443/a"},
		"IPv6 stays":                 {"http://[::1]:3000/a", "http://[::1]:3000/a"},
		"IPv6 loses a default port":  {"http://[::1]:80/a", "http://[::1]/a"},
		"other address stays":        {"http://10.0.0.1:3000/a", "http://10.0.0.1:3000/a"},
		"connect URL":                {"ws://connect?app_name=my-app", "ws://connect?app_name=my-app"},
		"not a URL":                  {"http://a b:%zz/", "http://a b:%zz/"},
		"empty":                      {"", ""},
		"address as part of a name":  {"http://127.0.0.1.nip.io:3000/", "http://127.0.0.1.nip.io:3000/"},
		"credentials and loopback":   {"http://u:p@127.0.0.1:3000/", "http://u:p@localhost:3000/"},
		"repeated keys keep order":   {"http://h/?b=2&b=1&a=0", "http://h/?a=0&b=2&b=1"},
		"fragment and path survive":  {"http://h/a%2Fb?x=1#f", "http://h/a%2Fb?x=1#f"},
		"reserved query is reworded": {"http://h/?q=a b", "http://h/?q=a+b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := function.NormalizeURL(c.url); got != c.want {
				t.Errorf("NormalizeURL(%q) = %q, want %q", c.url, got, c.want)
			}
		})
	}
}

func TestNormalizeURL_TwiceIsOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		url := rapid.StringMatching(`(http|https|ws|wss)://(127\.0\.0\.1|0\.0\.0\.0|localhost|h\.com|\[::1\])(:(80|443|3000))?(/[a-z%]{0,4})?(\?([a-cA-Z]|deployId|probe)=[a-z%&;=]{0,6})?`).Draw(t, "url")
		once := function.NormalizeURL(url)
		if twice := function.NormalizeURL(once); twice != once {
			t.Errorf("%q becomes %q, then %q", url, once, twice)
		}
	})
}
