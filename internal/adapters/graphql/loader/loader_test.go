package loader_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
)

func TestGroup_ReadsOnceForAll(t *testing.T) {
	t.Parallel()
	calls := 0
	group := loader.NewGroup([]int{3, 1, 3, 2}, func(_ context.Context, keys []int) (map[int]string, error) {
		calls++
		if !slices.Equal(keys, []int{3, 1, 2}) {
			t.Errorf("asked for %v", keys)
		}
		return map[int]string{1: "1", 2: "2"}, nil
	})
	var all sync.WaitGroup
	for key := 1; key <= 3; key++ {
		all.Go(func() {
			value, ok, err := group.Get(t.Context(), key)
			if err != nil || ok != (key < 3) || ok && value != strconv.Itoa(key) {
				t.Errorf("%d: %q, %t, %v", key, value, ok, err)
			}
		})
	}
	all.Wait()
	if calls != 1 {
		t.Errorf("read %d times", calls)
	}
}

func TestGroup_FailsForAll(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	group := loader.NewGroup([]int{1}, func(context.Context, []int) (map[int]string, error) { return nil, fault })
	for range 2 {
		if _, _, err := group.Get(t.Context(), 1); !errors.Is(err, fault) {
			t.Errorf("error is %v", err)
		}
	}
	broken := loader.NewGroup([]int{1}, func(context.Context, []int) (map[int]string, error) { panic("broken") })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_, _, _ = broken.Get(t.Context(), 1)
	}()
	if _, ok, err := broken.Get(t.Context(), 1); ok || err == nil {
		t.Errorf("after a read that did not return: %t, %v", ok, err)
	}
}
