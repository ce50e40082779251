package embedded

import (
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/ingothq/ingot/sql/sqlite/db"
)

// statements are the prepared statements of the hot path. Their text is checked and generated with the other queries;
// only the way to run them differs: without database/sql they cost a third less.
type statements struct {
	begin, commit, rollback *sqlite.Stmt

	insertEvent, deleteEvent, eventExists    *sqlite.Stmt
	insertInbox, deleteInbox                 *sqlite.Stmt
	insertRun, updateRun, deleteRun          *sqlite.Stmt
	getRevision                              *sqlite.Stmt
	insertRunEvent, deleteRunEvents          *sqlite.Stmt
	insertStep, deleteSteps                  *sqlite.Stmt
	insertEnded, deleteEnded                 *sqlite.Stmt
	insertJob, updateJob, deleteJob, parkJob *sqlite.Stmt
	resetJob, admitJob, deleteRunJobs        *sqlite.Stmt
	getKey, insertKey, deleteKey             *sqlite.Stmt
	deleteExpiredKeys, deleteOldestKeys      *sqlite.Stmt
	insertFunctionRun, insertFinish          *sqlite.Stmt
	deleteFunctionRun, deleteFinish          *sqlite.Stmt
	insertParked                             *sqlite.Stmt
	putPause, deletePause, deleteRunPauses   *sqlite.Stmt
	getSignal, putSignal, deleteSignal       *sqlite.Stmt
	putRunPart, deleteRunParts               *sqlite.Stmt
	insertMetadata, lastMetadata             *sqlite.Stmt
	deleteMetadata, runExists                *sqlite.Stmt
	getTick, putTick, deleteTick             *sqlite.Stmt
	getInbox                                 *sqlite.Stmt
	getOpenHold, getHoldRevision             *sqlite.Stmt
	insertHold, updateHold, deleteHold       *sqlite.Stmt
	insertHoldEvent, replaceHoldEvent        *sqlite.Stmt
	firstHoldEvent, deleteHoldEvents         *sqlite.Stmt
	getBucket, putBucket, deleteFullBuckets  *sqlite.Stmt
	getLock, putLock, deleteLock             *sqlite.Stmt
	insertEventBatch, deleteEventBatch       *sqlite.Stmt
	insertHistoryLog, deleteHistoryLog       *sqlite.Stmt
	putHistoryWritten, deleteHistoryWritten  *sqlite.Stmt
	insertSpan, insertSpans, spanAfter       *sqlite.Stmt
	deleteSpans                              *sqlite.Stmt
	putTraceRun, deleteTraceRun              *sqlite.Stmt
	updateTraceRun, insertEventRun           *sqlite.Stmt
	traceRunExists, markTraceRunAI           *sqlite.Stmt
	runTriggers                              *sqlite.Stmt
}

// prepare prepares them all on the connection that writes.
func prepare(conn *sqlite.Conn) (*statements, error) {
	s := &statements{}
	for _, entry := range []struct {
		into  **sqlite.Stmt
		query string
	}{
		{&s.begin, "BEGIN IMMEDIATE"}, {&s.commit, "COMMIT"}, {&s.rollback, "ROLLBACK"},
		{&s.insertEvent, db.InsertEvent}, {&s.deleteEvent, db.DeleteEvent}, {&s.eventExists, db.EventExists},
		{&s.insertInbox, db.InsertInbox}, {&s.deleteInbox, db.DeleteInbox},
		{&s.insertRun, db.InsertRun}, {&s.updateRun, db.UpdateRun}, {&s.deleteRun, db.DeleteRun},
		{&s.getRevision, db.GetRunRevision},
		{&s.insertRunEvent, db.InsertRunEvent}, {&s.deleteRunEvents, db.DeleteRunEvents},
		{&s.insertStep, db.InsertStep}, {&s.deleteSteps, db.DeleteSteps},
		{&s.insertEnded, db.InsertEndedRun}, {&s.deleteEnded, db.DeleteEndedRun},
		{&s.insertJob, db.InsertJob}, {&s.updateJob, db.UpdateJob}, {&s.deleteJob, db.DeleteJob}, {&s.parkJob, db.ParkJob},
		{&s.resetJob, db.ResetJob}, {&s.admitJob, db.AdmitJob}, {&s.deleteRunJobs, db.DeleteRunJobs},
		{&s.getKey, db.GetIdempotency}, {&s.insertKey, db.InsertIdempotency}, {&s.deleteKey, db.DeleteIdempotency},
		{&s.deleteExpiredKeys, db.DeleteExpiredIdempotency}, {&s.deleteOldestKeys, db.DeleteOldestIdempotency},
		{&s.insertFunctionRun, db.InsertFunctionRun}, {&s.insertFinish, db.InsertFunctionFinish},
		{&s.deleteFunctionRun, db.DeleteFunctionRun}, {&s.deleteFinish, db.DeleteFunctionFinish},
		{&s.insertParked, db.InsertParked},
		{&s.putPause, db.PutPause}, {&s.deletePause, db.DeletePause}, {&s.deleteRunPauses, db.DeleteRunPauses},
		{&s.getSignal, db.GetSignal}, {&s.putSignal, db.PutSignal}, {&s.deleteSignal, db.DeleteSignal},
		{&s.putRunPart, db.PutRunPart}, {&s.deleteRunParts, db.DeleteRunParts},
		{&s.insertMetadata, db.InsertMetadata}, {&s.lastMetadata, db.LastMetadata}, {&s.deleteMetadata, db.DeleteMetadata},
		{&s.runExists, db.RunExists},
		{&s.getTick, db.GetTick}, {&s.putTick, db.PutTick}, {&s.deleteTick, db.DeleteTick},
		{&s.getInbox, db.GetInbox}, {&s.getOpenHold, db.GetOpenHold}, {&s.getHoldRevision, db.GetHoldRevision},
		{&s.insertHold, db.InsertHold}, {&s.updateHold, db.UpdateHold}, {&s.deleteHold, db.DeleteHold},
		{&s.insertHoldEvent, db.InsertHoldEvent}, {&s.replaceHoldEvent, db.ReplaceHoldEvent},
		{&s.firstHoldEvent, db.FirstHoldEvent}, {&s.deleteHoldEvents, db.DeleteHoldEvents},
		{&s.getBucket, db.GetBucket}, {&s.putBucket, db.PutBucket}, {&s.deleteFullBuckets, db.DeleteFullBuckets},
		{&s.getLock, db.GetLock}, {&s.putLock, db.PutLock}, {&s.deleteLock, db.DeleteLock},
		{&s.insertEventBatch, db.InsertEventBatch}, {&s.deleteEventBatch, db.DeleteEventBatch},
		{&s.insertHistoryLog, db.InsertHistoryLog}, {&s.deleteHistoryLog, db.DeleteHistoryLog},
		{&s.putHistoryWritten, db.PutHistoryWritten}, {&s.deleteHistoryWritten, db.DeleteHistoryWritten},
		{&s.insertSpan, db.InsertSpan}, {&s.insertSpans, repeated(db.InsertSpan, spansAtOnce)}, {&s.spanAfter, spanAfter}, {&s.deleteSpans, db.DeleteSpans},
		{&s.putTraceRun, db.PutTraceRun}, {&s.deleteTraceRun, db.DeleteTraceRun},
		{&s.updateTraceRun, db.UpdateTraceRun}, {&s.insertEventRun, db.InsertEventRun},
		{&s.traceRunExists, db.TraceRunExists}, {&s.markTraceRunAI, db.MarkTraceRunAI}, {&s.runTriggers, db.RunTriggers},
	} {
		stmt, err := conn.Prepare(entry.query)
		if err != nil {
			return nil, err
		}
		*entry.into = stmt
	}
	return s, nil
}

// spanAfter finds the first row that came after another. The generator of the other queries does not know of row IDs.
const spanAfter = "SELECT trace_id, span_id FROM spans WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT 1"

// repeated makes of a statement that inserts a row, or does nothing when it is there, one that does so with several. Its parameters are
// those of the rows one after the other. It ignores what forbids any row, since SQLite copies pages before it changes them for a statement
// that may fail in its middle.
func repeated(query string, rows int) string {
	head, rest, _ := strings.Cut(query, ") VALUES (")
	values, _, _ := strings.Cut(rest, ")\nON CONFLICT")
	return strings.Replace(head, "INSERT INTO", "INSERT OR IGNORE INTO", 1) + ") VALUES (" + strings.Repeat(values+"), (", rows-1) + values + ")"
}
