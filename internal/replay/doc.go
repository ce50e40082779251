// Package replay holds no code of the server: its tests start the built binary and play recorded traffic against it.
//
// A recording is every HTTP message between the reference server and an app, in both directions. The test sends the
// recorded events, plays the app's recorded answers, and compares the calls that the server under test makes with the
// recorded ones, member by member. Checkpoints, signals and sends of the app are made where they were recorded, and their
// answers compared; the providers that steps ask answer as recorded, and what they are asked is compared.
//
// Random and derived values are not masked but computed again with the formulas of spec 01 §5, spec 02 §5 and spec 03 §8,
// which are written down here a second time on purpose: a slip in the server's own formulas must not hide itself.
//
// Where the server differs from the reference on purpose, the difference is one row of a table in differences_test.go. A
// difference without a row fails the test, and so does a row whose difference is gone.
package replay
