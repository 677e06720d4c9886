package handlers

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// Where one request ends and the next begins is never a matter of opinion, or a proxy in front and the program could be made
// to differ: what has two lengths, or none that can be, ends the connection.
func TestFramingIsOneThing(t *testing.T) {
	addr := newSite(t).listen()
	const smuggled = "GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
	const head = "POST /nowhere HTTP/1.1\r\nHost: localhost:8080\r\n"
	for _, ask := range []struct {
		name, text string
		answers    int
	}{
		{"a length", head + "Content-Length: 0\r\n\r\n" + smuggled, 2},
		{"a length that covers what follows", head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(smuggled)) + smuggled, 1},
		{"chunks", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, 2},
		{"chunks that cover what follows", head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled), 1},
		{"chunks and a length", head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", len(smuggled)+5) + smuggled, 1},
		{"a length and chunks", head + "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n" + smuggled, 1},
		{"a length and one of nothing", head + fmt.Sprintf("Content-Length: %d\r\nContent-Length: 0\r\n\r\n", len(smuggled)) + smuggled, 1},
		{"one of nothing and a length", head + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n", len(smuggled)) + smuggled, 1},
		{"a length with a sign", head + fmt.Sprintf("Content-Length: +%d\r\n\r\n", len(smuggled)) + smuggled, 1},
		{"a length of words", head + "Content-Length: none\r\n\r\n" + smuggled, 1},
		{"a name with a space", head + fmt.Sprintf("Content-Length : %d\r\n\r\n", len(smuggled)) + smuggled, 1},
		{"chunks without a size", head + "Transfer-Encoding: chunked\r\n\r\nx\r\n" + smuggled, 1},
	} {
		t.Run(ask.name, func(t *testing.T) {
			got := exchange(t, addr, ask.text)
			if n := strings.Count(got, "HTTP/1.1 "); n != ask.answers {
				t.Errorf("%d answers, want %d", n, ask.answers)
			}
		})
	}
	t.Run("TRACE", func(t *testing.T) {
		got := exchange(t, addr, "TRACE / HTTP/1.1\r\nHost: localhost:8080\r\nX-Secret: repeated\r\n\r\n")
		if strings.Contains(got, "repeated") || !strings.HasPrefix(got, "HTTP/1.1 404 ") && !strings.HasPrefix(got, "HTTP/1.1 405 ") {
			t.Errorf("TRACE says %.200s", got)
		}
	})
}

// exchange sends a text, says that there is no more, and returns everything that comes back.
func exchange(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(conn) // a connection that is reset has said what it had to
	return string(got)
}

// What a write says is in its body, whatever the address that it was sent to says beside.
func TestAddressesFillNoForms(t *testing.T) {
	s := newSite(t)
	typed := func(a answer) string { return a.doc.Find("#email").AttrOr("value", "none") }
	if got := typed(s.as("").post("/sign-in?email=eve%40elsewhere.example&password=x", "email", "olga@willow.example", "password", "wrong").want(422)); got != "olga@willow.example" {
		t.Errorf("the address filled in %q", got)
	}
	if got := typed(s.as("").post("/sign-in?email=eve%40elsewhere.example", "password", "wrong").want(422)); got != "" {
		t.Errorf("the address filled in %q, which nobody typed", got)
	}
}
