package function_test

import (
	"slices"
	"testing"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestSlugs(t *testing.T) {
	t.Parallel()
	if got := function.Slugs("acme", "acme-fn"); !slices.Equal(got, []string{"acme-fn", "acme-acme-fn"}) {
		t.Errorf("slugs are %v", got)
	}
}
