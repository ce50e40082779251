// Command openapi completes a generated description of the REST API with what the generator does not know: where the API is, how
// one gets in, what errors look like, and that values of enums have no prefix.
//
//	go run ./internal/tools/openapi FILE
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	in, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	out, err := complete(in)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, out, 0o644)
}

// object is a JSON object.
type object = map[string]any

// complete returns the description with everything in it. What is there already stays.
func complete(in []byte) ([]byte, error) {
	var document object
	if err := json.Unmarshal(in, &document); err != nil {
		return nil, err
	}
	document["info"] = object{
		"title": "Ingot", "version": "2", "license": object{"name": "Apache 2.0", "identifier": "Apache-2.0"},
		"description": "Version 2 of the API. All of it wants the signing key as a bearer token, but for a development server.",
	}
	document["servers"] = []any{object{"url": "/api/v2"}, object{"url": "/v2"}}
	document["security"] = []any{object{"signingKey": []any{}}}
	components := child(document, "components")
	components["securitySchemes"] = object{"signingKey": object{"type": "http", "scheme": "bearer", "description": "The signing key, or its hash."}}
	schemas := child(components, "schemas")
	for _, schema := range schemas {
		if schema, ok := schema.(object); ok {
			shorten(schema)
		}
	}
	schemas["api.v2.ErrorResponse"] = errorSchema()
	failure := object{
		"description": "An error.",
		"content":     object{"application/json": object{"schema": object{"$ref": "#/components/schemas/api.v2.ErrorResponse"}}},
	}
	for _, path := range child(document, "paths") {
		methods, _ := path.(object)
		for _, operation := range methods {
			if operation, ok := operation.(object); ok {
				child(operation, "responses")["default"] = failure
				operation["operationId"] = last(operation["operationId"])
			}
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(document)
	return out.Bytes(), err
}

// child is a member that is an object; it is made when it is not there.
func child(parent object, name string) object {
	found, ok := parent[name].(object)
	if !ok {
		found = object{}
		parent[name] = found
	}
	return found
}

// shorten takes the prefix off the values of an enum: those of FunctionRunStatus begin with FUNCTION_RUN_STATUS_.
func shorten(schema object) {
	values, _ := schema["enum"].([]any)
	title, _ := schema["title"].(string)
	var prefix strings.Builder
	for i, r := range title {
		if i > 0 && unicode.IsUpper(r) {
			prefix.WriteByte('_')
		}
		prefix.WriteRune(unicode.ToUpper(r))
	}
	for i, value := range values {
		values[i] = strings.TrimPrefix(fmt.Sprint(value), prefix.String()+"_")
	}
}

// errorSchema is that of the body of errors.
func errorSchema() object {
	return object{
		"type": "object", "title": "ErrorResponse", "required": []any{"errors"},
		"properties": object{"errors": object{"type": "array", "items": object{
			"type": "object", "title": "Error", "required": []any{"code", "message"},
			"properties": object{
				"code":    object{"type": "string", "description": "A word for programs."},
				"message": object{"type": "string", "description": "A sentence for people."},
			},
		}}},
	}
}

// last is what follows the last dot of a name.
func last(name any) string {
	text := fmt.Sprint(name)
	return text[strings.LastIndexByte(text, '.')+1:]
}
