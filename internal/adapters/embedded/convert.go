package embedded

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// jsonNull is what the reference stores for a user that is absent. Spec 03 §14.2.
const jsonNull = "null"

// environmentID is the one environment of a self-hosted server. Spec 15 §1.
const environmentID = "00000000-0000-4000-b000-000000000000"

// noULID stands for an ID that is absent. Spec 15 §5.2.
var noULID = make([]byte, len(ulid.ULID{}))

// joinULIDs appends IDs, one after the other.
func joinULIDs(dst []byte, ids []ulid.ULID) []byte {
	for i := range ids {
		dst = append(dst, ids[i][:]...)
	}
	return dst
}

// splitULIDs is the inverse of joinULIDs; nil for none.
func splitULIDs(joined []byte) ([]ulid.ULID, error) {
	if len(joined)%len(ulid.ULID{}) != 0 {
		return nil, fmt.Errorf("IDs of %d bytes", len(joined))
	}
	var ids []ulid.ULID
	for id := range slices.Chunk(joined, len(ulid.ULID{})) {
		ids = append(ids, ulid.ULID(id))
	}
	return ids, nil
}

// parseULID reads an ID in either of its stored forms; NULL and zero are the zero ID. Spec 15 §5.2.
func parseULID(stored []byte) (ulid.ULID, error) {
	var id ulid.ULID
	switch len(stored) {
	case 0:
		return id, nil
	case len(id):
		copy(id[:], stored)
		return id, nil
	case ulid.EncodedSize:
		err := id.UnmarshalText(stored)
		return id, err
	}
	return id, fmt.Errorf("ULID of %d bytes", len(stored))
}

// parseUUID reads an ID; NULL and empty are the nil ID. Spec 15 §5.1.
func parseUUID(stored string) (uuid.UUID, error) {
	switch len(stored) {
	case 0:
		return uuid.Nil, nil
	case len(uuid.UUID{}):
		return uuid.FromBytes([]byte(stored))
	}
	return uuid.Parse(stored)
}

// eventFrom reads a row of events. Sessions are not part of it.
func eventFrom(row db.GetEventRow) (event.Tracked, error) {
	id, err := parseULID(row.InternalID)
	if err != nil {
		return event.Tracked{}, damaged("event", err)
	}
	received, err := parseInstant(row.ReceivedAt)
	if err != nil {
		return event.Tracked{}, damaged("event "+id.String()+": received_at", err)
	}
	at, err := parseInstant(row.EventTs)
	if err != nil {
		return event.Tracked{}, damaged("event "+id.String()+": event_ts", err)
	}
	tracked := event.Tracked{InternalID: id, ReceivedAt: received, Event: event.Event{
		ID: row.EventID, Name: row.EventName, Data: json.RawMessage(row.EventData), TS: at.UnixMilli(), V: row.EventV.String,
	}}
	if row.EventUser != jsonNull && row.EventUser != "{}" && row.EventUser != "" {
		tracked.User = json.RawMessage(row.EventUser)
	}
	return tracked, nil
}

// dataText is what event_data holds.
func dataText(data json.RawMessage) string {
	if len(data) == 0 {
		return jsonNull
	}
	return string(data)
}

// runRecordFrom reads a run with its end, if it has one.
func runRecordFrom(row db.GetRunRecordRow) (ports.RunRecord, error) {
	id, err := parseULID(row.RunID)
	if err != nil {
		return ports.RunRecord{}, damaged("run", err)
	}
	record := ports.RunRecord{RunID: id, FunctionVersion: int(row.FunctionVersion), Cron: row.Cron.String, Status: run.Running}
	var errs []error
	read := func(err error) { errs = append(errs, err) }
	record.StartedAt, err = parseInstant(row.RunStartedAt)
	read(err)
	record.FunctionID, err = parseUUID(row.FunctionID.String)
	read(err)
	record.EventID, err = parseULID(row.EventID)
	read(err)
	record.BatchID, err = parseULID(row.BatchID)
	read(err)
	record.OriginalRunID, err = parseULID(row.OriginalRunID)
	read(err)
	if row.Status.Valid {
		record.Status = run.Status(row.Status.String)
		record.Output = []byte(row.Output.String)
		record.EndedAt, err = parseInstant(row.EndedAt.String)
		read(err)
	}
	if err := errors.Join(errs...); err != nil {
		return ports.RunRecord{}, damaged("run "+id.String(), err)
	}
	return record, nil
}

// appFrom reads a row of apps.
func appFrom(row db.App) (function.App, error) {
	id, err := parseUUID(row.ID)
	if err != nil {
		return function.App{}, damaged("app "+row.ID, err)
	}
	return function.App{
		ID: id, Name: row.Name, SDK: row.SdkLanguage, SDKVersion: row.SdkVersion, Framework: row.Framework.String,
		Metadata: json.RawMessage(row.Metadata), Error: row.Error.String, Checksum: row.Checksum, URL: row.Url,
		Method: row.Method, AppVersion: row.AppVersion.String, Archived: row.ArchivedAt.Valid,
	}, nil
}

// appParams is the row of an app. Empty texts are NULL where the reference has NULL.
func appParams(app function.App) db.UpsertAppByNameParams {
	metadata, method := string(app.Metadata), app.Method
	if metadata == "" {
		metadata = "{}"
	}
	if method == "" {
		method = "serve"
	}
	return db.UpsertAppByNameParams{
		ID: app.ID.String(), Name: app.Name, SdkLanguage: app.SDK, SdkVersion: app.SDKVersion,
		Framework: nullable(app.Framework), Metadata: metadata, Error: nullable(app.Error), Checksum: app.Checksum,
		Url: app.URL, Method: method, AppVersion: nullable(app.AppVersion),
	}
}

// functionFrom reads a row of functions. The columns, not the copy of them in the configuration, say what it is.
func functionFrom(row db.Function) (function.Function, error) {
	f, err := function.ParseConfig([]byte(row.Config))
	if err != nil {
		return function.Function{}, damaged("function "+row.ID, err)
	}
	if f.ID, err = parseUUID(row.ID); err != nil {
		return function.Function{}, damaged("function "+row.ID, err)
	}
	if f.AppID, err = parseUUID(row.AppID.String); err != nil {
		return function.Function{}, damaged("function "+row.ID+": app", err)
	}
	f.Name, f.Slug = row.Name, row.Slug
	return f, nil
}

// nullable is NULL for an empty text.
func nullable(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

// nanos is an instant as an integer column holds it: nanoseconds since the epoch, 0 for none.
func nanos(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}

// fromNanos is the inverse of nanos.
func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
