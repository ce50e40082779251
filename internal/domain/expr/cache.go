package expr

import recent "container/list"

// Cache keeps the programs of the texts that were used last, up to a bound. It is not safe for concurrent use; a caller with a lock can
// compile outside of it, between Find and Keep. Texts that do not compile are not kept.
type Cache struct {
	size     int
	byText   map[string]*recent.Element
	lastUsed *recent.List // of cached, the last used in front
}

// cached is a program under the text that it is found by, which for that of an index is not its own.
type cached struct {
	text    string
	program *Program
}

// NewCache is an empty cache for at most so many programs, at least one.
func NewCache(size int) *Cache {
	return &Cache{size: max(size, 1), byText: map[string]*recent.Element{}, lastUsed: recent.New()}
}

// Compile is Compile, of a text that may be known.
func (c *Cache) Compile(text string) (*Program, error) {
	if found := c.Find(text); found != nil {
		return found, nil
	}
	program, err := Compile(text)
	if err != nil {
		return nil, err
	}
	return c.Keep(program), nil
}

// Find is the program of a text, nil if it is not kept.
func (c *Cache) Find(text string) *Program {
	found, known := c.byText[text]
	if !known {
		return nil
	}
	c.lastUsed.MoveToFront(found)
	return found.Value.(cached).program
}

// Keep keeps a program and returns it, or the one that is kept for its text already.
func (c *Cache) Keep(program *Program) *Program { return c.keep(program.text, program) }

func (c *Cache) keep(text string, program *Program) *Program {
	if found := c.Find(text); found != nil {
		return found
	}
	c.byText[text] = c.lastUsed.PushFront(cached{text, program})
	if c.lastUsed.Len() > c.size {
		delete(c.byText, c.lastUsed.Remove(c.lastUsed.Back()).(cached).text)
	}
	return program
}

// Len is how many programs are kept.
func (c *Cache) Len() int { return c.lastUsed.Len() }
