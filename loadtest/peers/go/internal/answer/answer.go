// Package answer holds what the Go peers share: the address they listen on and the answer they give.
package answer

import (
	"log"
	"net"
	"os"
)

// Body is the same constant answer that the Rust peers give.
const Body = `{"status":"healthy","server":"hyper","time":"2026-01-01T00:00:00Z"}`

// JSON is the value of Content-Type.
const JSON = "application/json"

// Listen opens the loopback port that the first argument names, or ends the process with the reason.
func Listen() net.Listener {
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s PORT", os.Args[0])
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// IsKnown says whether fastgo and its peers have the path in common.
func IsKnown(path string) bool {
	return path == "/" || path == "/health"
}
