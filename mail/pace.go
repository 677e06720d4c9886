package mail

import (
	"fmt"
	"slices"
	"time"
)

const day = 24 * time.Hour

// pace keeps to the numbers of letters that a relay takes in a minute and in a day, counted backwards from any moment.
type pace struct {
	perMinute, perDay int         // 0: as many as there are
	reached           []time.Time // when letters reached the relay, oldest first: those of the last day
	unknown           bool        // the records haven't been asked yet
}

// note counts a letter that has reached the relay.
func (p *pace) note(now time.Time) {
	if p.perMinute == 0 && p.perDay == 0 {
		return
	}
	old := p.since(now.Add(-day))
	p.reached = append(p.reached[len(p.reached)-old:], now)
}

// since counts the letters after a time.
func (p *pace) since(t time.Time) int {
	at, _ := slices.BinarySearchFunc(p.reached, t, func(r, t time.Time) int {
		if r.After(t) {
			return 1
		}
		return -1
	})
	return len(p.reached) - at
}

// room is how many more letters the relay takes now. When it takes none: when it takes the next one, and which limit it is.
func (p *pace) room(now time.Time) (n int, again time.Time, limit string) {
	n = maxConnections * 1000
	for _, l := range []struct {
		most   int
		within time.Duration
		words  string
	}{{p.perMinute, time.Minute, "a minute"}, {p.perDay, day, "a day"}} {
		if l.most == 0 {
			continue
		}
		gone := p.since(now.Add(-l.within))
		n = min(n, l.most-gone)
		if gone < l.most {
			continue
		}
		// The next letter may leave when so many have become old that one less than the limit is left.
		if next := p.reached[len(p.reached)-l.most].Add(l.within); next.After(again) {
			again, limit = next, letters(l.most)+" "+l.words
		}
	}
	return n, again, limit
}

func letters(n int) string {
	if n == 1 {
		return "1 letter"
	}
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + " letters"
}
