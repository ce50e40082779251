package flow

// Capacity counts what runs at once. It is a plain structure in memory: each operation costs a few look-ups per constraint of the item,
// however much runs or waits. It is not safe for concurrent use.
//
// An item takes a place in each of its constraints at once, or in none. Whoever is refused waits under the constraint that refused it, until
// Release or SetLimit names it; other items go on. The limit is with the constraint, because functions that share a counter have limits of
// their own; when a function's limits change, what waits of it is to be tried again.
//
// Source: spec 11 §8.
type Capacity struct {
	counters map[string]*counter
	limits   map[string]int // of SetLimit
}

// counter is how many hold a constraint. It is dropped when nobody does.
type counter struct {
	held int
	// low is the lowest limit that a taker has named since it exists. Nobody has been refused below it.
	low int
}

// Constraint is a counter in which an item needs a place.
type Constraint struct {
	Key string
	// Limit is how many may hold it for this item to be among them. 0 or below refuses.
	Limit int
}

// NewCapacity is a Capacity with everything free.
func NewCapacity() *Capacity {
	return &Capacity{counters: map[string]*counter{}, limits: map[string]int{}}
}

// TryTake takes a place in each of the constraints if all have room. Otherwise nothing changes and it returns the key of the last that has
// none. A key that is there twice is taken once, within both limits.
func (c *Capacity) TryTake(constraints []Constraint) (blockedBy string, ok bool) {
	ok = true
	for _, one := range constraints {
		limit := c.limitOf(one)
		found := c.counters[one.Key]
		if found != nil {
			found.low = min(found.low, limit)
		}
		if found.count() >= limit {
			blockedBy, ok = one.Key, false
		}
	}
	if ok {
		c.Hold(constraints)
	}
	return blockedBy, ok
}

// Refuses is the constraint that TryTake would refuse, with its limit as it is for these constraints; false when it would take them.
func (c *Capacity) Refuses(constraints []Constraint) (Constraint, bool) {
	var refused Constraint
	found := false
	for _, one := range constraints {
		if limit := c.limitOf(one); c.Held(one.Key) >= limit {
			refused, found = Constraint{Key: one.Key, Limit: limit}, true
		}
	}
	return refused, found
}

// Hold takes a place in each of the constraints, with or without room: for what runs already when the server starts.
func (c *Capacity) Hold(constraints []Constraint) {
	for at, one := range constraints {
		limit := c.limitOf(one)
		found := c.counters[one.Key]
		if found == nil {
			found = &counter{low: limit}
			c.counters[one.Key] = found
		}
		found.low = min(found.low, limit)
		if !named(constraints[:at], one.Key) {
			found.held++
		}
	}
}

// Release gives back what TryTake or Hold took, by the same keys, and returns those that had no room and may have some now. Who waits
// under them is to be tried again; one that is refused again waits for the next time. A key that nobody holds is ignored.
func (c *Capacity) Release(constraints []Constraint) []string {
	var room []string
	for at, one := range constraints {
		found := c.counters[one.Key]
		if found == nil || named(constraints[:at], one.Key) {
			continue
		}
		if found.held >= found.low {
			room = append(room, one.Key)
		}
		if found.held--; found.held == 0 {
			delete(c.counters, one.Key)
		}
	}
	return room
}

// SetLimit bounds a key for all takers, whatever limit they name: for a capacity that changes while they wait, such as that of connected
// workers. It returns whether there is room where there may have been none. A negative limit removes the bound. What is held stays held.
func (c *Capacity) SetLimit(key string, limit int) bool {
	before, bounded := c.limits[key]
	if limit < 0 {
		delete(c.limits, key)
		return bounded
	}
	c.limits[key] = limit
	if found := c.counters[key]; found != nil {
		found.low = min(found.low, limit)
	}
	held := c.Held(key)
	return bounded && limit > before && held < limit
}

// Held is how many hold the key.
func (c *Capacity) Held(key string) int { return c.counters[key].count() }

func (c *counter) count() int {
	if c == nil {
		return 0
	}
	return c.held
}

func (c *Capacity) limitOf(one Constraint) int {
	if bound, found := c.limits[one.Key]; found {
		return min(one.Limit, bound)
	}
	return one.Limit
}

func named(constraints []Constraint, key string) bool {
	for _, one := range constraints {
		if one.Key == key {
			return true
		}
	}
	return false
}
