package embedded

import (
	"log/slog"
	"time"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
)

// Config says where the engine keeps its data and how much of it it holds in memory. Zero fields mean the default.
type Config struct {
	// Dir is the directory of main.db; it is made when missing. Empty keeps everything in memory, for as long as the
	// engine is open.
	Dir string
	// Clock tells the time, and wakes what waits. Default: the system's.
	Clock ports.Clock
	// Logger gets what an operator should know. Default: nothing is logged.
	Logger *slog.Logger

	// CacheBytes bounds the states of runs in progress that are kept in memory. Default: 64 MiB, and 16 MiB in memory
	// mode. Negative: none is kept, and every call of a run reads its history.
	CacheBytes int
	// EventBufferBytes bounds the events that are kept in memory until they are routed; those beyond it are read back.
	// Default: 16 MiB. Negative: all are read back.
	EventBufferBytes int

	// KeepRuns and KeepEvents are how many finished runs, and events that neither a run in progress nor a hold needs, are kept; older
	// ones are deleted. Default: everything on disk; 10,000 runs and 20,000 events in memory. Negative: everything.
	KeepRuns, KeepEvents int
	// KeepKeys is how many idempotency keys are kept within their 24 hours. Default: all on disk, 50,000 in memory, where
	// they would fill it. Negative: all.
	KeepKeys int

	// Steps are the limits of steps that hold for every function with settings (ports.Queue.Limit) without being asked for. Default: none.
	Steps flow.Defaults

	// Meter is told what the queue hands out, and which limits it meets. Default: nobody is.
	Meter ports.Meter

	// fault is called before each write; tests make it fail.
	fault func() error
	// unsynced leaves out the syncs of the file, for tests: what they kill are processes, not the system.
	unsynced bool
	// busy is how long a statement waits for another process that has locked the file. Default: 5 seconds.
	busy time.Duration
}

// Defaults of Config.
const (
	defaultCacheBytes       = 64 << 20
	defaultMemoryCacheBytes = 16 << 20
	defaultEventBufferBytes = 16 << 20
	defaultMemoryRuns       = 10_000
	defaultMemoryEvents     = 20_000
	defaultMemoryKeys       = 50_000
	defaultBusy             = 5 * time.Second
)

// withDefaults returns c with every zero field filled in.
func (c Config) withDefaults() Config {
	memory := c.Dir == ""
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.busy == 0 {
		c.busy = defaultBusy
	}
	c.CacheBytes = orDefault(c.CacheBytes, defaultCacheBytes, memory, defaultMemoryCacheBytes)
	c.EventBufferBytes = orDefault(c.EventBufferBytes, defaultEventBufferBytes, memory, defaultEventBufferBytes)
	c.KeepRuns = orDefault(c.KeepRuns, -1, memory, defaultMemoryRuns)
	c.KeepEvents = orDefault(c.KeepEvents, -1, memory, defaultMemoryEvents)
	c.KeepKeys = orDefault(c.KeepKeys, -1, memory, defaultMemoryKeys)
	return c
}

// orDefault returns value, or the default of the mode when it is zero.
func orDefault(value, onDisk int, memory bool, inMemory int) int {
	switch {
	case value != 0:
		return value
	case memory:
		return inMemory
	}
	return onDisk
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
