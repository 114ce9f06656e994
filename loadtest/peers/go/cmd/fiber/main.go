// Command fiber is the Fiber framework, which stands on fasthttp.
package main

import (
	"log"

	"fastgo.local/peers/internal/answer"
	"github.com/gofiber/fiber/v3"
)

var body = []byte(answer.Body)

func main() {
	app := fiber.New()
	for _, path := range []string{"/", "/health"} {
		app.All(path, hello)
	}
	log.Fatal(app.Listener(answer.Listen(), fiber.ListenConfig{DisableStartupMessage: true}))
}

func hello(context fiber.Ctx) error {
	context.Set(fiber.HeaderContentType, answer.JSON)
	return context.Send(body)
}
