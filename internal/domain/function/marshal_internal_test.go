package function

import "testing"

func TestMustMarshal_PanicsOnWhatHasNoJSON(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a channel was encoded")
		}
	}()
	mustMarshal(make(chan int))
}
