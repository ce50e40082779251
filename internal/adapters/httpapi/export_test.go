package httpapi

// RouteCount is the number of routes.
func RouteCount(config Config, d Deps) int { return len((&api{Deps: d, config: config}).routes()) }
