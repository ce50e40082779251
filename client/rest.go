package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds the answer of a REST call, in bytes.
const maxAnswer = 25 << 20

// Answer is what the server said to a REST call.
type Answer struct {
	Status int
	// Body is JSON as a rule; what stands in front of a server may answer something else.
	Body []byte
}

// REST calls an operation with the values of its fields by their names in JSON: those of Repeated fields are lists, those of
// the kind JSON are JSON texts. Whole is the body, or nil; fields replace its members. An answer that is an error is no error
// here.
func (c *Client) REST(ctx context.Context, op Operation, fields map[string]any, whole json.RawMessage) (Answer, error) {
	path, query, body, err := op.request(fields, whole)
	if err != nil {
		return Answer{}, err
	}
	target := c.base + c.rest + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, op.Method, target, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("call %s: %w", op.ID, err)
	}
	if op.Method != http.MethodGet {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("call %s: %w", op.ID, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, fmt.Errorf("call %s: read the answer: %w", op.ID, err)
	}
	if len(text) > maxAnswer {
		return Answer{}, fmt.Errorf("call %s: the answer is longer than %d bytes", op.ID, maxAnswer)
	}
	return Answer{response.StatusCode, text}, nil
}

// request puts the fields where they belong.
func (op Operation) request(fields map[string]any, whole json.RawMessage) (path string, query url.Values, body []byte, err error) {
	path, query = op.Path, url.Values{}
	members := map[string]any{}
	if len(whole) > 0 && op.body() == InBody {
		if err := json.Unmarshal(whole, &members); err != nil {
			return "", nil, nil, fmt.Errorf("call %s: the body must be a JSON object: %w", op.ID, err)
		}
	}
	for _, field := range op.Fields {
		value, given := fields[field.Name]
		switch {
		case field.In == InPath && (!given || value == ""):
			return "", nil, nil, fmt.Errorf("call %s: %s is required", op.ID, field.Name)
		case field.In == InPath:
			path = strings.ReplaceAll(path, "{"+field.proto+"}", url.PathEscape(fmt.Sprint(value)))
		case !given:
		case field.In == InQuery:
			query[field.Name] = texts(value)
		case field.In == Whole:
			whole, _ = value.(json.RawMessage)
		default:
			members[field.Name] = value
		}
	}
	switch op.body() {
	case InBody:
		body, err = json.Marshal(members)
	case Whole:
		body = whole
	default:
	}
	return path, query, body, err
}

// body is how the operation uses the body: InBody for its members, Whole for all of it, and otherwise not at all.
func (op Operation) body() Place {
	if op.Method == http.MethodGet {
		return InQuery
	}
	for _, field := range op.Fields {
		if field.In == Whole {
			return Whole
		}
	}
	return InBody
}

func texts(value any) []string {
	if list, ok := value.([]string); ok {
		return list
	}
	return []string{fmt.Sprint(value)}
}
