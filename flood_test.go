package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/handlers/grade"
)

// freePort is a port of this machine that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// dial opens a connection to the program from an address of this machine, until the test ends.
func (s *server) dial(from string) net.Conn {
	s.t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(s.url, "https://"), "http://"), ":")
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// answered reads one answer from a connection.
func answered(t *testing.T, conn net.Conn) reply {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}
}

// memory is the most that the program held at once, in MB.
func (s *server) memory() int {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal("this system doesn't tell how much memory a process holds")
	}
	kB, err := strconv.Atoi(string(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	return kB >> 10
}

// mostMemory is what a small machine has, in MB.
const mostMemory = 512

// Whatever is sent to the program over a bare connection, what comes back passes the graders, under https and on this machine, and
// repeats nothing of it.
func TestEveryAnswerOfTheProgramIsGuarded(t *testing.T) {
	h := furnish(t, settle)
	for _, scheme := range []string{"http", "https"} {
		port := freePort(t)
		s := h.serve("ANTEROOM_ADDR=127.0.0.1:"+port, "ANTEROOM_URL="+scheme+"://localhost:"+port)
		const secret = "my-own-secret"
		form := func(fields string) string {
			return fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(fields), fields)
		}
		for _, test := range []struct {
			first, rest string
			status      int
		}{
			{"GET /sign-in", "\r\n", 200},
			{"HEAD /sign-in", "\r\n", 200},
			{"GET /", "\r\n", 303},
			{"GET /clients", "\r\n", 303},
			{"GET /clients", "HX-Request: true\r\n\r\n", 204},
			{"GET /healthz", "\r\n", 200},
			{"GET /nowhere/" + secret, "\r\n", 404},
			{"GET /static/" + secret + ".css", "\r\n", 404},
			{"GET /link/" + secret, "\r\n", 303},
			{"GET /" + strings.Repeat(secret, 2000), "\r\n", 431},
			{"GET /sign-in", "X: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 431},
			{"POST /sign-in", "Content-Length: 100000\r\n\r\n", 413},
			{"POST /sign-in", "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 415},
			{"POST /sign-in", "Origin: https://evil.example\r\n" + form("email="+secret), 403},
			{"POST /sign-in", "Sec-Fetch-Site: cross-site\r\n" + form("email="+secret), 403},
			{"POST /sign-in", form("password=" + secret), 422},
			{"POST /sign-in", form("email=tom@willow.example&password=" + strings.ReplaceAll(password, " ", "+")), 303},
			{"POST /sign-out", form(""), 303},
			{"POST /forgotten-password", form("email=" + secret), 422},
			{"POST /forgotten-password", form("email=nobody@mail.example"), 303},
			{"BREW /" + secret, "\r\n", 400},
			{"GET /sign-in", "Content-Length: abc\r\n\r\n", 400},
			{"GET /sign-in", "No Header : x\r\n\r\n", 400},
		} {
			conn := s.dial("127.0.0.1")
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session=%s\r\n%s", test.first, secret, test.rest)
			if strings.HasPrefix(test.first, "HEAD") {
				text, err := io.ReadAll(conn)
				if err != nil || !strings.HasSuffix(string(text), "\r\n\r\n") {
					t.Error("an answer to HEAD with a body", err)
				}
				continue
			}
			r := answered(t, conn)
			name := test.first[:min(len(test.first), 40)]
			if r.status != test.status {
				t.Errorf("%s: %s: status %d, want %d", scheme, name, r.status, test.status)
			}
			for _, fault := range grade.Faults(grade.Response{Status: r.status, Header: r.header, Body: r.body, HTTPS: scheme == "https"}) {
				t.Errorf("%s: %s, %d: not %s", scheme, name, r.status, fault)
			}
			if strings.Contains(r.body, secret) && !strings.Contains(test.first, "/forgotten-password") { // which shows what was typed
				t.Errorf("%s: %s: the request comes back in %s", scheme, name, r.body)
			}
		}
		s.stop(15)
		for _, word := range []string{secret, "tom@willow.example", "evil.example"} {
			if strings.Contains(s.log.String(), word) {
				t.Errorf("%s: the log holds %q", scheme, word)
			}
		}
	}
}

// served has somebody who is signed in ask for pages until told to stop, and returns how long each took, in order.
func served(v *visitor, until <-chan struct{}) (took []time.Duration) {
	for {
		select {
		case <-until:
			slices.Sort(took)
			return took
		default:
		}
		start := time.Now()
		v.want(v.get("/clients"), http.StatusOK, "Abbott, Ann")
		took = append(took, time.Since(start))
	}
}

// Slow clients hold what they hold, and others are served.
func TestSlowClientsHoldNobodyUp(t *testing.T) {
	h := furnish(t, settle)
	s := h.serve()
	tom := s.visit("192.0.2.10")
	tom.signsIn("tom@willow.example")
	asset := regexp.MustCompile(`/static/[^"]+\.css`).FindString(tom.get("/clients").body)
	for i := range 150 {
		slow := fmt.Sprintf("Host: localhost\r\n%s: 198.51.100.%d\r\n", proxyHeader, i%3)
		fmt.Fprintf(s.dial("127.0.0.1"), "GET /sign-in HTTP/1.1\r\n%s", slow)                                                             // a header that never ends
		fmt.Fprintf(s.dial("127.0.0.1"), "POST /sign-in HTTP/1.1\r\n%sContent-Length: 30000\r\n\r\n%s", slow, strings.Repeat("x", 20000)) // a body
		fmt.Fprintf(s.dial("127.0.0.1"), "%s", strings.Repeat(fmt.Sprintf("GET %s HTTP/1.1\r\n%s\r\n", asset, slow), 20))                 // answers that nobody reads
	}
	for i := range 30 {
		tom.want(tom.get("/clients"), http.StatusOK, "Abbott, Ann")
		mia := s.visit(fmt.Sprintf("192.0.2.%d", 100+i%5))
		mia.signsIn("mia@mail.example")
		mia.want(mia.get("/portal"), http.StatusOK, "Mia")
	}
	if mb := s.memory(); mb > mostMemory {
		t.Errorf("the program took %d MB", mb)
	}
}

// Where there is no proxy, one network holds so many connections and no more, and is told so.
func TestOneNetworkLeavesRoomAtTheProgramsDoor(t *testing.T) {
	h := furnish(t, settle)
	s := h.serve("ANTEROOM_TRUSTED_PROXIES=192.0.2.0/24", "ANTEROOM_PROXY_HEADER=")
	refused := 0
	for range 300 {
		conn := s.dial("127.0.0.1")
		fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || r.StatusCode == http.StatusServiceUnavailable { // it may be closed before it asks
			refused++
		}
	}
	if refused != 300-256 {
		t.Errorf("%d connections were refused", refused)
	}
	conn := s.dial("127.0.0.2")
	fmt.Fprint(conn, "GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if r := answered(t, conn); r.status != http.StatusOK {
		t.Error("another network:", r.status)
	}
}

// TestLoginFlood has many networks guess passwords at once. Others are served meanwhile, and sign in, and the program's memory stays
// small. With ANTEROOM_FLOOD guesses, as make prove has it, it also minds how long others wait.
func TestLoginFlood(t *testing.T) {
	h := furnish(t, settle)
	s := h.serve()
	guesses, at := 200, 64
	prove := os.Getenv("ANTEROOM_FLOOD") != ""
	if prove {
		n, err := strconv.Atoi(os.Getenv("ANTEROOM_FLOOD"))
		if err != nil {
			t.Fatal(err)
		}
		guesses, at = n, 256
	}
	tom := s.visit("192.0.2.10")
	tom.signsIn("tom@willow.example")
	over, times := make(chan struct{}), make(chan []time.Duration, 1)
	go func() { times <- served(tom, over) }()
	var left atomic.Int64
	left.Store(int64(guesses))
	var mu sync.Mutex
	answers := map[int]int{}
	var flood sync.WaitGroup
	for i := range at {
		flood.Go(func() {
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				v := s.visit(fmt.Sprintf("2001:db8:%x:%x::1", i, n/10)) // and a few guesses from each network
				email := fmt.Sprintf("nobody%d@mail.example", n)
				if n%4 == 0 {
					email = olgasEmail
				}
				r, err := v.try(http.MethodPost, "/sign-in", map[string][]string{"email": {email}, "password": {"a wrong password"}})
				if err != nil {
					t.Error(err)
					return
				}
				v.client.CloseIdleConnections()
				mu.Lock()
				answers[r.status]++
				mu.Unlock()
				if r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") == "" {
					t.Error("busy, and nobody says when to come again")
				}
			}
		})
	}
	// One who knows her password gets in; where the program is too busy, she tries again, as the page tells her.
	mia := s.visit("192.0.2.20")
	for tries := 0; ; tries++ {
		r := mia.post("/sign-in", "email", "mia@mail.example", "password", password)
		if r.status == http.StatusSeeOther {
			break
		}
		if mia.want(r, http.StatusServiceUnavailable, "try again in a moment"); tries == 1000 {
			t.Fatal("Mia never gets in")
		}
	}
	mia.want(mia.get("/portal"), http.StatusOK, "Mia")
	flood.Wait()
	close(over)
	took := <-times
	for status := range answers {
		if status != http.StatusUnprocessableEntity && status != http.StatusServiceUnavailable {
			t.Errorf("guesses were answered %v", answers)
		}
	}
	if answers[http.StatusUnprocessableEntity] == 0 || len(took) == 0 {
		t.Errorf("guesses were answered %v, others %d times", answers, len(took))
	}
	p99 := took[len(took)*99/100]
	t.Logf("%v; others: %d pages, half in %v, 99 of 100 in %v; %d MB", answers, len(took), took[len(took)/2], p99, s.memory())
	if mb := s.memory(); mb > mostMemory {
		t.Errorf("the program took %d MB", mb)
	}
	if prove && p99 > time.Second {
		t.Errorf("others waited up to %v", p99)
	}
}
