// Command bench measures the server from outside, end to end.
//
// For each profile it starts a fresh server, serves a small app that speaks the SDK protocol by hand (so that no SDK's
// cost is measured), registers it, sends events and times each run from the moment its event was sent. Every run is
// checked: it must start once, forget no memoised step, and finish.
//
//	idle    20 events, 2 a second: latency of an idle server
//	runs    functions without steps, sent as fast as the server takes them
//	steps   functions of -steps step.run calls each
//	sleep   functions that sleep once for -sleep
//	soak    like runs, with the memory after each 20,000 runs (default -n 100000)
//	asleep  runs that all sleep until the same instant; the server, which persists, is killed and started again while
//	        they sleep: time to health, memory, cost of the wake-up (default -n 100000)
//	waiting runs that all wait for one event name with distinct conditions; 200 of them are resumed one after the other:
//	        memory, and time from the event to the next call (default -n 100000)
//
// It prints a table, or with -format kv one line of key=value pairs per profile, or json. It exits 1 when a run was
// missing, ran twice, or forgot a step.
//
//	go run ./bench -server bin/server -profile idle,runs,steps,sleep
//	go run ./bench -profile runs -readers 20                 while others page through the runs
//	go run ./bench -api http://127.0.0.1:8288 -profile runs        a server that runs already
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	server, mode, api  string
	profiles           string
	count, steps       int
	sleep              time.Duration
	senders, batch     int
	readers            int
	padding            int
	wait               time.Duration
	signKey, eventKey  string
	format             string
	asleepFor          time.Duration
	keepServerLog      bool
	extraServerOptions string
}

// errIncorrect says that a server did not do what it must; the numbers are printed already.
var errIncorrect = errors.New("runs were missing, ran twice or forgot a step")

func main() {
	var opts options
	flag.StringVar(&opts.server, "server", "bin/server", "server binary to start for each profile")
	flag.StringVar(&opts.mode, "mode", "dev", "command of the server: dev or start")
	flag.StringVar(&opts.extraServerOptions, "server-args", "", "more arguments for the server, separated by blanks")
	flag.BoolVar(&opts.keepServerLog, "server-log", false, "show what the server prints")
	flag.StringVar(&opts.api, "api", "", "URL of a running server to measure instead of starting one")
	flag.StringVar(&opts.profiles, "profile", "idle,runs,steps,sleep", "profiles to run, in order")
	flag.IntVar(&opts.count, "n", 0, "events to send, one run each; 0 is the profile's own number")
	flag.IntVar(&opts.steps, "steps", 5, "steps of a run in profile steps")
	flag.DurationVar(&opts.sleep, "sleep", time.Second, "sleep of a run in profile sleep")
	flag.DurationVar(&opts.asleepFor, "asleep-for", 0, "how long after the first event the runs of asleep wake; 0 is 1.5 ms a run and 20 s")
	flag.IntVar(&opts.senders, "c", 32, "concurrent senders")
	flag.IntVar(&opts.readers, "readers", 0, "clients that page through the list of runs meanwhile, as fast as they are answered")
	flag.IntVar(&opts.batch, "batch", 1, "events a request")
	flag.IntVar(&opts.padding, "pad", 0, "bytes of padding in each event")
	flag.DurationVar(&opts.wait, "wait", 2*time.Minute, "give up when no call arrives for this long")
	flag.StringVar(&opts.signKey, "signing-key", strings.Repeat("0123abcd", 8), "hex signing key in mode start")
	flag.StringVar(&opts.eventKey, "event-key", "test", "event key")
	flag.StringVar(&opts.format, "format", "table", "table, kv or json")
	flag.Parse()
	if err := run(opts); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(opts options) error {
	var results []result
	incorrect := false
	for name := range strings.SplitSeq(opts.profiles, ",") {
		profile, err := profileNamed(name, opts)
		if err != nil {
			return err
		}
		res, err := measure(profile, opts)
		if err != nil {
			return fmt.Errorf("profile %s: %w", name, err)
		}
		incorrect = incorrect || res.incorrect()
		results = append(results, res)
		if opts.format == "kv" {
			fmt.Println(res.pairs())
		}
	}
	if err := printResults(os.Stdout, opts.format, results); err != nil {
		return err
	}
	if incorrect {
		return errIncorrect
	}
	return nil
}
