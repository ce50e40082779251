package apiv2

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	api "github.com/ingothq/ingot/proto/api/v2"
)

func TestCodec_Writes(t *testing.T) {
	t.Parallel()
	at := func(nanos int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 3, 1, 13, 0, 0, nanos, time.FixedZone("CET", 3600)))
	}
	no, big := false, int64(1<<60)
	exact := &structpb.Struct{}
	exactly(exact.ProtoReflect(), []byte(`{"z": 1.10}`))
	broken := &structpb.Struct{}
	broken.ProtoReflect().SetUnknown([]byte{0xff})
	for want, message := range map[string]proto.Message{
		`{}`:                               &api.App{},
		`"2026-03-01T12:00:00Z"`:           at(0),
		`"2026-03-01T12:00:00.100Z"`:       at(100_000_000),
		`"2026-03-01T12:00:00.000010Z"`:    at(10_000),
		`"2026-03-01T12:00:00.000000010Z"`: at(10),
		`{"durationMs":"1152921504606846976","trigger":{"isBatch":false}}`: &api.FunctionRun{DurationMs: &big, Trigger: &api.FunctionRunTrigger{IsBatch: &no}},
		`{"method":"CONNECT","name":"<APP_METHOD_SERVE>"}`:                 &api.App{Method: api.AppMethod_APP_METHOD_CONNECT, Name: "<APP_METHOD_SERVE>"},
		`{"method":99}`:                             &api.App{Method: 99},
		`{"stepOp":"UNSPECIFIED"}`:                  &api.TraceSpan{StepOp: api.TraceStepOp_TRACE_STEP_OP_UNSPECIFIED.Enum()},
		`{"values":{"a":"1","b":"2"}}`:              &api.TraceMetadata{Values: map[string]string{"b": "2", "a": "1"}},
		`{"output":{"z":1.10}}`:                     &api.FunctionRun{Output: exact},
		`{"output":{}}`:                             &api.FunctionRun{Output: broken},
		`{"input":[1,"x",null]}`:                    &api.RerunFromStep{Input: &structpb.ListValue{Values: []*structpb.Value{structpb.NewNumberValue(1), structpb.NewStringValue("x"), structpb.NewNullValue()}}},
		`{"value":"18446744073709551615"}`:          &wrapperspb.UInt64Value{Value: 1<<64 - 1},
		`{"errors":[{"code":"a"},{"message":"b"}]}`: &api.ErrorResponse{Errors: []*api.Error{{Code: "a"}, {Message: "b"}}},
	} {
		got, err := codec{}.MarshalAppend(nil, message)
		if err != nil || string(got) != want {
			t.Errorf("%s, want %s, %v", got, want, err)
		}
	}
}

func TestCodec_WritesAField(t *testing.T) {
	t.Parallel()
	app := &api.App{Id: "x", Name: "y"}
	got, err := codec{}.MarshalAppendField([]byte("> "), app, app.ProtoReflect().Descriptor().Fields().ByName("name"))
	if err != nil || string(got) != `> {"name":"y"}` {
		t.Errorf("%s, %v", got, err)
	}
}
