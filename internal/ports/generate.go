package ports

//go:generate go tool -modfile=../../tools/go.mod mockgen -source=ports.go -destination=portsmock/ports.go -package=portsmock -write_package_comment=false
