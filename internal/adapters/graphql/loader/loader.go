// Package loader reads what the items of a list need for all of them at once, so that a list costs a fixed number of reads.
//
// Items hold a pointer to what they share. Nothing is read before an item is asked for it, nothing is read twice, and no item waits
// for others to be asked first.
package loader

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// Group is something that each of a list's items has at most one of. It is safe for concurrent use, within one request.
type Group[K comparable, V any] struct {
	keys []K
	read func(context.Context, []K) (map[K]V, error)

	once  sync.Once
	found map[K]V
	err   error
}

// NewGroup returns a group that calls read with all keys, each once, when it is asked first.
func NewGroup[K comparable, V any](keys []K, read func(context.Context, []K) (map[K]V, error)) *Group[K, V] {
	return &Group[K, V]{keys: keys, read: read}
}

// errBroken is what items find after a read that did not return.
var errBroken = errors.New("could not be read for another item of the list")

// Get returns what belongs to the key; ok is false when there is nothing.
func (g *Group[K, V]) Get(ctx context.Context, key K) (value V, ok bool, err error) {
	g.once.Do(func() {
		g.err = errBroken
		g.found, g.err = g.read(ctx, unique(g.keys))
	})
	if g.err != nil {
		return value, false, g.err
	}
	value, ok = g.found[key]
	return value, ok, nil
}

func unique[K comparable](keys []K) []K {
	seen := make(map[K]bool, len(keys))
	return slices.DeleteFunc(slices.Clone(keys), func(key K) bool {
		again := seen[key]
		seen[key] = true
		return again
	})
}

// Apps are those of a list, archived or not.
type Apps struct {
	*Group[uuid.UUID, ports.AppRecord]
}

// NewApps returns a group of the apps with the IDs.
func NewApps(catalog ports.Catalog, ids []uuid.UUID) *Apps {
	return &Apps{NewGroup(ids, byID(catalog.AppsByID, func(app ports.AppRecord) uuid.UUID { return app.ID }))}
}

// Functions are those of a list, archived or not, and with them their apps.
type Functions struct {
	*Group[uuid.UUID, function.Function]
	Apps *Apps
}

// NewFunctions returns a group of the functions with the IDs, which belong to the apps.
func NewFunctions(catalog ports.Catalog, ids []uuid.UUID, apps *Apps) *Functions {
	return &Functions{NewGroup(ids, byID(catalog.FunctionsByID, func(fn function.Function) uuid.UUID { return fn.ID })), apps}
}

// Active are all active functions, by app and by slug.
type Active struct {
	*Group[uuid.UUID, []function.Function]
}

// NewActive returns a group that reads the active functions of all apps.
func NewActive(catalog ports.Catalog) *Active {
	return &Active{NewGroup(nil, func(ctx context.Context, _ []uuid.UUID) (map[uuid.UUID][]function.Function, error) {
		all, err := catalog.Functions(ctx)
		found := map[uuid.UUID][]function.Function{}
		for _, fn := range all {
			found[fn.AppID] = append(found[fn.AppID], fn)
		}
		return found, err
	})}
}

// WithSlug returns the function of that slug, of several apps' the first in the order of IDs; nil when there is none.
func (a *Active) WithSlug(ctx context.Context, slug string) (*function.Function, error) {
	if _, _, err := a.Get(ctx, uuid.Nil); err != nil {
		return nil, err
	}
	var found *function.Function
	for _, list := range a.found {
		for i, fn := range list {
			if fn.Slug == slug && (found == nil || fn.ID.String() < found.ID.String()) {
				found = &list[i]
			}
		}
	}
	return found, nil
}

// byID makes a map of what a port lists.
func byID[K comparable, V any](list func(context.Context, []K) ([]V, error), key func(V) K) func(context.Context, []K) (map[K]V, error) {
	return func(ctx context.Context, keys []K) (map[K]V, error) {
		values, err := list(ctx, keys)
		found := make(map[K]V, len(values))
		for _, value := range values {
			found[key(value)] = value
		}
		return found, err
	}
}
