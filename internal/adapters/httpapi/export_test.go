package httpapi

// Routes are "METHOD /path" of all routes, Managed those of them that want a key or a session.
func Routes(config Config, d Deps) (all, needKey []string) {
	for _, r := range (&api{Deps: d, config: config}).routes() {
		name := r.method + " " + r.path
		all = append(all, name)
		if r.access == managed {
			needKey = append(needKey, name)
		}
	}
	return all, needKey
}
