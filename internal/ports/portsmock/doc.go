// Package portsmock holds generated mocks of the ports, for tests of what no real adapter can be made to do: a call
// that must not happen, an order of calls, an error that no backend gives. Everything else is tested on the in-memory
// adapter, which passes the contract suites.
package portsmock
