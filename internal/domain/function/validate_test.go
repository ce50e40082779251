package function_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
)

// refuseBad refuses the expression "bad", and as a condition also "size(a)".
var refuseBad = function.Checks{
	Expression: func(text string) error { return refuse(text, "bad") },
	Condition:  func(text string) error { return refuse(text, "bad", "size(a)") },
}

func refuse(text string, bad ...string) error {
	for _, known := range bad {
		if text == known {
			return errors.New("not so: " + text)
		}
	}
	return nil
}

// The texts that no recording holds; the others are compared in TestSync_AnswersAsRecorded.
func TestConvert_Complains(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("e", 256)
	for name, c := range map[string]struct {
		members string
		want    []string
	}{
		"nothing wrong":              {`{}`, nil},
		"null triggers":              {`{"triggers":null}`, nil},
		"a null event is no event":   {`{"triggers":[{"event":null,"cron":"* * * * *"}]}`, nil},
		"expression without event":   {`{"triggers":[{"expression":"a"}]}`, []string{"An event trigger must specify an event name"}},
		"jitter without cron":        {`{"triggers":[{"jitter":"1s"}]}`, []string{"'' isn't a valid cron schedule"}},
		"jitter in bounds":           {`{"triggers":[{"cron":"0 0 * * *","jitter":"5m"},{"cron":"0 1 * * *","jitter":"0"}]}`, nil},
		"long event, bad expression": {`{"triggers":[{"event":"` + long + `","expression":"bad"}]}`, []string{"event name is too long. maximum length is 255 characters", "invalid trigger expression on '" + long + "': not so: bad"}},
		"same event, other filter":   {`{"triggers":[{"event":"a","expression":"x"},{"event":"a","expression":"y"},{"event":"a"}]}`, nil},
		"same event and filter":      {`{"triggers":[{"event":"a","expression":"x"},{"event":"a","expression":"x"}]}`, []string{"duplicate trigger event: a"}},
		"step URL is no URL":         {`{"steps":{"step":{"name":"s","runtime":{"url":"http://a b/"}}}}`, []string{`Invalid step URL: parse "http://a b/": invalid character " " in host name`}},
		"step URL is a number":       {`{"steps":{"step":{"name":"s","runtime":{"url":7}}}}`, []string{"No SDK URL provided for function 'f'"}},
		"websocket step":             {`{"steps":{"step":{"name":"s","runtime":{"url":"wss://connect?fnId=f"}}}}`, nil},
		"run limit key":              {`{"concurrency":{"fn":[{"limit":1,"key":"bad"}]}}`, []string{"invalid function concurrency key 'bad': not so: bad"}},
		"run limit scope":            {`{"concurrency":{"fn":[{"limit":1,"scope":"env"}]}}`, []string{"invalid function concurrency scope: env"}},
		"account scope without key":  {`{"concurrency":{"limit":1,"scope":"account"}}`, []string{"A concurrency key must be specified for Account scoped limits"}},
		"batch of wrong kind":        {`{"batchEvents":{"maxSize":"x","timeout":"1s"}}`, []string{"failed to decode batch config: 'maxSize' cannot be a string"}},
		"batch and priority":         {`{"batchEvents":{"maxSize":2,"timeout":"1s"},"priority":{"run":"bad"}}`, []string{"A function cannot specify Priority.Run and Batch together", "Priority.Run expression is invalid: not so: bad"}},
		"debounce of a week":         {`{"debounce":{"period":"1w","key":""}}`, nil},
		"debounce without a period":  {`{"debounce":{"key":"bad"}}`, []string{"Debounce expression is invalid: not so: bad", `The debounce period of '' is invalid: time: invalid duration ""`, "The debounce period of '' is less than the min of: 1s"}},
		"rate limit, all wrong":      {`{"rateLimit":{"limit":-1,"key":"bad"}}`, []string{"limit must be greater than 0", "key is invalid: not so: bad", "period must be specified"}},
		"cancel with a call":         {`{"cancel":[{"event":"e","if":"size(a)"}]}`, []string{"Cancellation expression is invalid: not so: size(a)"}},
		"not validated": {`{"timeouts":{"start":"soon"},"throttle":{"limit":1,"key":"bad","period":"0s"},"singleton":{"key":"bad","mode":"skip"},
			"debounce":{"period":"1s","timeout":"soon"},"cancel":[{"event":"","timeout":"soon"}],"concurrency":-1}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := declare(t, c.members).Convert(refuseBad)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestConvert_NamesTheSlug(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, name, want string }{
		"as declared":     {"app-f", "Other", "app-f"},
		"of the name":     {"", "My  Function, v2!", "my-function-v2"},
		"nothing to use":  {"", "?!", ""},
		"letters at all":  {"", "Grün_ß", "grün_ß"},
		"dashes in front": {"", "-- a", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := function.Declared{ID: c.id, Name: c.name}.Convert(acceptAll)
			if f.Slug != c.want {
				t.Errorf("slug = %q, want %q", f.Slug, c.want)
			}
		})
	}
}

func TestConvert_Retries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members     string
		retries     int
		maxAttempts int
	}{
		"none named":                {`{"steps":{"s":{"runtime":{"url":"x"}}}}`, -99, 5},
		"of the step":               {`{"retries":7,"steps":{"s":{"runtime":{"url":"x"},"retries":{"attempts":2}}}}`, 2, 3},
		"of the function":           {`{"retries":7,"steps":{"s":{"runtime":{"url":"x"},"retries":null}}}`, 7, 8},
		"of the function, no count": {`{"retries":7,"steps":{"s":{"runtime":{"url":"x"},"retries":{}}}}`, 7, 8},
		"cut":                       {`{"steps":{"s":{"runtime":{"url":"x"},"retries":{"attempts":21}}}}`, 20, 21},
		"zero":                      {`{"retries":7,"steps":{"s":{"runtime":{"url":"x"},"retries":{"attempts":0}}}}`, 0, 1},
		"negative":                  {`{"steps":{"s":{"runtime":{"url":"x"},"retries":{"attempts":-1}}}}`, -1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := decode(t, `{"functions":[`+c.members+`]}`)
			f, _ := request.Functions[0].Convert(acceptAll)
			got := -99
			if f.Step.Retries != nil {
				got = *f.Step.Retries
			}
			if got != c.retries || f.MaxAttempts() != c.maxAttempts {
				t.Errorf("retries %d, attempts %d; want %d, %d", got, f.MaxAttempts(), c.retries, c.maxAttempts)
			}
		})
	}
}

func TestValidCron(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"* * * * *", "*/5 * * * *", "5/10 * * * *", "*/100 * * * *", "1,2,3 * * * *", "0 0 1 jan *", "0 0 * jan-mar *",
		"0 0 * * SUN", "0 0 * * mon-fri", "0 0 ? * ?", "0 0 30 2 *", "  *  *\t* * * ", "* * * * *,", "TZ=UTC * * * * *",
		"TZ=Europe/Paris 0 9 * * *", "CRON_TZ=America/New_York 0 9 * * *", "CRON_TZ= * * * * *",
	} {
		if !function.ValidCron(text) {
			t.Errorf("%q is refused", text)
		}
	}
	for _, text := range []string{
		"0 0 * * 7", "60 * * * *", "0 24 * * *", "0 0 32 * *", "0 0 0 * *", "0 0 * 13 *", "0-70 * * * *", "10-5 * * * *",
		"*/0 * * * *", "-1 * * * *", "1.5 * * * *", "a * * * *", "0 0 L * *", "0 0 1W * *", "0 0 * * 1#2", "* * * *",
		"* * * * * *", "", "@daily", "@every 1h", "TZ=Nowhere/X * * * * *", "TZ=UTC 0 9 * *", "TZ=UTC", "CRON_TZ=UTC", "TZ=",
	} {
		if function.ValidCron(text) {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	if got, want := function.ErrorText([]string{"a", "b"}), "2 errors occurred: * a * b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
