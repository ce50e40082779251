module github.com/ingothq/ingot/examples/api

go 1.26.8

require (
	connectrpc.com/connect v1.21.1
	github.com/ingothq/ingot v0.0.0
	google.golang.org/protobuf v1.36.12
)

require google.golang.org/genproto/googleapis/api v0.0.0-20261005182115-fad411399dd8 // indirect

replace github.com/ingothq/ingot => ../..
