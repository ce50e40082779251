package event

import "strings"

// Patterns are the event strings of triggers that an event of that name fires: the name itself, "prefix/*" for each
// prefix before a slash and "prefix.*" for each before a dot. A trigger fires only if its string equals one of them; there is
// no other globbing. Source: spec 03 §14.3.
func Patterns(name string) []string {
	patterns := make([]string, 1, 1+strings.Count(name, "/")+strings.Count(name, "."))
	patterns[0] = name
	for _, separator := range []byte{'/', '.'} {
		for at := range len(name) {
			if name[at] == separator {
				patterns = append(patterns, name[:at+1]+"*")
			}
		}
	}
	return patterns
}
