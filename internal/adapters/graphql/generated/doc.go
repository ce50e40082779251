// Package generated is what gqlgen makes of the schema: the types that clients see, and the server that asks resolvers for them.
package generated
