package handlers

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
)

// refuseTwoLengths refuses a request that says more than once how long its body is: a proxy in front may have believed
// another of them, and what it took for the body would be read here as the next request.
func refuseTwoLengths(c *fiber.Ctx) error {
	if lengths(c.Request().Header.RawHeaders()) > 1 {
		c.Context().SetConnectionClose()
		return fiber.NewError(fiber.StatusBadRequest, "The request couldn't be read, so nothing was done.")
	}
	return c.Next()
}

// lengths counts the header fields that say how long a body is.
func lengths(header []byte) (n int) {
	for line := range bytes.Lines(header) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			n++
		}
	}
	return n
}
