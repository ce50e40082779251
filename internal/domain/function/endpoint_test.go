package function

import "testing"

func TestEndpoint_IsTheReferences(t *testing.T) {
	t.Parallel()
	retries := 0
	app, fn := Endpoint("https://example.com", "GET /api/users", "GET", &retries)
	if app.ID.String() != "ae96cb58-46ab-5bab-a9af-05ed3a1876f5" || app.Name != "https://example.com" || app.URL != app.Name || app.Method != MethodAPI {
		t.Errorf("app %+v", app)
	}
	if fn.ID.String() != "443a7e4f-0b0b-57d1-9c30-80163cf71fcf" || fn.AppID != app.ID || fn.MaxAttempts() != 1 || !fn.IsEndpoint() {
		t.Errorf("function %+v", fn)
	}
	const config = `{"cv":1,"id":"443a7e4f-0b0b-57d1-9c30-80163cf71fcf","fv":1,"name":"GET /api/users","slug":"GET /api/users","triggers":null,` +
		`"steps":[{"id":"step","name":"GET /api/users","uri":"https://example.com","retries":0}],"driver":{"uri":"https://example.com","metadata":{"method":"GET","type":"sync"}}}`
	if string(fn.Config) != config {
		t.Errorf("config %s", fn.Config)
	}
	read, err := ParseConfig(fn.Config)
	if err != nil || !read.IsEndpoint() || read.MaxAttempts() != 1 {
		t.Errorf("read back %+v, %v", read, err)
	}
	if plan := EndpointPlan(app, fn); len(plan.Put) != 1 || len(plan.Archive) != 0 || plan.Empty() {
		t.Errorf("plan %+v", plan)
	}
}

func TestEndpoint_Retries(t *testing.T) {
	t.Parallel()
	for retries, want := range map[int]int{-1: 5, 0: 1, 3: 4, 20: 21, 99: 21} {
		if _, fn := Endpoint("https://example.com", "my-fn", "POST", &retries); fn.MaxAttempts() != want {
			t.Errorf("%d retries: %d attempts, want %d", retries, fn.MaxAttempts(), want)
		}
	}
	_, fn := Endpoint("https://example.com", "my-fn", "POST", nil)
	if fn.MaxAttempts() != 5 || fn.ID.String() != "d676d72d-9003-5ca1-828c-b0a9e42c8bf4" {
		t.Errorf("%+v", fn)
	}
	if (Function{}).IsEndpoint() || (Function{Settings: Settings{Driver: &Driver{}}}).IsEndpoint() {
		t.Error("a plain function is an endpoint")
	}
}
