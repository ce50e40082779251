package flow

// Keys are what the jobs of a run are ordered and limited by. They are made when the run is scheduled, of its first event, and stay
// with it; the limits are those that the function has when a job is handed out.
type Keys struct {
	// Factor is the run's priority in seconds.
	Factor int
	// Concurrency are its keys for limits of steps.
	Concurrency []ConcurrencyKey
	// Run is its key for the limit of runs, nil for none.
	Run *RunKey
	// Throttle is what its start is throttled by, nil for nothing.
	Throttle *BucketKey
}

// Keys are those of the run that is scheduled; nil when it has none.
func (v *Evaluated) Keys() *Keys {
	if v.Factor == 0 && len(v.Concurrency) == 0 && v.Run == nil && v.Throttle == nil {
		return nil
	}
	return &Keys{Factor: v.Factor, Concurrency: v.Concurrency, Run: v.Run, Throttle: v.Throttle}
}
