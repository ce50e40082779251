package crash

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// sender sends batches of events as SDKs do: with a seed that fixes the ids, and again when no answer came.
type sender struct {
	url    string
	rng    *rand.Rand
	ledger *ledger
	// build makes the n-th batch; an empty one is not sent.
	build func(n int) []event
}

// event is one event of a batch as it is sent.
type event struct {
	ID   string  `json:"id,omitempty"`
	Name string  `json:"name"`
	TS   int64   `json:"ts,omitempty"`
	Data payload `json:"data"`
}

// errRefused is an answer that no repetition can turn into a 200.
var errRefused = errors.New("the server refused events")

var sendClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// run sends a batch at each tick until begin ends; batches in doubt are repeated until drain ends.
func (s *sender) run(begin, drain context.Context, pause time.Duration) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-begin.Done():
			return nil
		case <-ticker.C:
		}
		if err := s.batch(drain, n); err != nil {
			return err
		}
	}
}

// batch sends one batch until it is answered with 200, except that every tenth batch whose answer is lost is given up:
// its events may have runs or not, but never two, and never one without an end.
func (s *sender) batch(ctx context.Context, n int) error {
	events := s.build(n)
	if len(events) == 0 {
		return nil
	}
	seed, ids := seedOf(s.rng, len(events))
	body, err := json.Marshal(events)
	if err != nil {
		return fmt.Errorf("encode events: %w", err)
	}
	s.ledger.send(events)
	for {
		err := s.post(ctx, body, seed, ids)
		switch {
		case err == nil:
			s.ledger.accept(events, ids)
			return nil
		case errors.Is(err, errRefused), ctx.Err() != nil:
			return err
		case n%10 == 9:
			return nil
		}
		s.ledger.resend()
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // what SDKs do, shorter
		}
	}
}

// post sends a batch once. Nil means a 200 with exactly the ids that the seed fixes.
func (s *sender) post(ctx context.Context, body []byte, seed string, ids []string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/e/"+eventKey, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-inngest-event-id-seed", seed)
	resp, err := sendClient.Do(req)
	if err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("send events: status %d: %s", resp.StatusCode, text)
	}
	var answer struct {
		IDs    []string `json:"ids"`
		Status int      `json:"status"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d: %.300s", errRefused, resp.StatusCode, text)
	}
	if !slices.Equal(answer.IDs, ids) {
		return fmt.Errorf("%w: seed %s gave ids %v, want %v", errRefused, seed, answer.IDs, ids)
	}
	return nil
}

// seedOf makes a seed header and the ids that it fixes for n events.
func seedOf(rng *rand.Rand, n int) (header string, ids []string) {
	entropy := make([]byte, 10)
	binary.BigEndian.PutUint64(entropy, rng.Uint64())
	binary.BigEndian.PutUint16(entropy[8:], uint16(rng.Uint32()))
	millis := ulid.Now()
	return fmt.Sprintf("%d,%s", millis, base64.StdEncoding.EncodeToString(entropy)), seededIDs(millis, entropy, n)
}

// seededIDs are the ids of n events under a seed (Spec 03 §8.1): the first has index 1.
func seededIDs(millis uint64, entropy []byte, n int) []string {
	var ids []string
	last := binary.BigEndian.Uint32(entropy[6:])
	for i := range n {
		id := ulid.ULID{}
		_ = id.SetTime(millis) // the present fits
		copy(id[6:], entropy[:6])
		binary.BigEndian.PutUint32(id[12:], last+uint32(i)+1)
		ids = append(ids, id.String())
	}
	return ids
}
