package expr

// MatchAsync reports whether an incoming event, as the variable async, meets the condition of a wait or a cancellation. The variable
// event has no value: what Interpolate left of it is missing. Everything else is as with MatchSubject, errors too.
func (p *Program) MatchAsync(s *Subject) (bool, error) {
	return met(p.run(&frame{async: s, now: s.now}))
}
