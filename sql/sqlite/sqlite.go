// Package sqlite holds the SQL of the embedded engine: the migrations that make its schema. The queries and the Go code
// generated from them are in db. Neither is meant for other modules.
package sqlite

import "embed"

// Reference holds the migrations of the reference's schema, numbered as goose numbers them there. Spec 15 §2.2.
//
//go:embed migrations/*.sql
var Reference embed.FS

// Engine holds the migrations of the engine's own tables and indexes.
//
//go:embed engine/*.sql
var Engine embed.FS
