package httpapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/ingothq/ingot/internal/domain/function"
)

// StartOptions are what /dev tells of how the server was started. There are no addresses of databases in it.
type StartOptions struct {
	Dir                string   `json:"dir"`
	URLs               []string `json:"urls"`
	Autodiscover       bool     `json:"autodiscover"`
	Poll               bool     `json:"poll"`
	PollInterval       int      `json:"poll_interval"`
	Tick               int64    `json:"tick"`
	RetryInterval      int      `json:"retry_interval"`
	QueueWorkers       int      `json:"queue_workers"`
	RequireKeys        bool     `json:"require_keys"`
	ConnectGatewayPort int      `json:"connectGatewayPort"`
	ConnectGatewayHost string   `json:"connectGatewayHost"`
	NoUI               bool     `json:"NoUI"`
	Persist            bool     `json:"persist"`
	SQLiteDir          string   `json:"sqlite_dir"`
	// FeatureFlags is the text of INNGEST_FEATURE_FLAGS, "a=true,b=false".
	FeatureFlags string `json:"-"`
}

// dev is GET /dev, by which SDKs tell that a dev server is there. Spec 04 §5.1.
func (a *api) dev(c echo.Context) error {
	if a.config.Kind != KindDev {
		return echo.ErrNotFound
	}
	functions := a.Functions.Functions()
	slices.SortFunc(functions, func(x, y function.Function) int { return cmp.Compare(x.Slug, y.Slug) })
	configs := make([]json.RawMessage, len(functions))
	for i, fn := range functions {
		configs[i] = fn.Config
	}
	options := a.config.StartOptions
	if options.URLs == nil {
		options.URLs = []string{}
	}
	body, err := json.MarshalIndent(struct {
		Version             string            `json:"version"`
		Authed              bool              `json:"authed"`
		StartOpts           StartOptions      `json:"startOpts"`
		Functions           []json.RawMessage `json:"functions"`
		Handlers            []string          `json:"handlers"`
		IsSingleNodeService bool              `json:"isSingleNodeService"`
		IsMissingSigningKey bool              `json:"isMissingSigningKey"`
		IsMissingEventKeys  bool              `json:"isMissingEventKeys"`
		Features            map[string]bool   `json:"features"`
	}{Version: a.config.Version, StartOpts: options, Functions: configs, Features: features(options.FeatureFlags)}, "", "  ")
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/json; charset=utf-8", append(body, '\n'))
}

// features are the dashboard's flags, with those of the environment on top.
func features(flags string) map[string]bool {
	all := map[string]bool{"FEATURE_CEL_SEARCH": false, "run-details-v4": true, "enable-step-metadata": true}
	for pair := range strings.SplitSeq(flags, ",") {
		name, value, _ := strings.Cut(pair, "=")
		if on, err := strconv.ParseBool(strings.TrimSpace(value)); err == nil {
			all[strings.TrimSpace(name)] = on
		}
	}
	return all
}
