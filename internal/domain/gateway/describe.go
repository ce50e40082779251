package gateway

import (
	"cmp"
	"encoding/json"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Kinds of metadata that tell of an inference, and what is in them. Spec 05 §8.9.
const (
	kindAI       = "inngest.ai"
	kindHTTP     = "inngest.http"
	kindWarnings = "inngest.warnings"
	// formatOpenAI is the format of an inference that has none.
	formatOpenAI = "openai-chat"
	// unreadable is the name of the warning that an answer could not be read.
	unreadable = "inngest.ai.response.parsing.failed"
)

// answered is what is told of an answer of a model.
type answered struct {
	Cost          float64 `json:"estimated_cost,omitempty"` // US dollars
	InputTokens   int     `json:"input_tokens"`
	LatencyMS     int64   `json:"latency_ms,omitempty"`
	Operation     string  `json:"operation_name"`
	OutputTokens  int     `json:"output_tokens"`
	Provider      string  `json:"provider"`
	RequestModel  string  `json:"request_model"`
	ResponseModel string  `json:"response_model"`
	TotalTokens   int     `json:"total_tokens"`
}

// exchange is what is told of the request that was made for it. It has no query, which may carry a key.
type exchange struct {
	Domain       string `json:"domain,omitempty"`
	Method       string `json:"method"`
	Path         string `json:"path,omitempty"`
	RequestType  string `json:"request_content_type,omitempty"`
	RequestSize  int    `json:"request_size,omitempty"`
	ResponseType string `json:"response_content_type,omitempty"`
	ResponseSize int    `json:"response_size,omitempty"`
	Status       int    `json:"response_status,omitempty"`
}

// Describe is what is told of an inference and its answer besides its output: a JSON object of metadata by kind, nil when there is
// nothing to tell. An answer that cannot be read has a warning only. took is how long it took to come.
func (r Request) Describe(response Response, took time.Duration) json.RawMessage {
	if r.Op != sdk.OpAIGateway || response.TransportError != "" || response.TooLarge {
		return nil
	}
	told := map[string]any{}
	switch found, warning := r.read(response.Body); {
	case warning != "":
		told[kindWarnings] = map[string]string{unreadable: warning}
	default:
		if found != nil {
			found.Provider, found.LatencyMS = r.provider(), took.Milliseconds()
			found.Cost = estimate(found)
			told[kindAI] = found
		}
		told[kindHTTP] = r.exchange(response)
	}
	text, err := json.Marshal(told)
	if err != nil {
		return nil // of texts and numbers: this cannot fail
	}
	return text
}

func (r Request) exchange(response Response) exchange {
	e := exchange{
		Method: r.Method, RequestType: r.Header["Content-Type"], RequestSize: len(r.Body),
		ResponseType: strings.Join(response.Header["Content-Type"], ","), ResponseSize: len(response.Body), Status: response.Status,
	}
	if target, err := url.Parse(r.URL); err == nil {
		e.Domain, e.Path = target.Host, target.Path
	}
	return e
}

// provider is the format, as it is when the app does not say.
func (r Request) provider() string { return cmp.Or(r.Format, formatOpenAI) }

// read finds the models and the tokens in the answer of a provider that is known, and says why it cannot.
func (r Request) read(body []byte) (found *answered, warning string) {
	var request struct {
		Model string `json:"model"`
	}
	_ = json.Unmarshal(r.Body, &request) // a model may be named elsewhere
	found = &answered{RequestModel: request.Model}
	switch r.provider() {
	case formatOpenAI:
		warning = found.readOpenAI(body)
	case "anthropic":
		warning = found.readAnthropic(body)
	case "gemini":
		warning = found.readGemini(body)
		if found.RequestModel == "" {
			found.RequestModel = modelInPath(r.URL)
		}
	default:
		return nil, ""
	}
	return found, warning
}

func (i *answered) readOpenAI(body []byte) (warning string) {
	var answer struct {
		Model   string            `json:"model"`
		Choices []json.RawMessage `json:"choices"`
		Usage   struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
			Total      int `json:"total_tokens"`
		} `json:"usage"`
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return err.Error()
	case len(answer.Choices) == 0:
		return "no choices returned in openai api response"
	}
	i.ResponseModel, i.InputTokens, i.OutputTokens, i.TotalTokens = answer.Model, answer.Usage.Prompt, answer.Usage.Completion, answer.Usage.Total
	return ""
}

func (i *answered) readAnthropic(body []byte) (warning string) {
	var answer struct {
		Model   string            `json:"model"`
		Content []json.RawMessage `json:"content"`
		Usage   struct {
			Input  int `json:"input_tokens"`
			Output int `json:"output_tokens"`
		} `json:"usage"`
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return err.Error()
	case len(answer.Content) == 0:
		return "no content returned in anthropic api response"
	}
	i.ResponseModel, i.InputTokens, i.OutputTokens = answer.Model, answer.Usage.Input, answer.Usage.Output
	i.TotalTokens = answer.Usage.Input + answer.Usage.Output
	return ""
}

func (i *answered) readGemini(body []byte) (warning string) {
	var answer struct {
		Model      string            `json:"modelVersion"`
		Candidates []json.RawMessage `json:"candidates"`
		Usage      struct {
			Prompt     int `json:"promptTokenCount"`
			Candidates int `json:"candidatesTokenCount"`
			Total      int `json:"totalTokenCount"`
		} `json:"usageMetadata"`
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return err.Error()
	case len(answer.Candidates) == 0:
		return "no candidates returned in gemini api response"
	}
	i.ResponseModel, i.InputTokens, i.OutputTokens, i.TotalTokens = answer.Model, answer.Usage.Prompt, answer.Usage.Candidates, answer.Usage.Total
	return ""
}

// modelInPath is the model of an address such as /v1beta/models/<model>:generateContent, empty for none.
func modelInPath(address string) string {
	target, err := url.Parse(address)
	if err != nil {
		return ""
	}
	_, model, _ := strings.Cut(target.Path, "/models/")
	model, _, _ = strings.Cut(model, ":")
	return model
}

// prices are list prices of a million tokens, in and out, in US dollars. They change, and there are discounts: what comes of them is an estimate.
var prices = map[string][2]float64{
	"gpt-3.5-turbo": {0.5, 1.5}, "gpt-4": {30, 60}, "gpt-4-turbo": {10, 30}, "gpt-4o": {2.5, 10}, "gpt-4o-mini": {0.15, 0.6},
	"gpt-4.1": {2, 8}, "gpt-4.1-mini": {0.4, 1.6}, "gpt-4.1-nano": {0.1, 0.4}, "o1": {15, 60}, "o3": {2, 8}, "o3-mini": {1.1, 4.4}, "o4-mini": {1.1, 4.4},
}

// estimate is what an answer cost, zero when the model has no price here: that of the model by its name, or by as much of its name as
// has one, since dates and variants are at the end. Spec 05 §8.9.
func estimate(i *answered) float64 {
	model := i.ResponseModel
	if model == "" {
		model = i.RequestModel
	}
	for {
		if price, known := prices[model]; known {
			const million, decimals = 1e6, 1e6
			cost := (float64(i.InputTokens)*price[0] + float64(i.OutputTokens)*price[1]) / million
			return math.Round(cost*decimals) / decimals
		}
		end := strings.LastIndexByte(model, '-')
		if end < 0 {
			return 0
		}
		model = model[:end]
	}
}
