package client

import (
	"net/http"
	"strings"
	"sync"
	"unicode"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	apiv2 "github.com/ingothq/ingot/proto/api/v2"
)

// Operation is something that the API offers, as REST and the command line have it.
type Operation struct {
	// ID is the name of the RPC, such as "GetFunctionRun"; Command is what the command line calls it: "get-function-run".
	ID, Command string
	// Method and Path are those of REST, the latter without the prefix of the API: "/runs/{run_id}".
	Method, Path string
	Fields       []Field
}

// Field is a part of a request.
type Field struct {
	// Name is the field's in JSON, such as "runId"; Flag is the command line's: "run-id".
	Name, Flag string
	In         Place
	Kind       Kind
	// Repeated says that the field has any number of values.
	Repeated bool

	proto string
}

// Place is where a field is in a request of REST.
type Place int

// The places. Whole is a body that is the field itself.
const (
	InPath Place = iota
	InQuery
	InBody
	Whole
)

// Kind is what a value of a field looks like.
type Kind int

// The kinds. JSON is an object, a list, or anything.
const (
	Text Kind = iota
	Number
	Bool
	JSON
)

// Operations are all operations, in the order of the API's description.
func Operations() []Operation { return operations() }

var operations = sync.OnceValue(func() []Operation {
	methods := apiv2.File_api_v2_service_proto.Services().Get(0).Methods()
	all := make([]Operation, methods.Len())
	for i := range all {
		all[i] = operationOf(methods.Get(i))
	}
	return all
})

func operationOf(method protoreflect.MethodDescriptor) Operation {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	op := Operation{ID: string(method.Name()), Command: command(string(method.Name())), Method: http.MethodGet, Path: rule.GetGet()}
	if post := rule.GetPost(); post != "" {
		op.Method, op.Path = http.MethodPost, post
	}
	fields := method.Input().Fields()
	for i := range fields.Len() {
		op.Fields = append(op.Fields, fieldOf(fields.Get(i), op.Path, rule.GetBody()))
	}
	return op
}

func fieldOf(field protoreflect.FieldDescriptor, path, body string) Field {
	name := string(field.Name())
	out := Field{Name: field.JSONName(), Flag: strings.ReplaceAll(name, "_", "-"), In: InQuery, Kind: kindOf(field), Repeated: field.IsList(), proto: name}
	switch {
	case strings.Contains(path, "{"+name+"}"):
		out.In = InPath
	case body == "*":
		out.In = InBody
	case body == name:
		out.In = Whole
	}
	return out
}

func kindOf(field protoreflect.FieldDescriptor) Kind {
	switch field.Kind() {
	case protoreflect.StringKind:
		return Text
	case protoreflect.BoolKind:
		return Bool
	case protoreflect.MessageKind:
		if field.Message().FullName() == "google.protobuf.Timestamp" {
			return Text
		}
		return JSON
	default:
		return Number
	}
}

// command is a name as the command line has it: words joined by dashes, and "get" for the verbs that mean the same.
func command(name string) string {
	var out strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('-')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	text := out.String()
	for _, verb := range []string{"fetch-", "list-"} {
		if rest, ok := strings.CutPrefix(text, verb); ok {
			return "get-" + rest
		}
	}
	return text
}
