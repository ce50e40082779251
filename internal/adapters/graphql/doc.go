// Package graphql serves the GraphQL API by which dashboards and tests read what happened, and give orders. It asks the application
// and puts answers into the shapes that existing clients know; it decides nothing.
//
// The schema is in the folder schema, what is generated of it in the folder generated. Resolvers are methods of the types in this
// package, a file per subject. What the items of a list have in common is read once for all of them, when the first of them is asked
// for it (package loader), so that the number of reads does not grow with the list.
//
// Source: spec 05.
package graphql

//go:generate go tool -modfile=../../../tools/go.mod gqlgen generate --config gqlgen.yml
