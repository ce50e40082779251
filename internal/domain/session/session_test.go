package session_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/session"
)

var (
	began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id    = ulid.MustParse("01JQE1K13Q1A4D1B5XF0M1S2E0")
)

func TestClaims_Validate(t *testing.T) {
	t.Parallel()
	good := session.New(id, began)
	other := good
	other.Issuer = "rt.inngest.com"
	endless := good
	endless.ExpiresAt = began.Add(20 * session.Longest).Unix()
	for name, test := range map[string]struct {
		claims session.Claims
		at     time.Time
		want   error
	}{
		"new":                    {good, began, nil},
		"to its last second":     {good, began.Add(session.Idle - time.Second), nil},
		"over":                   {good, began.Add(session.Idle), session.ErrExpired},
		"not begun":              {good, began.Add(-time.Second), session.ErrFromLater},
		"of another issuer":      {other, began, session.ErrIssuer},
		"nothing":                {session.Claims{}, began, session.ErrIssuer},
		"longer than any may be": {endless, began.Add(session.Longest), session.ErrExpired},
	} {
		if err := test.claims.Validate(test.at); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if !good.Expires().Equal(began.Add(session.Idle)) || !good.End().Equal(began.Add(session.Longest)) {
		t.Errorf("expires %s, ends %s", good.Expires(), good.End())
	}
}

func TestClaims_Renew(t *testing.T) {
	t.Parallel()
	c := session.New(id, began)
	for after, want := range map[time.Duration]bool{0: false, session.Idle / 2: false, session.Idle/2 + time.Second: true, session.Idle - time.Second: true} {
		if _, ok := c.Renew(began.Add(after)); ok != want {
			t.Errorf("after %s: %t", after, ok)
		}
	}
	next, _ := c.Renew(began.Add(7 * time.Hour))
	if next.ID != c.ID || next.BeganAt != c.BeganAt || !next.Expires().Equal(began.Add(19*time.Hour)) {
		t.Errorf("renewed to %+v", next)
	}
}

// TestClaims_EndWhateverIsDone: a session that is used all the time is good all the time, and then ends.
func TestClaims_EndWhateverIsDone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, now := session.New(id, began), began
		for {
			now = now.Add(time.Duration(rapid.IntRange(1, int(session.Idle/2/time.Second)-1).Draw(t, "pause")) * time.Second)
			if !now.Before(began.Add(session.Longest)) {
				break
			}
			if err := c.Validate(now); err != nil {
				t.Fatalf("at %s: %v", now, err)
			}
			if next, ok := c.Renew(now); ok {
				if next.ExpiresAt <= c.ExpiresAt || next.Expires().After(c.End()) {
					t.Fatalf("renewed from %+v to %+v", c, next)
				}
				c = next
			}
		}
		if err := c.Validate(now); !errors.Is(err, session.ErrExpired) {
			t.Fatalf("at %s: %v", now, err)
		}
	})
}

func TestEnded(t *testing.T) {
	t.Parallel()
	var ended session.Ended
	c := session.New(id, began)
	if ended.Has(c) {
		t.Error("ended before it was")
	}
	ended.Add(c, began)
	renewed, _ := c.Renew(began.Add(7 * time.Hour))
	if !ended.Has(c) || !ended.Has(renewed) {
		t.Error("goes on")
	}
	later := session.New(ulid.MustParse("01JQE1K13Q1A4D1B5XF0M1S2E1"), began.Add(session.Longest))
	ended.Add(later, began.Add(session.Longest))
	if ended.Has(c) || !ended.Has(later) {
		t.Error("what is over is remembered, or what is not is forgotten")
	}
}

func TestAttempts_OfOneAddress(t *testing.T) {
	t.Parallel()
	a := session.NewAttempts()
	for i := range 10 {
		if wait := a.Take("x", began); wait != 0 {
			t.Fatalf("attempt %d waits %s", i, wait)
		}
	}
	if wait := a.Take("x", began); wait != 10*time.Second {
		t.Errorf("the eleventh waits %s", wait)
	}
	if wait := a.Take("y", began); wait != 0 {
		t.Errorf("another address waits %s", wait)
	}
	if wait := a.Take("x", began.Add(10*time.Second)); wait != 0 {
		t.Errorf("ten seconds later it waits %s", wait)
	}
	for i := range 50 {
		at := began.Add(time.Hour)
		if wait := a.Take("z", at); wait != 0 {
			t.Fatalf("attempt %d after right ones waits %s", i, wait)
		}
		a.Right("z")
	}
}

// TestAttempts_OfAll: many addresses together are slowed down too, and those that are heard no more are forgotten.
func TestAttempts_OfAll(t *testing.T) {
	t.Parallel()
	a := session.NewAttempts()
	allowed, now := 0, began
	for i := range 200 {
		if a.Take(fmt.Sprint(i), now) == 0 {
			allowed++
		}
	}
	if wait := a.Take("last", now); allowed != 100 || wait != 200*time.Millisecond {
		t.Errorf("%d allowed at once, then %s", allowed, wait)
	}
	for i := range 5000 {
		now = now.Add(200 * time.Millisecond)
		if wait := a.Take(fmt.Sprint("more", i), now); wait != 0 {
			t.Fatalf("attempt %d waits %s", i, wait)
		}
	}
	for range 10 {
		a.Take("busy", now.Add(time.Minute))
	}
	if wait := a.Take("busy", now.Add(time.Minute)); wait == 0 {
		t.Error("an address that is heard is forgotten")
	}
}
