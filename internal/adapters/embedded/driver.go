package embedded

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"zombiezen.com/go/sqlite"
)

// connector lets database/sql, and with it the generated queries, use connections of the SQLite package that the hot
// writes use directly. It has one driver in the binary and, in memory mode, one connection in the process.
type connector struct {
	open func(ctx context.Context) (*session, error)
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c connector) Driver() driver.Driver { return noDriver{} }

// noDriver satisfies driver.Connector; connections come from the connector alone.
type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("connections are opened by the connector")
}

// session is a connection as database/sql sees it. Transactions are not begun here: reads see the last commit, and writes
// run inside the writer's transaction.
type session struct {
	conn *sqlite.Conn
	// shared connections stay open when database/sql lets go of them.
	shared bool
	// exec runs a writing statement; nil when the session only reads.
	exec func(stmt *sqlite.Stmt) error
}

var (
	_ driver.QueryerContext = (*session)(nil)
	_ driver.ExecerContext  = (*session)(nil)
)

func (s *session) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("statements are cached by the connection")
}

func (s *session) Begin() (driver.Tx, error) {
	return nil, errors.New("transactions belong to the writer")
}

func (s *session) Close() error {
	if s.shared {
		return nil
	}
	return s.conn.Close()
}

func (s *session) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if s.exec == nil {
		return nil, errors.New("the connection only reads")
	}
	stmt, err := s.bound(query, args)
	if err != nil {
		return nil, err
	}
	if err := s.exec(stmt); err != nil {
		return nil, err
	}
	return driver.RowsAffected(s.conn.Changes()), nil
}

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := s.bound(query, args)
	if err != nil {
		return nil, err
	}
	s.conn.SetInterrupt(ctx.Done())
	return &rows{session: s, stmt: stmt}, nil
}

func (s *session) bound(query string, args []driver.NamedValue) (*sqlite.Stmt, error) {
	stmt, err := s.conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	for _, arg := range args {
		switch value := arg.Value.(type) {
		case nil:
			stmt.BindNull(arg.Ordinal)
		case int64:
			stmt.BindInt64(arg.Ordinal, value)
		case bool:
			stmt.BindBool(arg.Ordinal, value)
		case string:
			stmt.BindText(arg.Ordinal, value)
		case []byte:
			bindBytes(stmt, arg.Ordinal, value)
		default:
			return nil, fmt.Errorf("parameter %d: type %T is not stored", arg.Ordinal, value)
		}
	}
	return stmt, nil
}

// rows reads a statement's result.
type rows struct {
	session *session
	stmt    *sqlite.Stmt
}

func (r *rows) Columns() []string {
	names := make([]string, r.stmt.ColumnCount())
	for i := range names {
		names[i] = r.stmt.ColumnName(i)
	}
	return names
}

func (r *rows) Close() error {
	r.session.conn.SetInterrupt(nil)
	return r.stmt.Reset()
}

func (r *rows) Next(dest []driver.Value) error {
	more, err := r.stmt.Step()
	if err != nil {
		return err
	}
	if !more {
		return io.EOF
	}
	for i := range dest {
		switch r.stmt.ColumnType(i) {
		case sqlite.TypeInteger:
			dest[i] = r.stmt.ColumnInt64(i)
		case sqlite.TypeFloat:
			dest[i] = r.stmt.ColumnFloat(i)
		case sqlite.TypeText:
			dest[i] = r.stmt.ColumnText(i)
		case sqlite.TypeBlob:
			dest[i] = columnBytes(r.stmt, i)
		default:
			dest[i] = nil
		}
	}
	return nil
}

// bindBytes binds a blob; nil is NULL, an empty slice an empty blob.
func bindBytes(stmt *sqlite.Stmt, param int, value []byte) {
	if value == nil {
		stmt.BindNull(param)
		return
	}
	stmt.BindBytes(param, value)
}

// columnBytes returns a copy of a blob or text; NULL is nil.
func columnBytes(stmt *sqlite.Stmt, col int) []byte {
	if stmt.ColumnIsNull(col) {
		return nil
	}
	value := make([]byte, stmt.ColumnLen(col))
	stmt.ColumnBytes(col, value)
	return value
}
