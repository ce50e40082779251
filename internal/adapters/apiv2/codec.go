package apiv2

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// codec is how REST reads and writes messages: JSON as protobuf has it, but that members are sorted, and that the values of
// enums are written without the prefix that names their type. Spec 04 §11.1.
type codec struct{}

var _ vanguard.RESTCodec = codec{}

// Name implements vanguard.Codec.
func (codec) Name() string { return vanguard.CodecJSON }

// MarshalAppend implements vanguard.Codec.
func (codec) MarshalAppend(base []byte, message proto.Message) ([]byte, error) {
	var value any
	if refusal, ok := message.(*status.Status); ok {
		value = refused{refusal.GetMessage()} // the library's own; see rest.refuse
	} else {
		value = tree(message.ProtoReflect())
	}
	out := bytes.NewBuffer(base)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Unmarshal implements vanguard.Codec. Members may be in camel or in snake case; one that is not known is an error.
func (codec) Unmarshal(data []byte, message proto.Message) error {
	err := protojson.Unmarshal(data, message)
	if err == nil {
		return nil
	}
	// protobuf varies the spaces of its texts, so that nobody relies on them. Somebody does.
	return connect.NewError(connect.CodeInvalidArgument, errors.New(strings.ReplaceAll(err.Error(), "\u00a0", " ")))
}

// MarshalAppendField implements vanguard.RESTCodec. No answer is a part of a message.
func (c codec) MarshalAppendField(base []byte, message proto.Message, field protoreflect.FieldDescriptor) ([]byte, error) {
	part := message.ProtoReflect().New()
	part.Set(field, message.ProtoReflect().Get(field))
	return c.MarshalAppend(base, part.Interface())
}

// UnmarshalField implements vanguard.RESTCodec.
func (c codec) UnmarshalField(data []byte, message proto.Message, field protoreflect.FieldDescriptor) error {
	wrapped := append([]byte(`{"`+field.JSONName()+`":`), data...)
	return c.Unmarshal(append(wrapped, '}'), message)
}

// refused is what the library says of a request that does not come as far as a method.
type refused struct {
	Message string `json:"message"`
}

// tree is a message as maps, slices and texts that encoding/json writes as they should be. Members that are empty are left out,
// unless they say that they are there.
func tree(message protoreflect.Message) any {
	switch known := message.Interface().(type) {
	case *timestamppb.Timestamp:
		return timestamp(known.AsTime())
	case *structpb.Struct:
		return exactOr(message, func() any { return known.AsMap() })
	case *structpb.ListValue:
		return exactOr(message, func() any { return known.AsSlice() })
	case *structpb.Value:
		return exactOr(message, known.AsInterface)
	}
	members := map[string]any{}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		members[field.JSONName()] = member(field, value)
		return true
	})
	return members
}

func member(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch {
	case field.IsMap():
		entries := map[string]any{}
		value.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			entries[key.String()] = single(field.MapValue(), value)
			return true
		})
		return entries
	case field.IsList():
		list := make([]any, value.List().Len())
		for i := range list {
			list[i] = single(field, value.List().Get(i))
		}
		return list
	}
	return single(field, value)
}

func single(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return tree(value.Message())
	case protoreflect.EnumKind:
		return enumName(field.Enum(), value.Enum())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return strconv.FormatInt(value.Int(), 10)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return strconv.FormatUint(value.Uint(), 10)
	default:
		return value.Interface()
	}
}

// enumName is the name of a value without the prefix that names its type, or its number if it has no name.
func enumName(enum protoreflect.EnumDescriptor, number protoreflect.EnumNumber) any {
	value := enum.Values().ByNumber(number)
	if value == nil {
		return number
	}
	return strings.TrimPrefix(string(value.Name()), enumPrefix(string(enum.Name())))
}

// enumPrefix is what the names of an enum's values begin with: "FunctionRunStatus" is "FUNCTION_RUN_STATUS_".
func enumPrefix(name string) string {
	var prefix strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			prefix.WriteByte('_')
		}
		prefix.WriteRune(unicode.ToUpper(r))
	}
	return prefix.String() + "_"
}

// timestamp has a fraction of 0, 3, 6 or 9 digits.
func timestamp(at time.Time) string {
	text := at.UTC().Format("2006-01-02T15:04:05.000000000")
	for range 2 {
		text = strings.TrimSuffix(text, "000")
	}
	return strings.TrimSuffix(text, ".000") + "Z"
}

// exactField carries the JSON text that a value of protobuf, whose numbers are doubles, was made of. It is on answers to REST
// only, which never leave the process in this form.
const exactField = protowire.Number(1 << 20)

// exactly has REST write the JSON text in place of the message.
func exactly(message protoreflect.Message, text []byte) {
	field := protowire.AppendTag(nil, exactField, protowire.BytesType)
	message.SetUnknown(protowire.AppendBytes(field, text))
}

// exactOr is the text that a message carries, or else what it is itself.
func exactOr(message protoreflect.Message, itself func() any) any {
	number, kind, size := protowire.ConsumeTag(message.GetUnknown())
	if size < 0 || number != exactField || kind != protowire.BytesType {
		return itself()
	}
	text, end := protowire.ConsumeBytes(message.GetUnknown()[size:])
	if end < 0 {
		return itself()
	}
	return json.RawMessage(text)
}
