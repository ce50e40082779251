package run

import (
	"testing"

	"github.com/oklog/ulid/v2"
)

func TestTrace_BelongsToTheRun(t *testing.T) {
	t.Parallel()
	s, _ := aRun()
	trace := s.Trace()
	if len(trace.ID) != 32 || len(trace.Parent) != len("00-")+32+1+16+len("-01") {
		t.Errorf("got %+v", trace)
	}
	if again := s.Trace(); again != trace {
		t.Errorf("got %+v, then %+v", trace, again)
	}
	s.ID = ulid.Make()
	if other := s.Trace(); other.ID == trace.ID || other.Parent == trace.Parent {
		t.Error("two runs share a trace")
	}
}
