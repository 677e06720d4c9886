package handlers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// listen serves the site on a free port of this machine: for requests that no decent client sends.
func (s *testSite) listen() (addr string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.app.Listener(l) }()
	s.t.Cleanup(func() {
		s.app.ShutdownWithTimeout(time.Second)
		<-served
	})
	return l.Addr().String()
}

// send sends a request as it stands, and returns what comes back.
func send(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// guarded are the headers that every response carries.
var guarded = []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
	"Cross-Origin-Resource-Policy", "Permissions-Policy", "Cache-Control"}

func missing(h http.Header) (names []string) {
	for _, name := range guarded {
		if len(h.Values(name)) != 1 || h.Get(name) == "" {
			names = append(names, name)
		}
	}
	return names
}

func TestEveryResponseIsGuarded(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	const token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for request, status := range map[string]int{
		"GET /sign-in HTTP/1.1\r\n\r\n":                                                                         200,
		"GET /link/" + token + " HTTP/1.1\r\n\r\n":                                                              303,
		"GET /nowhere HTTP/1.1\r\n\r\n":                                                                         404,
		"GET /static/nowhere.css HTTP/1.1\r\n\r\n":                                                              404,
		"DELETE /sign-in HTTP/1.1\r\n\r\n":                                                                      404,
		"TRACE / HTTP/1.1\r\n\r\n":                                                                              404,
		"BREW /link/" + token + " HTTP/1.1\r\n\r\n":                                                             400,
		"GET /link/" + token + " HTTP/1.1\r\nContent-Length: abc\r\n\r\n":                                       400,
		"GET /link/" + token + " HTTP/1.1\r\nNo Header : x\r\n\r\n":                                             400,
		"GET /link/" + token + " HTTP/1.1\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n":                    431,
		"POST /link/" + token + " HTTP/1.1\r\nContent-Length: 100000\r\n\r\n":                                   413,
		"POST /sign-in HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1\r\n\r\nx": 400,
		"POST /sign-in HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n":                         415,
		"POST /sign-in HTTP/1.1\r\nOrigin: null\r\nContent-Length: 0\r\n\r\n":                                   403,
	} {
		first, rest, _ := strings.Cut(request, "\r\n")
		response, body := send(t, addr, first+"\r\nHost: localhost:8080\r\nCookie: session=my-own-secret\r\n"+rest)
		if response.StatusCode != status {
			t.Errorf("%s: status %d, want %d", first, response.StatusCode, status)
		}
		if names := missing(response.Header); names != nil {
			t.Errorf("%s, %d: without %s", first, response.StatusCode, names)
		}
		if strings.Contains(body, token) || strings.Contains(body, "my-own-secret") || strings.Contains(body, "Content-Length") {
			t.Errorf("%s: the request comes back in %s", first, body)
		}
	}
	if log := s.log.String(); strings.Contains(log, token) || strings.Contains(log, "my-own-secret") {
		t.Error(log)
	}
}

func TestStrangersSendLittle(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	post := func(path, session string, length, sent int) int {
		t.Helper()
		response, _ := send(t, addr, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost:8080\r\nCookie: session=%s\r\nContent-Length: %d\r\n\r\n%s",
			path, session, length, strings.Repeat("a", sent)))
		return response.StatusCode
	}
	for _, ask := range []struct {
		path, who string
		length    int
		status    int
	}{
		{"/sign-in", "", maxStranger, 422},
		{"/sign-in", "", maxStranger + 1, 413},
		{importPath, "", maxStranger + 1, 413},
		{importPath, "Tom", maxSignedIn + 1, 413},
		{"/portal", "Mia", maxSignedIn + 1, 413},
		{"/clients", "Olga", maxSignedIn + 1, 413},
		{importPath, "Olga", maxSignedIn + 1, 422},
		{importPath, "Olga", maxBody + 1, 413},
	} {
		sent := ask.length
		if ask.status == 413 {
			sent = 0 // it is refused for what it announces
		}
		if status := post(ask.path, s.Sessions[ask.who], ask.length, sent); status != ask.status {
			t.Errorf("%d bytes to %s by %q: %d, want %d", ask.length, ask.path, ask.who, status, ask.status)
		}
	}
	// Without a length, it counts as it comes.
	response, _ := send(t, addr, fmt.Sprintf("POST /sign-in HTTP/1.1\r\nHost: localhost:8080\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", maxStranger+1))
	if response.StatusCode != 413 {
		t.Error("chunked:", response.StatusCode)
	}
}
