package route

import (
	"sync"

	"github.com/ingothq/ingot/internal/domain/expr"
)

// programs keeps compiled conditions. It is safe for concurrent use; several events are routed at once.
type programs struct {
	mu    sync.Mutex
	cache *expr.Cache
}

// compile compiles a condition that may be known. Nobody waits for somebody else's compilation.
func (p *programs) compile(text string) (*expr.Program, error) {
	p.mu.Lock()
	found := p.cache.Find(text)
	p.mu.Unlock()
	if found != nil {
		return found, nil
	}
	program, err := expr.Compile(text)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cache.Keep(program), nil
}
