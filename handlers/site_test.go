package handlers

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestSignInAndOut(t *testing.T) {
	s := newSite(t)
	b := s.as("")
	b.get("/sign-out?next=x").want(404)
	b.get("/").wantTo("/sign-in")
	b.get("/sign-in?next=/clients/1").want(200)
	b.post("/sign-in", "email", "tom@willow.example", "password", "not the password", "next", "/clients/1").
		wantError("password", "don't match")
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "evil", ""} {
		s.as("").post("/sign-in", "email", "tom@willow.example", "password", "a quiet place to wait", "next", next).wantTo("/clients")
	}
	page := b.post("/sign-in", "email", "tom@willow.example", "password", "a quiet place to wait", "next", "/clients/1").wantTo("/clients/1")
	cookie := page.header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || !strings.Contains(cookie, "path=/") {
		t.Error(cookie)
	}
	b.get("/").wantTo("/clients")
	b.get("/sign-in").wantTo("/clients")
	b.with("Sec-Fetch-Site", "cross-site").post("/sign-out").want(403)
	session := b.cookies[sessionCookie]
	b.follow(b.post("/sign-out").wantTo("/sign-in")).want(200, "You are signed out.")
	b.cookies[sessionCookie] = session
	b.get("/").wantTo("/sign-in")
	mia := s.as("Mia")
	mia.get("/").wantTo("/portal")
	session = mia.cookies[sessionCookie]
	mia.post("/sign-in", "email", "leo@mail.example", "password", "a quiet place to wait").wantTo("/portal")
	mia.get("/portal").want(200, "Welcome, Leo")
	mia.cookies[sessionCookie] = session
	mia.get("/portal").wantTo("/sign-in?next=%2Fportal") // the session that the new one took the place of
}

func TestSignInLeadsBack(t *testing.T) {
	s := newSite(t)
	b := s.as("")
	b.get("/clients?q=ab&page=2").wantTo("/sign-in?next=%2Fclients%3Fq%3Dab%26page%3D2")
	b.with("Referer", "http://localhost:8080/clients/new").post("/clients").wantTo("/sign-in?next=%2Fclients%2Fnew")
	part := b.htmx().with("HX-Current-URL", "http://localhost:8080/clients?q=a").get("/clients?q=ab").want(204)
	if to := part.header.Get("HX-Redirect"); to != "/sign-in?next=%2Fclients%3Fq%3Da" {
		t.Error(to)
	}
}

func TestSignInCountsByNetwork(t *testing.T) {
	for ip, want := range map[string]string{"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "": ""} {
		if got := networkOf(ip); got != want {
			t.Errorf("%s: %s", ip, got)
		}
	}
}

// behind is a site that believes a header from some networks; tests that ask without a connection come from 0.0.0.0.
func behind(header string, proxies ...string) func(*Config) {
	return func(c *Config) {
		c.ProxyHeader = header
		for _, p := range proxies {
			c.Proxies = append(c.Proxies, netip.MustParsePrefix(p))
		}
	}
}

// besides is a site that is behind such networks, and believes whoever connects from others.
func besides(neighbors ...string) func(*Config) {
	return func(c *Config) {
		for _, n := range neighbors {
			c.Neighbors = append(c.Neighbors, netip.MustParsePrefix(n))
		}
	}
}

func TestOnlyATrustedProxyIsBelieved(t *testing.T) {
	listed := []string{"0.0.0.0/32", "10.0.0.0/8", "fc00::/7"}
	for _, test := range []struct {
		header  string
		proxies []string
		lines   []string // as they arrive
		want    string
	}{
		{"", listed, []string{"192.0.2.1"}, "0.0.0.0"},
		{"X-Forwarded-For", nil, []string{"192.0.2.1"}, "0.0.0.0"},
		{"X-Forwarded-For", []string{"10.0.0.0/8"}, []string{"192.0.2.1"}, "0.0.0.0"},
		{"X-Forwarded-For", listed, nil, "0.0.0.0"},
		{"X-Forwarded-For", listed, []string{""}, "0.0.0.0"},
		{"X-Forwarded-For", listed, []string{"192.0.2.1"}, "192.0.2.1"},
		{"X-Forwarded-For", listed, []string{"203.0.113.7, 192.0.2.1"}, "192.0.2.1"},
		{"X-Forwarded-For", listed, []string{"203.0.113.7,192.0.2.1 , 10.1.2.3,10.4.5.6"}, "192.0.2.1"},
		{"X-Forwarded-For", listed, []string{"203.0.113.7, 192.0.2.1", "10.1.2.3"}, "192.0.2.1"},
		{"X-Forwarded-For", listed, []string{"203.0.113.7", "192.0.2.1"}, "192.0.2.1"},
		{"X-Forwarded-For", listed, []string{"10.9.9.9, 10.1.2.3"}, "10.9.9.9"}, // nobody but proxies: who was first
		{"X-Forwarded-For", listed, []string{"'; DROP TABLE, 10.1.2.3"}, "10.1.2.3"},
		{"X-Forwarded-For", listed, []string{"192.0.2.1, unknown"}, "0.0.0.0"},
		{"X-Forwarded-For", listed, []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"X-Forwarded-For", listed, []string{"[2001:db8:1:2::9]:443"}, "2001:db8:1:2::/64"},
		{"X-Forwarded-For", listed, []string{"[2001:db8:1:2::9]"}, "2001:db8:1:2::/64"},
		{"X-Forwarded-For", listed, []string{"2001:db8:1:2::9, fd00::1"}, "2001:db8:1:2::/64"},
		{"X-Forwarded-For", listed, []string{"::ffff:192.0.2.1, ::ffff:10.0.0.1"}, "192.0.2.1"},
		{"Fly-Client-IP", listed, []string{"192.0.2.1"}, "192.0.2.1"},
	} {
		s := newSite(t, behind(test.header, test.proxies...))
		c := s.app.AcquireCtx(&fasthttp.RequestCtx{})
		name := cmp.Or(test.header, "X-Forwarded-For")
		for _, line := range test.lines {
			c.Request().Header.Add(name, line)
		}
		if got := s.network(c); got != test.want {
			t.Errorf("%s %q, believed from %s: %s, want %s", test.header, test.lines, test.proxies, got, test.want)
		}
		s.app.ReleaseCtx(c)
	}
}

// In a private network stand others than the proxy: they are counted as who they are, whatever they write before its word.
func TestANeighborIsBelievedForOneHop(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"203.0.113.77, 192.168.1.50", "192.168.1.50"},
		{"203.0.113.77, 127.0.0.1", "127.0.0.1"},
		{"203.0.113.77, fd00::50", "fd00::/64"},
		{"203.0.113.77, 192.168.1.50, 192.168.1.2", "192.168.1.50"}, // the second proxy is listed
	} {
		s := newSite(t, behind("X-Forwarded-For", "192.168.1.2/32"), besides("0.0.0.0/32", "127.0.0.0/8", "192.168.0.0/16", "fc00::/7"))
		c := s.app.AcquireCtx(&fasthttp.RequestCtx{})
		c.Request().Header.Set("X-Forwarded-For", test.line)
		if got := s.network(c); got != test.want {
			t.Errorf("%q: %s, want %s", test.line, got, test.want)
		}
		if got := s.named(&c.Request().Header, ""); got != test.want {
			t.Errorf("%q, before it is answered: %s, want %s", test.line, got, test.want)
		}
		s.app.ReleaseCtx(c)
	}
}

func TestSignInCountsByWhoTheProxyNames(t *testing.T) {
	s := newSite(t, behind("X-Forwarded-For", "0.0.0.0/32"))
	try := func(seen, address string) answer {
		return s.as("").with("X-Forwarded-For", seen).post("/sign-in", "email", address, "password", "a quiet place to wait")
	}
	for i := range 50 { // what stands before the comma is made up
		try(fmt.Sprintf("203.0.113.%d, 192.0.2.1", i), fmt.Sprintf("nobody%d@mail.example", i)).wantError("password", "don't match")
	}
	try("203.0.113.200, 192.0.2.1", "tom@willow.example").wantError("password", "Too many")
	try("192.0.2.2", "tom@willow.example").wantTo("/clients")
}

func TestTheProxysLineIsTheLast(t *testing.T) {
	s := newSite(t, behind("X-Forwarded-For", "127.0.0.0/8"))
	addr := s.listen()
	try := func(madeUp int) string {
		form := fmt.Sprintf("email=nobody%d@mail.example&password=x", madeUp)
		_, body := send(t, addr, fmt.Sprintf("POST /sign-in HTTP/1.1\r\nHost: localhost:8080\r\nX-Forwarded-For: 203.0.113.%d\r\nX-Forwarded-For: 192.0.2.1\r\n"+
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", madeUp, len(form), form))
		return body
	}
	for i := range 50 {
		if body := try(i); strings.Contains(body, "Too many") {
			t.Fatal(i)
		}
	}
	if !strings.Contains(try(50), "Too many") {
		t.Error("a made-up line hides the network")
	}
}
