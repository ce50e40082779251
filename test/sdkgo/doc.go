// Package sdkgo holds the end-to-end tests with the Go SDK: an app made with it, the real server binary, real HTTP.
package sdkgo
