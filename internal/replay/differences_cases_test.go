package replay

// differencesOfCases are those of hand-made requests over GraphQL, and what follows from them elsewhere.
var differencesOfCases = []difference{
	{recording: "http-cases", where: "graphql: apps after all register cases", field: "body.data.apps.*.error", want: `"unreachable"`, reason: keepsReason},
	{recording: "http-cases", where: "graphql: apps after all register cases", field: "body.data.apps.hc-app-5.connected", want: "false", got: "true", reason: emptySync},
	{recording: "http-cases", where: "graphql: apps after all register cases", field: "body.data.apps.hc-app-6.connected", want: "false", got: "true", reason: emptySync},
	{recording: "http-cases", where: "graphql: functions after all register cases", field: "body.data.functions.hc-app-11-f1.name", want: `"F1"`, got: `"other"`, reason: laterWins},
	{recording: "http-cases", where: "graphql: functions after all register cases", field: "body.data.functions.hc-app-43-f1.configuration.retries.value", want: "-1", got: "20", reason: ownIDs},
	{recording: "http-cases", where: "graphql: functions after all register cases", field: "body.data.functions.hc-app-44-f1", want: "(absent)", reason: ownIDs},
	{recording: "http-cases", where: "graphql: apps after all register cases", field: "body.data.apps.hc-app-44.functionCount", want: "0", got: "1", reason: ownIDs},
	{recording: "http-cases", where: "graphql: apps after all register cases", field: "body.data.apps.hc-app-44.functions", want: "[]", got: `[{"slug":"hc-app-44-f1"}]`, reason: ownIDs},
	{recording: "http-cases", where: "other: dev", field: "body.functions.hc-app-44-f1.fv", want: "2", got: "1", reason: ownIDs},
	{recording: "http-cases", where: "other: dev", field: "body.functions.hc-app-44-f1.id", got: `"3df06ce4-394d-5fb1-a189-fd171c246044"`, reason: ownIDs},
	{recording: "http-cases", where: "other: dev", field: "body.functions.hc-app-43-f1", want: "(absent)", reason: ownIDs},
	{recording: "http-cases", where: "graphql: ok", field: "body.data.apps.", want: `{"name":""}`, got: "(absent)", reason: atNowhere},
	{recording: "http-cases", where: "graphql: undeclared variable", field: "body.data.apps.", want: `{"name":""}`, got: "(absent)", reason: atNowhere},
	{
		recording: "http-cases", where: "graphql: run trace unknown", field: "body.errors[0].message", reason: saysWhich,
		want: `"error retrieving trace: no root span found for run 00000000000000000000000000"`,
		got:  `"error retrieving trace: no root span found for run 01HZZZZZZZZZZZZZZZZZZZZZZZ"`,
	},
	{recording: "http-cases", where: "graphql: runs bad cursor", field: "body.data", want: `{"runs":{"edges":[]}}`, got: "null", reason: badCursor},
	{
		recording: "http-cases", where: "graphql: runs bad cursor", field: "body.errors", want: "(absent)", reason: badCursor,
		got: `[{"message":"error retrieving runs: cursor is not JSON: invalid character '\\u009e' looking for beginning of value","path":["runs"]}]`,
	},
	{
		recording: "http-cases", where: "graphql: runs bad CEL", field: "body.errors[0].message", reason: saysWhere,
		got: `"error retrieving runs: line 1 of the query: event.data.x ==: error compiling expression: ERROR: \u003cinput\u003e:1:16: ` +
			`Syntax error: mismatched input '\u003cEOF\u003e' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, ` +
			`NUM_UINT, STRING, BYTES, IDENTIFIER}\n | event.data.x ==\n | ...............^"`,
	},
	{recording: "http-cases", where: "graphql: runs empty orderBy", field: "body.data.runs.totalCount", want: "0", reason: listedAtOnce, timing: true},
	{recording: "http-cases", where: "graphql: runs empty orderBy", field: "body.data.runs.pageInfo.hasNextPage", want: "false", got: "true", reason: listedAtOnce, timing: true},
	{recording: "http-cases", where: "graphql: runs first 0", field: "body.data.runs.totalCount", want: "0", reason: listedAtOnce, timing: true},
	{recording: "http-cases", where: "graphql: runs first 0", field: "body.data.runs.edges", want: "[]", reason: listedAtOnce, timing: true},
}

const (
	keepsReason  = "an app tells why its last sync was refused until it is synced again; the reference soon says that it is unreachable"
	emptySync    = "an app that registers no functions is registered; the reference asks it again, and finds it unreachable"
	ownIDs       = "two functions of one name and URL have IDs of their own; in the reference the second one overwrites the first"
	atNowhere    = "a run without an ID, at no address, is refused; the reference makes one, with its app and function"
	saysWhich    = "an error names the run that was asked for"
	badCursor    = "a cursor that cannot be read is an error, not page one"
	saysWhere    = "an expression that cannot be read is shown with its line and column"
	listedAtOnce = "runs are listed as soon as they are there; in the reference that takes some milliseconds"
)
