package embedded

import (
	"github.com/ingothq/ingot/internal/domain/flow"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
)

// keysRecord is what a run's jobs are ordered and limited by, nil for nothing.
func keysRecord(keys *flow.Keys) *enginev1.FlowKeys {
	if keys == nil {
		return nil
	}
	record := &enginev1.FlowKeys{Factor: int64(keys.Factor)}
	for _, key := range keys.Concurrency {
		record.Concurrency = append(record.Concurrency, &enginev1.ConcurrencyKey{Key: key.Key, Hash: key.Hash, Limit: int64(key.Limit)})
	}
	if keys.Run != nil {
		record.Run = &enginev1.RunKey{Id: keys.Run.ID, Value: keys.Run.Value}
	}
	if keys.Throttle != nil {
		record.Throttle = &enginev1.BucketKey{Hash: keys.Throttle.Hash, Key: keys.Throttle.Key}
	}
	return record
}

// keysFromRecord is the inverse of keysRecord.
func keysFromRecord(record *enginev1.FlowKeys) *flow.Keys {
	if record == nil {
		return nil
	}
	keys := &flow.Keys{Factor: int(record.GetFactor())}
	for _, key := range record.GetConcurrency() {
		keys.Concurrency = append(keys.Concurrency, flow.ConcurrencyKey{Key: key.GetKey(), Hash: key.GetHash(), Limit: int(key.GetLimit())})
	}
	if record.Run != nil {
		keys.Run = &flow.RunKey{ID: record.GetRun().GetId(), Value: record.GetRun().GetValue()}
	}
	if record.Throttle != nil {
		keys.Throttle = &flow.BucketKey{Hash: record.GetThrottle().GetHash(), Key: record.GetThrottle().GetKey()}
	}
	return keys
}
