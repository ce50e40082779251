// Package harness runs the real server binary for the end-to-end tests and asks it what it knows.
//
// The suites are black-box: they reach the server only over HTTP and by signals. Nothing of the server's code is
// imported, so that a suite holds for any build of it (set INGOT_BIN to test a given binary).
package harness
