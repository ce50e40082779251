// Package trace is what happened in a run, as a tree of spans.
//
// A [Span] is a row of history, written once and never changed: the run itself, a step, an attempt that failed, what was attached to
// either. What is known later of a span is another row with the same Dynamic, named [NameExtend]; who reads puts the rows together. The
// rows are those of the reference, so that either server shows what the other wrote, but fewer: a call to the app that did what was asked
// of it, once, needs no row of its own beside that of the step.
//
// All of it is pure. Who commits a transition asks for its spans and stores them with it; who is asked for a trace reads the rows and
// builds the tree, in one of the two shapes that clients know.
//
// Source: spec 05 §8, §9; spec 15 §8.
package trace
