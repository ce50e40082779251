package expr

// CheckWait checks the condition of a wait. The error's text is what a client is shown as the fault's stack: "error compiling
// expression: ERROR: <input>:1:21: Syntax error: …". An empty text is an error too. Source: spec 12 §1, 02 §18.
func CheckWait(text string) error {
	_, err := Compile(text)
	return err
}

// MatchAsync reports whether an incoming event, as the variable async, meets the condition of a wait or a cancellation. The variable
// event has no value: what Interpolate left of it is missing. Everything else is as with MatchSubject, errors too.
func (p *Program) MatchAsync(s *Subject) (bool, error) {
	return met(p.run(&frame{async: s, now: s.now}))
}
