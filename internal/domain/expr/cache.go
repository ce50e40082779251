package expr

import (
	recent "container/list"
	"sync"
)

// Cache keeps the programs of the texts that were used last, up to a bound. It is safe for concurrent use. Texts that do not compile
// are not kept.
type Cache struct {
	size     int
	mutex    sync.Mutex
	byText   map[string]*recent.Element
	lastUsed *recent.List // of *Program, the last used in front
}

// NewCache is an empty cache for at most so many programs, at least one.
func NewCache(size int) *Cache {
	return &Cache{size: max(size, 1), byText: map[string]*recent.Element{}, lastUsed: recent.New()}
}

// Compile is Compile, of a text that may be known. Two calls at the same time may both compile a new text.
func (c *Cache) Compile(text string) (*Program, error) {
	if found := c.find(text); found != nil {
		return found, nil
	}
	program, err := Compile(text)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if found, known := c.byText[text]; known {
		return found.Value.(*Program), nil
	}
	c.byText[text] = c.lastUsed.PushFront(program)
	if c.lastUsed.Len() > c.size {
		oldest := c.lastUsed.Remove(c.lastUsed.Back()).(*Program)
		delete(c.byText, oldest.text)
	}
	return program, nil
}

func (c *Cache) find(text string) *Program {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	found, known := c.byText[text]
	if !known {
		return nil
	}
	c.lastUsed.MoveToFront(found)
	return found.Value.(*Program)
}

// Len is how many programs are kept.
func (c *Cache) Len() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.lastUsed.Len()
}
