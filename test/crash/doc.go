// Package crash holds the test that kills the real server with SIGKILL, again and again, under load.
//
// A hand-written app speaks the SDK protocol, so that every call of the server is seen as it was sent. The server runs
// in start mode on one folder; it is killed at random moments, during its start too, and restarted on the same folder.
// What must hold afterwards, whatever the moment:
//
//   - every event that was answered with 200 has one run, which reached its end and reads Completed;
//   - a step whose result the server has shown is never executed again, and the result never changes;
//   - no event started two runs, however often its sender had to repeat it;
//   - no run is left without an end, also of events whose sender never got an answer.
package crash
