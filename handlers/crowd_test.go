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

	"anteroom/handlers/grade"
	"anteroom/practice"

	"github.com/valyala/fasthttp"
)

// connect opens a connection from an address of this machine, until the test ends.
func connect(t *testing.T, from, addr string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

const askHealth = "GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"

// answered reads one answer.
func answered(t *testing.T, conn net.Conn) (*http.Response, string) {
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
	return response, string(body)
}

// eventually waits until something holds, asking the site for what is cheap meanwhile.
func (s *testSite) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); s.as("").get("/healthz") {
		if time.Now().After(deadline) {
			s.t.Fatal("waited in vain for " + what)
		}
	}
}

func TestOneNetworkLeavesRoomForOthers(t *testing.T) {
	for _, test := range []struct {
		name   string
		most   int
		change func(*Config)
	}{
		{"no proxy", maxFromNetwork, func(*Config) {}},
		{"past the proxy", maxPastProxy, behind("X-Forwarded-For", "192.0.2.0/24")},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.change)
			addr := s.listen()
			var first net.Conn
			for range test.most {
				conn := connect(t, "127.0.0.1", addr)
				io.WriteString(conn, askHealth)
				if response, _ := answered(t, conn); response.StatusCode != 200 {
					t.Fatal(response.Status)
				}
				first = conn
			}
			response, body := answered(t, connect(t, "127.0.0.1", addr))
			if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "Wait a moment") {
				t.Error(response.Status, body)
			}
			for _, fault := range grade.Faults(grade.Response{Status: response.StatusCode, Header: response.Header, Body: body}) {
				t.Error("not", fault)
			}
			other := connect(t, "127.0.0.2", addr)
			io.WriteString(other, askHealth)
			if response, _ := answered(t, other); response.StatusCode != 200 {
				t.Error("another network:", response.Status)
			}
			first.Close()
			s.eventually("room", func() bool {
				conn := connect(t, "127.0.0.1", addr)
				defer conn.Close()
				io.WriteString(conn, askHealth)
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				return err == nil && response.StatusCode == 200
			})
			if log := s.log.String(); strings.Count(log, "connections refused") != 1 || strings.Contains(log, "127.0.0") {
				t.Error(log)
			}
		})
	}
}

func TestAProxyMayHoldManyConnections(t *testing.T) {
	s := newSite(t, behind("", "127.0.0.0/8"))
	addr := s.listen()
	for range maxFromNetwork + 10 {
		conn := connect(t, "127.0.0.1", addr)
		io.WriteString(conn, askHealth)
		if response, _ := answered(t, conn); response.StatusCode != 200 {
			t.Fatal(response.Status)
		}
	}
}

// caller is a connection of which nothing but the address is asked.
type caller struct {
	net.Conn
	from string
}

func (a caller) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(a.from)} }

// Whoever is near is a proxy only where a proxy says who asks; or on this machine.
func TestANeighborHoldsAsManyAsAnybody(t *testing.T) {
	for _, test := range []struct {
		header, from string
		most         int
	}{
		{"", "192.168.1.66", maxFromNetwork},
		{"", "127.0.0.1", maxConnections},
		{"", "192.0.2.1", maxFromNetwork},
		{"X-Forwarded-For", "192.168.1.66", maxConnections},
		{"X-Forwarded-For", "192.0.2.1", maxPastProxy},
	} {
		s := newSite(t, behind(test.header), besides("127.0.0.0/8", "192.168.0.0/16"))
		d, n := s.door(nil), 0
		for {
			if _, ok := d.enter(caller{from: test.from}); !ok {
				break
			}
			n++
		}
		if n != test.most {
			t.Errorf("header %q, %s: %d connections, want %d", test.header, test.from, n, test.most)
		}
	}
}

// One network brings slow requests through the proxy, whose connections don't tell whose they are.
func TestOneNetworkBehindAProxyLeavesRoomForOthers(t *testing.T) {
	s := newSite(t, behind("X-Forwarded-For", "127.0.0.0/8"))
	addr := s.listen()
	ask := func(method, network, body string, length int) net.Conn {
		conn := connect(t, "127.0.0.1", addr)
		fmt.Fprintf(conn, "%s /sign-in HTTP/1.1\r\nHost: localhost:8080\r\nX-Forwarded-For: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			method, network, length, body)
		return conn
	}
	under := func(network string) func() bool {
		return func() bool {
			s.arrivals.guests.mu.Lock()
			defer s.arrivals.guests.mu.Unlock()
			return s.arrivals.guests.of[network] == maxUnderWay
		}
	}
	var slow []net.Conn
	for range maxUnderWay {
		slow = append(slow, ask("POST", "192.0.2.1", "email=", 100))
	}
	s.eventually("slow requests", under("192.0.2.1"))
	for what, conn := range map[string]net.Conn{"a page": ask("GET", "192.0.2.1", "", 0), "a form": ask("POST", "192.0.2.1", "email=x", 7), "a large form": ask("POST", "192.0.2.1", "", 30000)} {
		response, body := answered(t, conn)
		if response.StatusCode != 429 || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "Wait a moment") {
			t.Error(what, response.Status, body)
		}
		for _, fault := range grade.Faults(grade.Response{Status: response.StatusCode, Header: response.Header, Body: body}) {
			t.Error(what, "not", fault)
		}
	}
	if response, _ := answered(t, ask("GET", "192.0.2.2", "", 0)); response.StatusCode != 200 {
		t.Error("another network:", response.Status)
	}
	// One goes on, one gives up: there is room again.
	io.WriteString(slow[0], strings.Repeat("x", 100-len("email=")))
	if response, _ := answered(t, slow[0]); response.StatusCode != 422 {
		t.Error(response.Status)
	}
	slow[1].Close()
	for range 2 {
		s.eventually("room", func() bool {
			response, err := http.ReadResponse(bufio.NewReader(ask("GET", "192.0.2.1", "", 0)), nil)
			return err == nil && response.StatusCode == 200
		})
	}
	// What was never heard of again is over after a while.
	s.arrivals.mu.Lock()
	s.arrivals.swept = time.Time{}
	for _, a := range s.arrivals.by {
		a.until = time.Time{}
	}
	s.arrivals.mu.Unlock()
	for range maxUnderWay {
		slow = append(slow, ask("POST", "192.0.2.1", "email=", 100))
	}
	s.eventually("slow requests", under("192.0.2.1"))
}

// A browser that connected and has asked for nothing doesn't keep the program from stopping.
func TestNobodyWhoIsSilentIsWaitedFor(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	silent := connect(t, "127.0.0.1", addr)
	asks := connect(t, "127.0.0.1", addr) // connects later: the server has taken the silent one on too
	if _, err := io.WriteString(asks, askHealth); err != nil {
		t.Fatal(err)
	}
	answered(t, asks)
	if err := s.App().ShutdownWithTimeout(10 * time.Second); err != nil {
		t.Error("waited in vain:", err)
	}
	for _, conn := range []net.Conn{silent, asks} {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Error(n, err)
		}
	}
}

func TestTheServerIsBusy(t *testing.T) {
	s := newSite(t)
	c := s.app.AcquireCtx(&fasthttp.RequestCtx{})
	defer s.app.ReleaseCtx(c)
	if err := s.problem(c, practice.ErrCrowded); err != nil {
		t.Fatal(err)
	}
	if c.Response().StatusCode() != 503 || c.GetRespHeader("Retry-After") == "" || !strings.Contains(string(c.Response().Body()), "try again in a moment") {
		t.Errorf("%d %s", c.Response().StatusCode(), c.Response().Body())
	}
}

// Bodies are held in memory: of large ones, one person sends few at once, and all together not many more.
func TestFewLargeBodiesAtOnce(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	large := func(path, who string) net.Conn {
		conn := connect(t, "127.0.0.1", addr)
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost:8080\r\nCookie: session=%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\nq=",
			path, s.Sessions[who], maxStranger+100)
		return conn
	}
	under := func(kind string, n int) func() bool {
		return func() bool {
			s.arrivals.guests.mu.Lock()
			defer s.arrivals.guests.mu.Unlock()
			return s.arrivals.guests.of[kind] == n
		}
	}
	var mias []net.Conn
	for range maxLargeOfOne {
		mias = append(mias, large("/portal/address", "Mia"))
	}
	s.eventually("Mia's", under("large", maxLargeOfOne))
	if response, _ := answered(t, large("/portal/address", "Mia")); response.StatusCode != 429 {
		t.Error("one more of Mia's:", response.Status)
	}
	s.as("Mia").get("/portal").want(200)
	leos := large("/portal/address", "Leo")
	io.WriteString(leos, strings.Repeat("x", maxStranger+98))
	if response, _ := answered(t, leos); response.StatusCode != 422 {
		t.Error("Leo's:", response.Status)
	}
	for _, conn := range mias {
		conn.Close()
	}
	s.eventually("nobody's", under("large", 0))
	for range maxImports {
		large(importPath, "Olga")
	}
	s.eventually("imports", under("imports", maxImports))
	if response, _ := answered(t, large(importPath, "Olga")); response.StatusCode != 429 {
		t.Error("one more import:", response.Status)
	}
}
