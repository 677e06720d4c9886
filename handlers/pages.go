package handlers

import (
	"fmt"
	"net/url"
	"strconv"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// Pages is where a list's page stands among the others.
type Pages struct {
	Number       int // of the page, from 1
	From, To, Of int // rows, from 1
	Previous     string
	Next         string
}

// newPages places page number (from 1) of a list with some rows; url is the address of a page.
func newPages(number, rows int, url func(number int) string) Pages {
	p := Pages{Number: number, From: (number-1)*practice.PageSize + 1, To: min(number*practice.PageSize, rows), Of: rows}
	if number > 1 {
		p.Previous = url(number - 1)
	}
	if p.To < rows {
		p.Next = url(number + 1)
	}
	return p
}

// Several tells that there is more than this page.
func (p Pages) Several() bool { return p.Previous != "" || p.Next != "" }

// Rows names the rows that the page shows.
func (p Pages) Rows() string {
	return fmt.Sprintf("%s–%s of %s", thousands(p.From), thousands(p.To), thousands(p.Of))
}

// pageNumber is the page of a list that a request asks for, from 1.
func pageNumber(c *fiber.Ctx) int {
	n, err := strconv.Atoi(c.Query("page"))
	if err != nil || n < 1 || n > 1_000_000 {
		return 1
	}
	return n
}

// posted returns every value that a form sent under a name.
func posted(c *fiber.Ctx, name string) (values []string) {
	for _, v := range c.Request().PostArgs().PeekMulti(name) {
		values = append(values, string(v))
	}
	return values
}

// withPage is a list's address with the page that is meant.
func withPage(path string, query url.Values, number int) string {
	if number > 1 {
		query.Set("page", strconv.Itoa(number))
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// formNumber is a whole number that a form sent, or 0.
func formNumber(c *fiber.Ctx, name string) int {
	n, _ := strconv.Atoi(c.FormValue(name))
	return n
}
