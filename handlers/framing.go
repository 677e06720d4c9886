package handlers

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
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

// formValue is a field of what was asked: of a write, as its body has it. Fasthttp would let a field of the same name in the
// address stand in its place, and a link could fill in what its reader then sends.
func formValue(c *fasthttp.RequestCtx, name string) []byte {
	if c.IsGet() || c.IsHead() {
		return c.QueryArgs().Peek(name)
	}
	if value := c.PostArgs().Peek(name); value != nil {
		return value
	}
	if form, err := c.MultipartForm(); err == nil && len(form.Value[name]) > 0 {
		return []byte(form.Value[name][0])
	}
	return nil
}
