package replay

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestIsNewToken(t *testing.T) {
	t.Parallel()
	token := func(claims string) string {
		return "head." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".signature"
	}
	recorded := token(`{"iat":100,"exp":160,"jti":"01M85B56TVYKQ1H05Z3MZNTBAK","env":"e"}`)
	now := time.Now()
	id := ulid.MustNewDefault(now)
	for name, test := range map[string]struct {
		got  string
		want bool
	}{
		"made now":           {fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"%s","env":"e"}`, now.Unix(), now.Unix()+60, id), true},
		"of another time":    {fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"%s","env":"e"}`, now.Unix()-6000, now.Unix()-5940, id), false},
		"with another life":  {fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"%s","env":"e"}`, now.Unix(), now.Unix()+61, id), false},
		"with an old ID":     {fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"01JQE1K13Q1A4D1B5XF0M1S2E0","env":"e"}`, now.Unix(), now.Unix()+60), false},
		"of another env":     {fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"%s","env":"f"}`, now.Unix(), now.Unix()+60, id), false},
		"with another claim": {fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"%s","env":"e","x":1}`, now.Unix(), now.Unix()+60, id), false},
		"of no JSON":         {"x", false},
	} {
		if got := isNewToken(recorded, token(test.got)); got != test.want {
			t.Errorf("a token %s: %v", name, got)
		}
	}
	for _, text := range []string{"", "a.b", "other." + strings.Split(recorded, ".")[1] + ".x", "head.!.x"} {
		if isNewToken(recorded, text) {
			t.Errorf("%q is a token", text)
		}
	}
}

// isNewToken says whether a JSON Web Token is the recorded one, made again now: another ID, other times and thus another
// signature, and the same in all else, with the same time to live.
func isNewToken(recorded, got string) bool {
	wantHeader, want := tokenParts(recorded)
	gotHeader, have := tokenParts(got)
	if wantHeader != gotHeader || want == nil || have == nil {
		return false
	}
	issued, _ := have["iat"].(float64)
	if time.Since(time.Unix(int64(issued), 0)).Abs() > 10*time.Minute || lifetime(want) != lifetime(have) {
		return false
	}
	id, _ := have["jti"].(string)
	if _, random := want["jti"]; random && !isRecentULID(id) {
		return false
	}
	for _, varies := range []string{"iat", "exp", "jti"} {
		delete(want, varies)
		delete(have, varies)
	}
	return reflect.DeepEqual(want, have)
}

func lifetime(claims map[string]any) float64 {
	issued, _ := claims["iat"].(float64)
	expires, _ := claims["exp"].(float64)
	return expires - issued
}

func tokenParts(token string) (header string, claims map[string]any) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return "", nil
	}
	return parts[0], claims
}
