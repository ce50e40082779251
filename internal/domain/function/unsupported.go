package function

// Unsupported names the settings of a function, by their names in a registration, that this server keeps but does not
// act on yet. They are for a warning; the function is registered all the same.
func Unsupported(f Function) []string {
	var names []string
	for _, setting := range []struct {
		name string
		used bool
	}{
		{"throttle", f.Settings.Throttle != nil},
		{"concurrency", limitsConcurrency(f.Settings.Concurrency)},
		{"priority", f.Settings.Priority != nil && f.Settings.Priority.Run != nil},
	} {
		if setting.used {
			names = append(names, setting.name)
		}
	}
	return names
}

// limitsConcurrency says whether the app asked for limits. The one of a connected app's workers is the server's own.
func limitsConcurrency(limits *Concurrency) bool {
	if limits == nil {
		return false
	}
	for _, limit := range limits.Run {
		if limit.Scope != RunScopeApp {
			return true
		}
	}
	return len(limits.Step) > 0
}
