package handlers

import (
	"net"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// What one network may hold at once, so that there is room for others. A household's browsers, or an office's, hold far less.
const (
	maxFromNetwork = 256 // connections, where it is no proxy of ours
	maxPastProxy   = 32  // the same where there is a proxy, and it went past it
	maxUnderWay    = 128 // requests that a proxy brings
)

// How many large bodies may be on their way at once, of one person and of all: a few dozen are some 160 MB.
const (
	maxLargeOfOne = 4
	maxLarge      = 32
	maxImports    = 2
)

// errCrowded answers a network that has too many requests under way.
var errCrowded = fiber.NewError(fiber.StatusTooManyRequests, "Too many requests are under way, from you, your network or all, so nothing was done. Wait a moment and try again.")

// crowd counts how much each network holds.
type crowd struct {
	mu sync.Mutex
	of map[string]int // nobody has 0
}

// enter counts one more of a network, unless it holds most already.
func (c *crowd) enter(network string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[network] >= most {
		return false
	}
	c.of[network]++
	return true
}

func (c *crowd) leave(network string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[network]--; c.of[network] <= 0 {
		delete(c.of, network)
	}
}

// door lets in as many connections as the site can hold, and of each network as many as it may. Others are told to come again.
type door struct {
	net.Listener
	site    *Site
	room    chan struct{}
	guests  crowd
	refusal string

	mu     sync.Mutex
	silent map[*visitor]bool // who has asked for nothing yet; nil once the door is closed

	refused int // since the log said so
	logged  time.Time
}

func (s *Site) door(l net.Listener) *door {
	return &door{Listener: l, site: s, room: make(chan struct{}, maxConnections), guests: crowd{of: map[string]int{}}, refusal: s.refusal(), silent: map[*visitor]bool{}}
}

// refusal is the whole answer to a connection for which there is no room.
func (s *Site) refusal() string {
	const sentence = "Too many connections are open, from your network or from all. Wait a moment and try again.\n"
	var h fasthttp.ResponseHeader
	h.SetNoDefaultContentType(true)
	s.harden(&h)
	h.SetStatusCode(fiber.StatusServiceUnavailable)
	h.SetContentType(fiber.MIMETextPlainCharsetUTF8)
	h.SetContentLength(len(sentence))
	h.SetConnectionClose()
	h.Set(fiber.HeaderRetryAfter, "5")
	return h.String() + sentence
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if leave, ok := d.enter(conn); ok {
			return d.welcome(conn, leave), nil
		}
		d.note()
		conn.SetDeadline(time.Now().Add(time.Second))
		conn.Write([]byte(d.refusal)) // fits what the system keeps of a new connection: it doesn't wait
		conn.Close()
	}
}

// Close lets nobody in any more, and sends away who has asked for nothing: browsers connect before they need to, and the server takes that
// for a request on its way and would wait for it.
func (d *door) Close() error {
	err := d.Listener.Close()
	d.mu.Lock()
	silent := d.silent
	d.silent = nil
	d.mu.Unlock()
	for v := range silent {
		v.Conn.Close() // the server, which reads from it, closes the visitor
	}
	return err
}

func (d *door) welcome(conn net.Conn, leave func()) *visitor {
	v := &visitor{Conn: conn, door: d, leave: leave}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.silent == nil {
		conn.Close()
	} else {
		d.silent[v] = true
	}
	return v
}

// heard notes that a visitor asks for something, or is gone.
func (d *door) heard(v *visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.silent, v)
}

// enter finds room for a connection; leave gives it back.
func (d *door) enter(conn net.Conn) (leave func(), ok bool) {
	select {
	case d.room <- struct{}{}:
	default:
		return nil, false
	}
	out := func() { <-d.room }
	peer, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	if d.site.believed(peer) && (d.site.ProxyHeader != "" || net.ParseIP(peer).IsLoopback()) {
		return out, true // a proxy; elsewhere than here it tells who asks, else it is only a neighbor
	}
	network, most := networkOf(peer), maxFromNetwork
	if d.site.ProxyHeader != "" {
		most = maxPastProxy
	}
	if !d.guests.enter(network, most) {
		out()
		return nil, false
	}
	return func() { d.guests.leave(network); out() }, true
}

// note has the log say, once a minute at most, how many were refused.
func (d *door) note() {
	if d.refused++; time.Since(d.logged) > time.Minute {
		d.site.Log.Warn("connections refused", "number", d.refused)
		d.refused, d.logged = 0, time.Now()
	}
}

// visitor is a connection that gives its place back when it closes.
type visitor struct {
	net.Conn
	door  *door
	leave func()
	once  sync.Once
	first sync.Once
}

func (v *visitor) Read(b []byte) (int, error) {
	n, err := v.Conn.Read(b)
	if n > 0 {
		v.first.Do(func() { v.door.heard(v) })
	}
	return n, err
}

func (v *visitor) Close() error {
	v.once.Do(func() { v.door.heard(v); v.leave() })
	return v.Conn.Close()
}

// Serve answers whoever connects, until the app is shut down.
func (s *Site) Serve(l net.Listener) error { return s.app.Listener(s.door(l)) }

// arrivals are the requests under way that are counted, from when their header was read until they are answered: those that proxies
// bring, whose connections don't tell whose they are, and those with large bodies, which are held in memory. A proxy's header is believed
// here before it is known from where it came; whoever gets past the proxy can make others wait with it, but only as far as the door
// lets them in.
type arrivals struct {
	guests crowd
	mu     sync.Mutex
	by     map[*fasthttp.RequestHeader]*arrival
	swept  time.Time
}

type arrival struct {
	of      []string // what it is counted as
	until   time.Time
	tooMany bool
}

// longestArrival is after how long a request of which nothing was heard again is taken for over: the server doesn't tell of each
// connection that broke.
const longestArrival = importTime + time.Minute

// begin forgets the request that came before on a connection, and those that are over.
func (a *arrivals) begin(h *fasthttp.RequestHeader, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end(h)
	if now.Sub(a.swept) < longestArrival {
		return
	}
	for h, over := range a.by {
		if now.After(over.until) {
			a.end(h)
		}
	}
	a.swept = now
}

// count counts a request as one of a kind, and tells whether there are most of them already.
func (a *arrivals) count(h *fasthttp.RequestHeader, kind string, most int, now time.Time) (tooMany bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.by[h]
	if one == nil {
		one = &arrival{until: now.Add(longestArrival)}
		a.by[h] = one
	}
	if a.guests.enter(kind, most) {
		one.of = append(one.of, kind)
	} else {
		one.tooMany = true
	}
	return one.tooMany
}

// tooMany tells whether a request that came is one too many.
func (a *arrivals) tooMany(h *fasthttp.RequestHeader) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.by[h]
	return one != nil && one.tooMany
}

// went ends a request, and tells whether it was one too many.
func (a *arrivals) went(h *fasthttp.RequestHeader) (tooMany bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.end(h)
}

func (a *arrivals) end(h *fasthttp.RequestHeader) (tooMany bool) {
	one := a.by[h]
	if one == nil {
		return false
	}
	for _, kind := range one.of {
		a.guests.leave(kind)
	}
	delete(a.by, h)
	return one.tooMany
}
