// Command chi-net-http is the standard library's server with chi's router: a goroutine per connection.
package main

import (
	"log"
	"net/http"

	"fastgo.local/peers/internal/answer"
	"github.com/go-chi/chi/v5"
)

var body = []byte(answer.Body)

func main() {
	router := chi.NewRouter()
	router.Get("/", hello)
	router.Post("/", hello)
	router.Get("/health", hello)
	log.Fatal(http.Serve(answer.Listen(), router))
}

func hello(response http.ResponseWriter, _ *http.Request) {
	response.Header().Set("Content-Type", answer.JSON)
	// An error means that the client has gone, as load generators do when their time is up.
	_, _ = response.Write(body)
}
