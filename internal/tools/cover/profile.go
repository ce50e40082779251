package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// fileCover counts the statements of a file and how many of them ran in at least one test binary.
type fileCover struct {
	statements, covered int
}

func (c fileCover) percent() float64 {
	if c.statements == 0 {
		return 100
	}
	return 100 * float64(c.covered) / float64(c.statements)
}

// block is one line of a profile: a range of a file and its statements.
type block struct {
	file, span string
}

// readProfile sums a coverage profile by file, named as in the profile: import path and base name.
//
// With -coverpkg every test binary reports every package, so a block appears many times; it is covered when any of
// them ran it.
func readProfile(r io.Reader) (map[string]fileCover, error) {
	statements := map[block]int{}
	ran := map[block]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		text := lines.Text()
		if text == "" || strings.HasPrefix(text, "mode:") {
			continue
		}
		at, size, count, err := parseLine(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		statements[at] = size
		ran[at] = ran[at] || count > 0
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	files := map[string]fileCover{}
	for at, size := range statements {
		sum := files[at.file]
		sum.statements += size
		if ran[at] {
			sum.covered += size
		}
		files[at.file] = sum
	}
	return files, nil
}

// parseLine reads "path/file.go:1.2,3.4 statements count".
func parseLine(text string) (at block, statements int, count uint64, err error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return block{}, 0, 0, fmt.Errorf("%q has not three fields", text)
	}
	colon := strings.LastIndexByte(fields[0], ':')
	if colon < 0 {
		return block{}, 0, 0, fmt.Errorf("%q names no range", text)
	}
	statements, err = strconv.Atoi(fields[1])
	if err != nil {
		return block{}, 0, 0, fmt.Errorf("statements of %q: %w", text, err)
	}
	count, err = strconv.ParseUint(fields[2], 10, 64)
	if err != nil {
		return block{}, 0, 0, fmt.Errorf("count of %q: %w", text, err)
	}
	return block{fields[0][:colon], fields[0][colon+1:]}, statements, count, nil
}
