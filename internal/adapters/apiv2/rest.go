package apiv2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"connectrpc.com/vanguard"

	api "github.com/ingothq/ingot/proto/api/v2"
	"github.com/ingothq/ingot/proto/api/v2/apiv2connect"
)

// Bounds of messages, in bytes.
const (
	// maxEvent bounds an event, and the body that it comes in. Spec 03 §12.
	maxEvent = 3 << 20
	// maxSmall bounds requests that are short: a hundred scores fit.
	maxSmall = 256 << 10
	// maxMessage bounds any other request.
	maxMessage = 4 << 20
	// maxAnswer bounds an answer: a page of outputs, each of which may be as large as a step's.
	maxAnswer = 64 << 20
	// defaultTimeout bounds a request.
	defaultTimeout = 30 * time.Second
)

// Prefixes are where the REST API is, as if it were there once.
var Prefixes = []string{"/api/v2", "/v2"}

// rpcPath begins the paths of all RPCs.
const rpcPath = "/" + apiv2connect.APIServiceName + "/"

// Paths are those that the handler serves, with everything below them. The reflection services describe the API to tools of gRPC.
var Paths = append([]string{strings.TrimSuffix(rpcPath, "/"), "/" + grpcreflect.ReflectV1ServiceName, "/" + grpcreflect.ReflectV1AlphaServiceName}, Prefixes...)

// headerReplayed says that an earlier request with the same idempotency key did what this one asks for.
const headerReplayed = "Idempotent-Replayed"

// New returns the handler of everything at and below Paths. Whoever mounts it keeps out who must not use it.
func New(d Deps, config Config) (http.Handler, error) {
	if config.Timeout <= 0 {
		config.Timeout = defaultTimeout
	}
	s := &service{Deps: d, config: config}
	around := connect.WithInterceptors(connect.UnaryInterceptorFunc(s.intercept))
	_, rpc := apiv2connect.NewAPIServiceHandler(s, around, connect.WithReadMaxBytes(maxMessage))
	// What REST sends is bounded before; as a message of protobuf it may be several times as long.
	path, behind := apiv2connect.NewAPIServiceHandler(s, around)
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{vanguard.NewService(path, behind,
		vanguard.WithTargetProtocols(vanguard.ProtocolConnect), vanguard.WithTargetCodecs(vanguard.CodecProto), vanguard.WithNoTargetCompression(),
		vanguard.WithMaxMessageBufferBytes(maxAnswer),
		vanguard.WithRESTUnmarshalOptions(vanguard.RESTUnmarshalOptions{DiscardUnknownQueryParams: true}),
	)}, vanguard.WithCodec(func(vanguard.TypeResolver) vanguard.Codec { return codec{} }))
	if err != nil {
		return nil, fmt.Errorf("api v2: %w", err)
	}
	rest := &rest{transcoder}
	reflector := grpcreflect.NewStaticReflector(apiv2connect.APIServiceName)
	v1, reflectV1 := grpcreflect.NewHandlerV1(reflector)
	alpha, reflectAlpha := grpcreflect.NewHandlerV1Alpha(reflector)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, rpcPath):
			serveRPC(rpc, w, r)
		case strings.HasPrefix(path, v1):
			reflectV1.ServeHTTP(w, r)
		case strings.HasPrefix(path, alpha):
			reflectAlpha.ServeHTTP(w, r)
		default:
			rest.ServeHTTP(w, r)
		}
	}), nil
}

// serveRPC lets browsers see how a call of gRPC-Web has ended.
func serveRPC(rpc http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "" {
		w.Header().Set("Access-Control-Expose-Headers", "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, "+headerReplayed)
	}
	rpc.ServeHTTP(w, r)
}

// restCall is a REST request while it is served. The methods see it in their context.
type restCall struct {
	// body is the body of the request as it came; nil when it came encoded.
	body []byte
	// failure is what the method answered, if that is an error.
	failure *failure
	// out is what the library answers. Where that is a refusal, such as of a body that it cannot read, it may call the method all the
	// same, with an empty message.
	out *held
}

// refused says that the library has refused the request before it came to a method.
func (c *restCall) refused() bool {
	return c.failure == nil && c.out.wrote && c.out.status >= http.StatusBadRequest
}

type restKey struct{}

// restOf is the REST request that a method serves; nil for an RPC.
func restOf(ctx context.Context) *restCall {
	call, _ := ctx.Value(restKey{}).(*restCall)
	return call
}

type rest struct{ transcoder http.Handler }

// ServeHTTP serves a request to a path below one of the prefixes.
func (h *rest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	for _, prefix := range Prefixes {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') {
			path = rest
			break
		}
	}
	if document := documents[path]; document != nil {
		document(w, r)
		return
	}
	if f := unserved(r, path); f != nil {
		f.write(w)
		return
	}
	call, err := readRequest(w, r, path)
	if err != nil {
		tooLarge(w, path, err)
		return
	}
	inner := rewritten(r, path, call, call.body)
	if slim := slimmed(path, call.body); slim != nil && r.Header.Get("Content-Encoding") == "" {
		h.transcoder.ServeHTTP(call.out, rewritten(r, path, call, slim))
		if !call.refused() {
			finish(w, inner, call)
			return
		}
		*call.out = held{header: http.Header{}, status: http.StatusOK} // the whole body has the whole reason
	}
	h.transcoder.ServeHTTP(call.out, inner)
	finish(w, inner, call)
}

// readRequest reads the body, which is bounded.
func readRequest(w http.ResponseWriter, r *http.Request, path string) (*restCall, error) {
	limit := int64(maxMessage)
	switch {
	case r.Method == http.MethodGet:
		r.Body = http.NoBody // clients send empty objects
		r.ContentLength = 0
	case path == eventsPath:
		limit = maxEvent
	case strings.HasSuffix(path, "/scores"), strings.HasSuffix(path, "/cancel"):
		limit = maxSmall
	}
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	return &restCall{body: body, out: &held{header: http.Header{}, status: http.StatusOK}}, err
}

const eventsPath = "/events"

// tooLarge answers for a body that could not be read. Spec 03 §12.
func tooLarge(w http.ResponseWriter, path string, err error) {
	large := (*http.MaxBytesError)(nil)
	if !errors.As(err, &large) {
		fail(http.StatusBadRequest, codeAPI, "the body could not be read").write(w)
		return
	}
	f := fail(http.StatusRequestEntityTooLarge, codeInvalid, fmt.Sprintf("Request body cannot exceed %d bytes", large.Limit))
	if path != eventsPath {
		f.write(w)
		return
	}
	writeJSON(w, f.status, append(f.body(), '\n'))
}

// rewritten is the request as the library should see it: JSON, without the headers and parameters that would make it an RPC, nor
// parameters that would stand in for parts of the path.
func rewritten(r *http.Request, path string, call *restCall, body []byte) *http.Request {
	inner := r.Clone(context.WithValue(r.Context(), restKey{}, call))
	inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	inner.Header.Set("Content-Type", "application/json")
	for _, header := range []string{"Accept-Encoding", "Connect-Protocol-Version", "X-Server-Timeout"} {
		inner.Header.Del(header)
	}
	if inner.Header.Get("Content-Encoding") != "" {
		call.body = nil
	}
	// The library unescapes the variables of a path by itself, and takes what follows a colon for something of its own.
	inner.URL.Path, inner.URL.RawPath = strings.ReplaceAll(path, ":", "%3A"), ""
	query := url.Values{}
	if r.Method == http.MethodGet { // others have their fields in the body
		query = inner.URL.Query()
	}
	query.Del("connect")
	for _, name := range ofPath(path) {
		query.Del(name)
	}
	inner.URL.RawQuery = readable(query).Encode()
	return inner
}

// ofPath are the parameters that a path has of itself.
func ofPath(path string) []string {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); first {
	case "apps":
		return []string{"appId", "app_id", "functionId", "function_id"}
	case "runs":
		if path != "/runs" {
			return []string{"runId", "run_id"}
		}
	case "events":
		return []string{"eventId", "event_id"}
	}
	return nil
}

// readable writes flags as the library reads them, which is stricter than clients are used to.
func readable(query url.Values) url.Values {
	for name, kind := range parameters {
		if kind != flagParameter {
			continue
		}
		for i, text := range query[name] {
			if flag, err := strconv.ParseBool(text); err == nil {
				query[name][i] = strconv.FormatBool(flag)
			}
		}
	}
	return query
}

// finish writes what the library has answered, errors in the shape of this API.
func finish(w http.ResponseWriter, r *http.Request, call *restCall) {
	out := call.out
	switch {
	case call.failure != nil:
		call.failure.write(w)
	case out.status >= http.StatusBadRequest:
		refuse(w, r, out)
	case out.header.Get(headerReplayed) != "":
		w.Header().Set(headerReplayed, "true")
		writeJSON(w, http.StatusConflict, out.body.Bytes())
	default:
		writeJSON(w, out.status, out.body.Bytes())
	}
}

// refuse answers a request that did not come as far as a method. A known path with another method is a 501, as clients of old
// know it. Spec 04 §2.
func refuse(w http.ResponseWriter, r *http.Request, out *held) {
	switch out.status {
	case http.StatusNotFound:
		fail(http.StatusNotFound, codeAPI, "Not Found").write(w)
	case http.StatusMethodNotAllowed:
		w.Header()["Allow"] = out.header["Allow"]
		fail(http.StatusNotImplemented, codeAPI, "Method Not Allowed").write(w)
	default:
		message := strings.TrimSpace(out.body.String())
		if refusal := (refused{}); json.Unmarshal(out.body.Bytes(), &refusal) == nil {
			message = refusal.Message
		}
		fail(out.status, codeAPI, inParameter(message, r.URL.Query())).write(w)
	}
}

// parameterKind says how a parameter of a query is read.
type parameterKind int

const (
	flagParameter parameterKind = iota
	numberParameter
	timeParameter
)

// parameters are those of queries that are no texts.
var parameters = map[string]parameterKind{
	"includeOutput": flagParameter, "include_output": flagParameter, "archived": flagParameter, "isDeferred": flagParameter, "is_deferred": flagParameter,
	"limit": numberParameter, "from": timeParameter, "until": timeParameter,
}

// inParameter says of a parameter that cannot be read what Go's own parsers say, as clients know it. Spec 04 §11.1.
func inParameter(message string, query url.Values) string {
	if !strings.HasPrefix(message, "invalid parameter ") {
		return message
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		for _, text := range query[name] {
			if err := parameters[name].check(text); err != nil {
				return fmt.Sprintf("parsing field %q: %s", name, err)
			}
		}
	}
	return message
}

// check says why the text is none of the kind.
func (k parameterKind) check(text string) (err error) {
	switch k {
	case flagParameter:
		_, err = strconv.ParseBool(text)
	case numberParameter:
		_, err = strconv.ParseInt(text, 10, 32)
	case timeParameter:
		_, err = time.Parse(time.RFC3339Nano, text)
	}
	return err
}

// body is the failure as REST has it.
func (f *failure) body() []byte {
	body, err := codec{}.MarshalAppend(nil, &api.ErrorResponse{Errors: f.errors})
	if err != nil {
		return []byte(`{"errors":[{"code":"internal_error","message":"Internal server error"}]}`)
	}
	return body
}

func (f *failure) write(w http.ResponseWriter) { writeJSON(w, f.status, f.body()) }

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone
}

// held is an answer that is not written yet.
type held struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (h *held) Header() http.Header { return h.header }

func (h *held) WriteHeader(status int) {
	if !h.wrote {
		h.status, h.wrote = status, true
	}
}

func (h *held) Write(p []byte) (int, error) {
	h.wrote = true
	return h.body.Write(p)
}

// Flush lets the library do what it does at the end of a message.
func (h *held) Flush() {}

// getOnly refuses other methods.
func getOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains([]string{http.MethodGet, http.MethodHead}, r.Method) {
			w.Header().Set("Allow", http.MethodGet)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}
