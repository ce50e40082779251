// Package crash holds the test that kills the real server with SIGKILL, again and again, under load, and the same load on
// a server that nobody kills.
//
// A hand-written app speaks the SDK protocol, so that every call of the server is seen as it was sent. The server runs
// in start mode on one folder; it is killed at random moments, during its start too, and restarted on the same folder.
// What must hold afterwards, whatever the moment:
//
//   - every event that was answered with 200 has one run, which reached its end and reads Completed;
//   - a step whose result the server has shown is never executed again, and the result never changes;
//   - no event started two runs, however often its sender had to repeat it;
//   - no run is left without an end, also of events whose sender never got an answer.
//
// Beside plain functions there is one for each feature of flow control (features). Of these must hold, besides the above
// as far as each event has a run (rules):
//
//   - debounce: of each key, the event that is the last by its own time is in exactly one run; no run begins before its
//     event is the period old, nor two of them within it;
//   - batches: every event is in exactly one, none is larger than its size or of two keys, and one that is not full has
//     waited for its time;
//   - throttle and rate limit: from any start of a key to any later one there are no more than the bucket had and was
//     filled with meanwhile, over all kills. Starts are seen by the app's clock, which may be later than the token was
//     taken by what a call takes to come, which is bounded in time in which the server is ready (inHand);
//   - concurrency: no more calls, of a function or of a key, are in the app than the limit, and no more runs of a key
//     between their first call and their end;
//   - singletons: no two runs of a key at once, each event is completed or skipped, and what is skipped is never called;
//   - rate limit: an event starts a run or not, and what the server says of it is what the app saw;
//   - priority: the runs are ordered by urgency, which must keep none from its end. The order is not checked.
//
// A call counts only as long as its server lives. A server that is killed cannot take back the calls that it has made, and
// the next one does not know of them: it makes them again, while the app may still be working on the first ones. What the
// app can see is that the connection is cut, which ends the context of its request (http.Request.Context). From then on,
// and at the latest from when the process is gone, the call is not counted. All else would ask for what no server can
// keep; an app that heeds the context never does more at once than the limit says. Runs have no such gap: a run counts
// from its first call to its last answered end, whoever made the calls.
package crash
