package trace

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Kinds of metadata that tell where the time of a call went. Spec 05 §8.9.
const (
	timingKind     = "inngest.timing"
	httpTimingKind = "inngest.http.timing"
	timingScope    = "request"
)

// Places in the list of milliseconds by which a row tells where the time of its call went. Zeros at its end are left out.
const (
	msLatency = iota // from when the call was due until it was made, unless a limit kept it back
	msTotal
	msTransfer
	msTCP
	msTLS
	msDNS
	msDelay // the same, if one did
	timings
)

// planTiming tells of the call at the first step that began with it, or else at the first that it planned.
func (e *emitter) planTiming(a *attributes, status Status) {
	waits := func(op sdk.Op) bool {
		kind := stepOp(string(op.Op))
		return kind != "" && kind != OpRun
	}
	if status != Queued || !e.replied || !slices.ContainsFunc(e.reply.Ops, waits) {
		e.timing(a, KeyPlanTiming)
	}
}

// timing appends where the time of the call went, to the first row that can tell: a call is told of once.
func (e *emitter) timing(a *attributes, key string) {
	t := e.exchange.Timing
	if e.timed || t.Total <= 0 || e.exchange.Request == "" {
		return
	}
	e.timed = true
	var latency time.Duration
	if start := e.callStart(); !e.job.At.IsZero() {
		latency = max(start.Sub(e.job.At), 0)
	}
	room := [timings]int64{
		msLatency: latency.Milliseconds(), msTotal: t.Total.Milliseconds(), msTransfer: t.Transfer.Milliseconds(),
		msTCP: t.TCP.Milliseconds(), msTLS: t.TLS.Milliseconds(), msDNS: t.DNS.Milliseconds(),
	}
	if e.exchange.Limited {
		room[msLatency], room[msDelay] = 0, room[msLatency]
	}
	list := room[:]
	for len(list) > 1 && list[len(list)-1] == 0 {
		list = list[:len(list)-1]
	}
	a.key(key)
	a.json = append(a.json, '[')
	for i, ms := range list {
		if i > 0 {
			a.json = append(a.json, ',')
		}
		a.json = strconv.AppendInt(a.json, ms, 10)
	}
	a.json = append(a.json, ']')
}

// called is where the time of a call went, as a row tells it.
type called struct {
	ms [timings]int
	// at is when it was answered.
	at time.Time
	// job is what it was made for; empty when that is not known.
	job string
}

// statusOps is the status of an answer that consists of ops.
const statusOps = 206

// call reads where the time of a call went; nil when the row does not tell.
func (a attrs) call(key string, at time.Time) *called {
	var list []int
	if json.Unmarshal(a[key], &list) != nil || len(list) == 0 || len(list) > timings {
		return nil
	}
	c := &called{at: at}
	for i, ms := range list {
		c.ms[i] = max(ms, 0)
	}
	return c
}

// metadata is what the reference writes of a call. It counts opening connections and reading the answer apart from what the app took.
func (c *called) metadata() []Metadata {
	ms := c.ms
	server := max(ms[msTotal]-ms[msTransfer]-ms[msTCP]-ms[msTLS]-ms[msDNS], 0)
	return []Metadata{{Scope: timingScope, Kind: httpTimingKind, UpdatedAt: c.at, Values: metadata.Values{
		"dns_lookup_ms": number(ms[msDNS]), "tcp_connection_ms": number(ms[msTCP]), "tls_handshake_ms": number(ms[msTLS]),
		"server_processing_ms": number(server), "content_transfer_ms": number(ms[msTransfer]), "total_ms": number(ms[msTotal]),
	}}, {Scope: timingScope, Kind: timingKind, UpdatedAt: c.at, Values: metadata.Values{
		"queue_delay_ms": number(ms[msDelay]), "system_latency_ms": number(ms[msLatency]), "network_total_ms": number(ms[msTotal]),
		"total_inngest_ms": number(ms[msLatency] + ms[msDelay]),
	}}}
}

// timed reads what the rows tell of calls: of that which worked on it, and of that which came to it.
func (r *record) timed(a attrs) {
	if c := a.call(KeyTiming, r.ended); c != nil {
		if status, _ := a.number(KeyStatusCode); r.final && status == statusOps { // an op ended the function
			r.came, c.job = c, r.job
		} else {
			r.metadata = append(r.metadata, c.metadata()...)
		}
	}
	if c := a.call(KeyPlanTiming, r.queued); c != nil {
		r.came = c
		if op := stepOp(r.op); r.status == Queued || op != OpRun && op != OpGateway { // else the job is that of the step
			c.job = r.job
		}
	}
}

// giveTimings gives what is told of calls that came to something to the first step that the app saved meanwhile, for that is what the call
// began with, else to what it came to.
func giveTimings(records []*record) {
	for _, r := range records {
		if r.came == nil {
			continue
		}
		to := r
		for _, step := range records {
			if step.during(r) && (to == r || cmp.Or(step.began().Compare(to.began()), step.exact().Compare(to.exact())) < 0) {
				to = step
			}
		}
		to.metadata = append(to.metadata, r.came.metadata()...)
	}
}

// during says that the app saved the step during the call that came to another record.
func (r *record) during(other *record) bool {
	// Times are cut to the millisecond, and the jobs of planned steps are due one early.
	const slack = 2 * time.Millisecond
	call, began := other.came, r.began()
	took := time.Duration(call.ms[msTotal])*time.Millisecond + slack
	return r.checkpoint && !began.After(call.at.Add(slack)) && call.at.Sub(began) <= took && (r.job == "" || call.job == "" || r.job == call.job)
}
