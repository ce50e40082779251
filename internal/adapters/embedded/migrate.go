package embedded

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	sqlfiles "github.com/ingothq/ingot/sql/sqlite"
)

// migration is one file of the schema's history.
type migration struct {
	version int64
	up      string
}

// migrate brings the schema up to date in one transaction: the reference's migrations under their own version table, so
// that the reference finds exactly the rows that it would have written, and the engine's under another. Versions of the
// reference that are newer than those known here are left alone. Spec 15 §2.1.
func migrate(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)

	reference, err := migrations(sqlfiles.Reference)
	if err != nil {
		return err
	}
	if err := upgrade(conn, gooseTable, reference); err != nil {
		return fmt.Errorf("reference schema: %w", err)
	}
	engine, err := migrations(sqlfiles.Engine)
	if err != nil {
		return err
	}
	if err := upgrade(conn, engineTable, engine); err != nil {
		return fmt.Errorf("engine schema: %w", err)
	}
	return nil
}

// versionTable is where a line of migrations keeps its versions.
type versionTable struct {
	name string
	// create makes the table and what belongs into it from the start.
	create string
}

var (
	// gooseTable is the reference's, with the zero row that its migration tool writes.
	gooseTable = versionTable{name: "goose_db_version", create: `
		CREATE TABLE goose_db_version (
			id INTEGER PRIMARY KEY AUTOINCREMENT,
			version_id INTEGER NOT NULL,
			is_applied INTEGER NOT NULL,
			tstamp TIMESTAMP DEFAULT (datetime('now'))
		);
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1);`}
	engineTable = versionTable{name: "ingot_schema", create: `
		CREATE TABLE ingot_schema (
			id INTEGER PRIMARY KEY AUTOINCREMENT,
			version_id INTEGER NOT NULL,
			is_applied INTEGER NOT NULL,
			tstamp TIMESTAMP DEFAULT (datetime('now'))
		);`}
)

// upgrade applies what the table does not list. A gap in the list would make the reference refuse to start, so it is an
// error here too.
func upgrade(conn *sqlite.Conn, table versionTable, all []migration) error {
	exists := false
	err := sqlitex.Execute(conn, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", &sqlitex.ExecOptions{
		Args:       []any{table.name},
		ResultFunc: func(*sqlite.Stmt) error { exists = true; return nil },
	})
	if err != nil {
		return err
	}
	if !exists {
		if err := script(conn, table.create); err != nil {
			return err
		}
	}
	applied := map[int64]bool{}
	newest := int64(0)
	err = sqlitex.Execute(conn, "SELECT version_id, is_applied FROM "+table.name+" ORDER BY id", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			applied[row.ColumnInt64(0)] = row.ColumnInt64(1) != 0
			newest = max(newest, row.ColumnInt64(0))
			return nil
		},
	})
	if err != nil {
		return err
	}
	for _, m := range all {
		if applied[m.version] {
			continue
		}
		if m.version < newest {
			return fmt.Errorf("version %d is missing although %d is there", m.version, newest)
		}
		if err := script(conn, m.up); err != nil {
			return fmt.Errorf("version %d: %w", m.version, err)
		}
		err := sqlitex.Execute(conn, "INSERT INTO "+table.name+" (version_id, is_applied) VALUES (?, 1)", &sqlitex.ExecOptions{Args: []any{m.version}})
		if err != nil {
			return fmt.Errorf("version %d: %w", m.version, err)
		}
	}
	return nil
}

// script runs statements one after the other in the transaction that is open.
func script(conn *sqlite.Conn, statements string) error {
	for rest := strings.TrimSpace(statements); rest != ""; {
		stmt, trailing, err := conn.PrepareTransient(rest)
		if err != nil {
			return err
		}
		if stmt != nil {
			if _, err := stmt.Step(); err != nil {
				_ = stmt.Finalize() // the error of the step is the one that says why
				return err
			}
			if err := stmt.Finalize(); err != nil {
				return err
			}
		}
		rest = strings.TrimSpace(rest[len(rest)-trailing:])
	}
	return nil
}

// migrations reads the files of a line of migrations, oldest first.
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*/*.sql")
	if err != nil {
		return nil, err
	}
	all := make([]migration, 0, len(names))
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		_, up, found := strings.Cut(string(content), "-- +goose Up\n")
		if !found {
			return nil, fmt.Errorf("migration %s has no section Up", name)
		}
		all = append(all, migration{version: version, up: up})
	}
	slices.SortFunc(all, func(a, b migration) int { return cmp.Compare(a.version, b.version) })
	return all, nil
}
