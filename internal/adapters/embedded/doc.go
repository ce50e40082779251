// Package embedded is the backend that needs no other server: one SQLite file, or memory, with the event log, the runs in
// progress, the queue, the catalog and the history in it.
//
// # One writer
//
// All writes go through one goroutine that owns the connection (writer.go). Callers hand it operations; it takes what is
// waiting, puts it into one transaction, and releases the callers when that is durable. While a commit is being synced
// the next batch gathers, so a busy server pays one sync for many callers and an idle one answers at once. There is no
// timer in this.
//
//	callers ──► operations ──► BEGIN  apply, apply, apply …  COMMIT ──► committed, committed … ──► callers go on
//	                             │            │
//	                             │            └─ refused (conflict, not found): before its first write, alone
//	                             └─ an unexpected error: roll back all, run each again alone, so that one fails alone
//
// An operation has two halves. apply writes rows and may run more than once; committed makes the same true in memory and
// runs once, after the commit, before the caller knows. So memory never shows what the file does not hold.
//
// # What is in memory
//
//   - The order of the queue (queue.go, ready.go): functions with jobs due form a ring and take turns, each with its own
//     heaps by score; jobs that are not due are in one more heap, with one alarm for the first (timers.go). Nothing
//     polls. A caller who finds no job waits in line and is given one directly.
//   - Who waits for room (cells.go, blocked.go). Jobs of a function that need the same room are a cell; a cell whose first job has
//     none waits under the key that has none, and is woken when a place is given back there. So a backlog behind a limit costs nothing
//     until there is room, and is in nobody's way. If it turns out that there is a place there but none in another limit, all cells of
//     the function that need both wait for the other from then on, in one step; so what a release costs does not grow with the cells.
//   - Leases, and the places in the limits of steps that jobs in hand have. A crash frees them all, which is right: their holders
//     died with it. What the first job of a run needs once, a token of the throttle and a place for the run, is durable before the
//     job is handed out (first.go).
//   - What functions are limited by (Queue.Limit): whoever starts the server says it.
//   - Events that wait for routing (eventlog.go), up to a bound in bytes; beyond it only their IDs.
//   - Of the events that wait for their run in batches and debounces (holds.go): which holds there are, at which revision and
//     when they are due, in a heap with one alarm. Their events are read when somebody takes them.
//   - Pauses (pauses.go): what runs wait for, by the name of the event and by the values that the condition demands of it
//     (conditions.go), so that an event finds the few that it may end.
//   - States of runs in progress (cache.go), put in after a commit and never before.
//   - The IDs of runs in progress by function, in order (inprogress.go), for those who ask for all runs of one; and fences,
//     which keep runs out that were decided on too early.
//
// Everything but leases, limits and fences is rebuilt from the rows when the engine is opened: who held the ones, and who the others
// keep out, died with the process.
//
// # Tables
//
// The reference's tables are as it makes them, under its own version rows, so either server opens the other's file
// (migrate.go, spec 15 §2.1). What the engine needs besides has the prefix ingot_ and a version table of its own: the
// inbox of events to be routed, runs, their memos, jobs and pauses, whose a signal is, idempotency keys, where schedules
// are (ticks.go), what flow control decides by (admission.go): holds and their events, the buckets of rate limits and the
// locks of singletons (limits.go), and what was parked.
//
// A run in progress is one row that its commits rewrite and that is kept small, one row a memo, one row a job, one row a
// pause; what may be large or changes seldom, such as deferred runs, is in rows of parts. When it ends they are deleted in
// the same transaction that writes its end into the history, but for the memos, which reruns begin with. These live as long as its
// history, and so do what the tables of the reference do not say of a run that has ended (ingot_ended_runs), what is attached to a run and
// its steps (metadata.go), and the rows of its trace. The last come behind the commits that they tell of, by
// way of a log that is written with them (projector.go, spans_write.go). Bulk cancellations and the functions that are paused have a table
// each, and so have the runs by the events that they are of, for lists of history. What is older than it is to be kept is deleted in small
// transactions between the others (retention.go).
//
// # Invariants
//
//  1. An event is in events before Append returns, and in the inbox until the transaction that settles it.
//  2. A run in progress has a row in ingot_runs, and only such a run has rows in ingot_jobs, ingot_pauses, ingot_run_parts and
//     ingot_run_events.
//  3. A run's revision grows by one with each commit, and a commit that names another revision writes nothing.
//  4. Load equals run.State.Apply of all transitions, warm or cold.
//  5. A job is with one holder at a time; only that holder's lease settles it.
//  6. A signal is one run's, whose row in ingot_signals says so: not every run with a pause for it has it. That row alone
//     decides, inside the transaction, so that commits of one batch see each other.
//  7. A cron trigger of a registered function has a row in ingot_ticks, from the transaction that registers it to the one that
//     takes it away. What fires a tick moves the row, from where it was read, in the same transaction.
//  8. Flow control decides about a run in the transaction that makes its answer true, on what that transaction reads, and
//     before its first write.
//  9. An event that flow control keeps back is in one hold, complete, from the transaction that settles it to the one that
//     deletes the hold; each change of a hold moves its revision by one and costs the same whatever is in it.
//  10. A lock of a singleton counts as long as its run is in progress, and goes with it.
//  11. A first job that was handed out though its run counts for a limit of runs, or needed a token of a throttle, is marked as
//     admitted in ingot_jobs, and the state of the bucket in ingot_buckets has that token spent.
//  12. The version rows of the reference are never changed.
//  13. What a transaction has for the history of runs is in ingot_history_log until it is written into spans and trace_runs. Runs of
//     which it is although it is still there are in ingot_history_written, with the last transaction of which that is so, from the
//     transaction that writes them to the one that deletes what the log has up to that transaction.
//
// # Figures
//
// Taken on two cores of an AMD EPYC that were busy with other work besides; the benchmarks of this package repeat them.
//
//	                                            memory        disk, synchronous = full
//	run without steps, all the way              40 us         61 us       (16,400 a second; with normal: 60 us)
//	step of a run: lease, load, commit          20 us         39 us
//	row of a trace, with what it says of its    17 us         21 us       (of CPU, 1,000 a transaction)
//	run
//	open, empty                                 5 ms          8 ms
//	open with 100,000 sleeping runs                           0.21 s
//	memory per waiting job                      about 300 bytes
//	a million jobs behind 10,000 limits of 1                  23,000 queued, 33,000 worked off a second; 330 bytes per job
//	two runs under two limits, one always full    6 us, with 100 and 10,000 keys that wait
//	resident, after 20,000 and 100,000 runs     50 and 56 MB
//
// The driver was chosen by the statements of a run without steps, 64 runs a transaction:
//
//	                            in memory      CPU, WAL, full     open         resident     binary
//	zombiezen.com/go/sqlite     15.5 us        25 us              1 ms         7 MB         6.2 MB
//	modernc.org, database/sql   26.3 us        42 us              1 ms         8 MB         6.5 MB
//	ncruces/go-sqlite3 0.32     36.3 us        74 us              900 ms       69 MB        6.7 MB
//
// The first two are the same SQLite; what differs is database/sql. So the hot writes use the package itself
// (statements.go), and the other queries the code that is generated for database/sql, over a small driver on the same
// connections (driver.go). A sync at each commit costs next to nothing once many callers share it.
//
// # Errors
//
// What the data forbids is ports.ErrConflict. Everything else that SQLite reports (disk full, file locked or damaged) is
// ports.ErrUnavailable, wrapped; nothing of that operation is written then. A row or record that is there but cannot be
// read is neither, because another try would find the same: jobs and events that it stops are parked, in ingot_parked.
//
// # Limits
//
// In memory mode the newest idempotency keys are kept up to a number (Config.KeepKeys), so a key may be accepted again
// before its 24 hours are over when more than that many runs were started since.
package embedded
