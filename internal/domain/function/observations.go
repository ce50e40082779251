package function

import (
	"encoding/json"
	"fmt"
)

// Observations is what an SDK reports about its own set-up: whether AI metadata, extended traces and sending events would
// work, and why not. Apps may spell enum values as numbers or names; they are kept as numbers. Unknown members and names
// are dropped (spec 01 §4.1).
type Observations struct {
	AIMetadata     *AIMetadataObservation     `json:"aiMetadataExtraction,omitempty"`
	ExtendedTraces *ExtendedTracesObservation `json:"extendedTraces,omitempty"`
	SendEvents     *SendEventsObservation     `json:"sendEvents,omitempty"`
}

// AIMetadataObservation is the readiness of AI metadata extraction; reason 1 is ready.
type AIMetadataObservation struct {
	Reason ObservedEnum   `json:"readinessReason,omitempty"`
	OTel   *ObservedSetup `json:"otelSetup,omitempty"`
}

// ExtendedTracesObservation is the readiness of extended traces; reason 1 is ready.
type ExtendedTracesObservation struct {
	Reason ObservedEnum `json:"readinessReason,omitempty"`
	Config *struct {
		Behavior ObservedEnum `json:"behavior,omitempty"`
	} `json:"config,omitempty"`
	OTel *ObservedSetup `json:"otelSetup,omitempty"`
}

// SendEventsObservation is the readiness of sending events; reason 1 is ready.
type SendEventsObservation struct {
	Reason ObservedEnum `json:"readinessReason,omitempty"`
	Config *struct {
		EventKey       bool `json:"eventKeyConfigured,omitempty"`
		OriginOverride bool `json:"eventApiOriginOverrideConfigured,omitempty"`
	} `json:"config,omitempty"`
}

// ObservedSetup is the state of the app's OpenTelemetry provider.
type ObservedSetup struct {
	Path           ObservedEnum `json:"path,omitempty"`
	ProviderFound  bool         `json:"providerFound,omitempty"`
	ProviderSource ObservedEnum `json:"providerSource,omitempty"`
	Attempted      bool         `json:"addSpanProcessorAttempted,omitempty"`
	Added          bool         `json:"spanProcessorAdded,omitempty"`
	Failure        ObservedEnum `json:"failure,omitempty"`
}

// ObservedEnum is the number of an enum value; 0 is "unspecified" and not written.
type ObservedEnum int32

// UnmarshalJSON reads a number or a name. A name of no known enum reads as 0.
func (e *ObservedEnum) UnmarshalJSON(raw []byte) error {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		*e = observedNames[name]
		return nil
	}
	return json.Unmarshal(raw, (*int32)(e))
}

// observedNames are the names SDKs use. No name occurs in two enums.
var observedNames = map[string]ObservedEnum{
	"AI_METADATA_EXTRACTION_READINESS_REASON_READY":                         1,
	"AI_METADATA_EXTRACTION_READINESS_REASON_DISABLED_BY_USER":              2,
	"AI_METADATA_EXTRACTION_READINESS_REASON_OTEL_PROVIDER_MISSING":         3,
	"AI_METADATA_EXTRACTION_READINESS_REASON_OTEL_SPAN_PROCESSOR_NOT_ADDED": 4,

	"EXTENDED_TRACES_READINESS_REASON_READY":                         1,
	"EXTENDED_TRACES_READINESS_REASON_NOT_ENABLED_BY_USER":           2,
	"EXTENDED_TRACES_READINESS_REASON_DISABLED_BY_USER":              3,
	"EXTENDED_TRACES_READINESS_REASON_OTEL_PROVIDER_MISSING":         4,
	"EXTENDED_TRACES_READINESS_REASON_OTEL_SPAN_PROCESSOR_NOT_ADDED": 5,
	"EXTENDED_TRACES_READINESS_REASON_OTEL_PROVIDER_CREATION_FAILED": 6,

	"EXTENDED_TRACES_BEHAVIOR_EXTEND_PROVIDER": 1,
	"EXTENDED_TRACES_BEHAVIOR_OFF":             2,
	"EXTENDED_TRACES_BEHAVIOR_AUTO":            3,
	"EXTENDED_TRACES_BEHAVIOR_CREATE_PROVIDER": 4,
	"EXTENDED_TRACES_BEHAVIOR_UNKNOWN":         5,

	"SEND_EVENTS_READINESS_REASON_READY":             1,
	"SEND_EVENTS_READINESS_REASON_EVENT_KEY_MISSING": 2,

	"OTEL_SETUP_PATH_EXTEND_EXISTING_PROVIDER": 1,
	"OTEL_SETUP_PATH_LEGACY_CREATE_PROVIDER":   2,

	"OTEL_PROVIDER_SOURCE_FIRST_PARTY":   1,
	"OTEL_PROVIDER_SOURCE_USER_PROVIDED": 2,
	"OTEL_PROVIDER_SOURCE_LEGACY_SDK":    3,

	"OTEL_SETUP_FAILURE_NO_PROVIDER":              1,
	"OTEL_SETUP_FAILURE_NOT_ADDED":                2,
	"OTEL_SETUP_FAILURE_PROVIDER_CREATION_FAILED": 3,
	"OTEL_SETUP_FAILURE_UNKNOWN_ERROR":            4,
}

// metadata is the app metadata that keeps the observations: a JSON text inside a JSON object, "{}" for none.
func (o *Observations) metadata() json.RawMessage {
	if o == nil {
		return json.RawMessage("{}")
	}
	text := mustMarshal(o)
	return mustMarshal(map[string]string{"featureObservations": string(text)})
}

// Observations is what the app's SDK reported when it registered; nil when it reported nothing.
func (a App) Observations() (*Observations, error) {
	var kept struct {
		FeatureObservations string `json:"featureObservations"`
	}
	if json.Unmarshal(a.Metadata, &kept) != nil || kept.FeatureObservations == "" {
		return nil, nil
	}
	var o Observations
	if err := json.Unmarshal([]byte(kept.FeatureObservations), &o); err != nil {
		return nil, fmt.Errorf("invalid SDK feature observations: %w", err)
	}
	return &o, nil
}

// mustMarshal encodes values of this package's own types, which always have a JSON form.
func mustMarshal(value any) []byte {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("encode " + err.Error())
	}
	return raw
}
