// Package flow decides how runs of a function are let through: in batches, after a pause of events, one at a time, at most so many in
// a period or at once, and in which order.
//
// All of it is arithmetic on values. A server uses it in this order:
//
//	function.Function ─► Compile ─► *Settings            once per version of a function
//	*Settings, event ──► Evaluate ─► Evaluated           once per event: keys, before anything stored is looked at
//	Evaluated ─► (look up what is stored under the keys: Known)
//	Request, Known, now ─► Admit ─► Outcome              what must become true, in the transaction that looked it up
//
// A run that was let through has a job, whose place in the queue is its Score. When the job is due it takes a token of its throttle
// (Throttle.Take) and a place among what runs at once (Capacity).
//
// Instants are exact to the nanosecond everywhere: a period of 500 ms is one (the reference cuts it to zero). Keys and their texts are
// the reference's byte for byte, because they name what is stored.
//
// Nothing here is safe for concurrent use unless it says so. Settings and everything reached from them are immutable.
//
// Source: spec 11; spec 09 §5, §6, §9.5; spec 10 §6, §7.
package flow
