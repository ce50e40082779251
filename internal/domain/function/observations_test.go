package function_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestObservations_AreReadFromTheAppsMetadata(t *testing.T) {
	t.Parallel()
	read := func(metadata string) (*function.Observations, error) {
		return function.App{Metadata: json.RawMessage(metadata)}.Observations()
	}
	for _, metadata := range []string{"", "{}", "[]", `{"featureObservations":""}`} {
		if o, err := read(metadata); o != nil || err != nil {
			t.Errorf("%q: %v, %v", metadata, o, err)
		}
	}
	o, err := read(`{"featureObservations":"{\"aiMetadataExtraction\":{\"readinessReason\":3},\"extendedTraces\":{\"readinessReason\":\"EXTENDED_TRACES_READINESS_REASON_READY\"},\"more\":1}"}`)
	if err != nil || o.AIMetadata.Reason != 3 || o.ExtendedTraces.Reason != 1 || o.SendEvents != nil {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := read(`{"featureObservations":"{\"aiMetadataExtraction\":7}"}`); err == nil || !strings.HasPrefix(err.Error(), "invalid SDK feature observations: ") {
		t.Errorf("error is %v", err)
	}
}
