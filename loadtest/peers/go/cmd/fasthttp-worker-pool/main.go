// Command fasthttp-worker-pool hands requests for / to a fixed pool of goroutines over a bounded queue, on fasthttp.
package main

import (
	"log"
	"runtime"

	"fastgo.local/peers/internal/answer"
	"github.com/valyala/fasthttp"
)

// queueSize is the number of jobs that may wait; fastgo's worker pool has the same default.
const queueSize = 10000

// body is shared by all answers: fasthttp copies it into the connection's write buffer.
var body = []byte(answer.Body)

// A job is one request to / on its way through the pool.
type job struct {
	result chan<- []byte
}

func main() {
	jobs := make(chan job, queueSize)
	for range 2 * runtime.GOMAXPROCS(0) {
		go work(jobs)
	}
	server := &fasthttp.Server{Handler: handler(jobs)}
	log.Fatal(server.Serve(answer.Listen()))
}

func work(jobs <-chan job) {
	for next := range jobs {
		next.result <- body
	}
}

func handler(jobs chan<- job) fasthttp.RequestHandler {
	return func(request *fasthttp.RequestCtx) {
		request.SetContentType(answer.JSON)
		switch string(request.Path()) {
		case "/health":
			request.SetBody(body)
		case "/":
			result := make(chan []byte, 1)
			select {
			case jobs <- job{result}:
				request.SetBody(<-result)
			default:
				request.Response.Header.Set("Retry-After", "1")
				request.SetStatusCode(fasthttp.StatusServiceUnavailable)
			}
		default:
			request.SetStatusCode(fasthttp.StatusNotFound)
		}
	}
}
