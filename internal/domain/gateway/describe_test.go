package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestRequest_Describe(t *testing.T) {
	t.Parallel()
	ask := func(format, address, body string) Request {
		return Request{
			Op: sdk.OpAIGateway, Method: "POST", URL: address, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(body), Format: format, Secret: "key",
		}
	}
	answer := func(status int, body string) Response {
		return Response{Status: status, Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(body)}
	}
	const openAI, warned = "https://a.example:8080/v1/chat?key=secret", `{"inngest.warnings":{"inngest.ai.response.parsing.failed":"`
	told := func(path string, out, in string, status string) string {
		return `"inngest.http":{"domain":"a.example:8080","method":"POST","path":"` + path + `","request_content_type":"application/json","request_size":` + out +
			`,"response_content_type":"application/json","response_size":` + in + `,"response_status":` + status + `}`
	}
	for name, c := range map[string]struct {
		request  Request
		response Response
		want     string
	}{
		"OpenAI": {
			ask("openai-chat", openAI, `{"model":"gpt-4o-mini"}`),
			answer(200, `{"model":"gpt-4o-mini-2024-07-18","choices":[{}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}`),
			`{"inngest.ai":{"estimated_cost":0.000003,"input_tokens":9,"latency_ms":7,"operation_name":"","output_tokens":2,"provider":"openai-chat","request_model":"gpt-4o-mini",` +
				`"response_model":"gpt-4o-mini-2024-07-18","total_tokens":11},` + told("/v1/chat", "23", "117", "200") + `}`,
		},
		"a model that the answer does not name": {
			ask("openai-chat", openAI, `{"model":"gpt-4-0613"}`), answer(200, `{"choices":[{}],"usage":{"prompt_tokens":1000}}`),
			`{"inngest.ai":{"estimated_cost":0.03,"input_tokens":1000,"latency_ms":7,"operation_name":"","output_tokens":0,"provider":"openai-chat","request_model":"gpt-4-0613",` +
				`"response_model":"","total_tokens":0},` + told("/v1/chat", "22", "47", "200") + `}`,
		},
		"no format": {
			ask("", openAI, `{}`), answer(200, `{"choices":[{}]}`),
			`{"inngest.ai":{"input_tokens":0,"latency_ms":7,"operation_name":"","output_tokens":0,"provider":"openai-chat","request_model":"","response_model":"","total_tokens":0},` +
				told("/v1/chat", "2", "16", "200") + `}`,
		},
		"Anthropic": {
			ask("anthropic", openAI, `{"model":"claude-3-5-haiku-latest"}`), answer(200, `{"model":"claude-3-5-haiku-20241022","content":[{}],"usage":{"input_tokens":10,"output_tokens":3}}`),
			`{"inngest.ai":{"input_tokens":10,"latency_ms":7,"operation_name":"","output_tokens":3,"provider":"anthropic","request_model":"claude-3-5-haiku-latest",` +
				`"response_model":"claude-3-5-haiku-20241022","total_tokens":13},` + told("/v1/chat", "35", "98", "200") + `}`,
		},
		"Gemini": {
			ask("gemini", "https://a.example:8080/v1/models/g-2:generateContent", `{}`),
			answer(200, `{"modelVersion":"g-2-001","candidates":[{}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":5,"totalTokenCount":9}}`),
			`{"inngest.ai":{"input_tokens":4,"latency_ms":7,"operation_name":"","output_tokens":5,"provider":"gemini","request_model":"g-2","response_model":"g-2-001","total_tokens":9},` +
				told("/v1/models/g-2:generateContent", "2", "128", "200") + `}`,
		},
		"a format that is not known":  {ask("bedrock", openAI, `{}`), answer(201, `{}`), `{` + told("/v1/chat", "2", "2", "201") + `}`},
		"OpenAI refuses":              {ask("openai-chat", openAI, `{}`), answer(429, `{"error":{}}`), warned + `no choices returned in openai api response"}}`},
		"Anthropic refuses":           {ask("anthropic", openAI, `{}`), answer(429, `{}`), warned + `no content returned in anthropic api response"}}`},
		"Gemini refuses":              {ask("gemini", ":", `{}`), answer(429, `{}`), warned + `no candidates returned in gemini api response"}}`},
		"OpenAI answers no JSON":      {ask("openai-chat", openAI, ``), answer(200, `<`), warned + `invalid character '\u003c' looking for beginning of value"}}`},
		"Anthropic answers no object": {ask("anthropic", openAI, ``), answer(200, ``), warned + `unexpected end of JSON input"}}`},
		"Gemini answers nothing":      {ask("gemini", openAI, ``), answer(200, ``), warned + `unexpected end of JSON input"}}`},
		"no answer":                   {ask("openai-chat", openAI, `{}`), Response{TransportError: "refused"}, ""},
		"too much of an answer":       {ask("openai-chat", openAI, `{}`), Response{Status: 200, TooLarge: true}, ""},
		"a fetch":                     {Request{Op: sdk.OpGateway, Method: "GET", URL: openAI}, answer(200, `{}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(c.request.Describe(c.response, 7*time.Millisecond))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(got, "secret") {
				t.Error("it tells the key")
			}
		})
	}
}
