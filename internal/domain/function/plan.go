package function

import "github.com/google/uuid"

// SyncPlan is what a sync changes. The catalog makes it true in one transaction, in the order of the fields.
type SyncPlan struct {
	// DropPlaceholders are apps without a name that the registering app replaces; they are archived.
	DropPlaceholders []uuid.UUID
	// App is written by name; an existing row keeps its ID, which is App.ID here. It is active afterwards.
	App App
	// Adopt says that App.ID is the row of a placeholder with functions, which gets the name.
	Adopt bool
	// Archive are functions that the app no longer has.
	Archive []uuid.UUID
	// Put are functions to insert or overwrite, active afterwards.
	Put []Function
}

// Empty says that there is nothing to write.
func (p SyncPlan) Empty() bool {
	return p.App.ID == uuid.Nil
}
