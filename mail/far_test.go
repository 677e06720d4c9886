package mail

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// far is a relay so far away: a proxy that holds back what passes, each way for half the time.
func far(t testing.TB, relay string, roundTrip time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pass := func(to, from net.Conn) {
		pieces := make(chan piece, 1000)
		go func() {
			for p := range pieces {
				time.Sleep(time.Until(p.due))
				to.Write(p.bytes)
			}
			to.Close()
		}()
		for {
			b := make([]byte, 32<<10)
			n, err := from.Read(b)
			if err != nil {
				close(pieces)
				return
			}
			pieces <- piece{b[:n], time.Now().Add(roundTrip / 2)}
		}
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", relay)
			if err != nil {
				c.Close()
				continue
			}
			go pass(s, c)
			go pass(c, s)
		}
	}()
	return listener.Addr().String()
}

// Ten connections to a relay whose answer takes 20 ms. What the network does, not the machine, decides how many letters leave.
func BenchmarkRelay20msAway(b *testing.B) {
	relay, kept := taker(b)
	r := relayTo(b, "smtp://"+far(b, relay, 20*time.Millisecond)+"?tls=none")
	letter := compose(b, "Welcome", "Hello.\n\n{portal_link}", toAnn(b)).Bytes
	from, to := email(b, "hello@harbor.example"), email(b, "ann@mail.example")
	var lines [maxConnections]*Line
	for i := range lines {
		lines[i] = lineTo(b, r)
		if err := lines[i].Open(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var sending sync.WaitGroup
	for _, l := range lines {
		sending.Go(func() {
			for left.Add(-1) >= 0 {
				if got := l.Send(b.Context(), from, to, letter); got.Outcome != Accepted {
					b.Errorf("%+v", got)
				}
			}
		})
	}
	sending.Wait()
	b.ReportMetric(float64(kept.Load())/b.Elapsed().Seconds(), "letters/s")
}
