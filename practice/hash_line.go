package practice

import (
	"errors"
	"sync"
)

// ErrCrowded says that more passwords wait to be hashed than can be in a moment: nothing was done, and trying again soon will do.
var ErrCrowded = errors.New("too many passwords at once")

// How many may be about to have a password hashed, those in the slots among them: all in some three seconds of two cores, and one
// network no more than so many, so that there is room for others.
const (
	hashPlaces          = 128
	hashPlacesByNetwork = 32
)

// hashLine counts who is about to have a password hashed.
type hashLine struct {
	mu  sync.Mutex
	all int
	of  map[string]int // by network; nobody has 0
}

// join lets somebody of a network into the line until they leave. It comes before their guess is counted: who is sent away has
// made none.
func (l *hashLine) join(network string) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= hashPlaces || l.of[network] >= hashPlacesByNetwork {
		return nil, ErrCrowded
	}
	l.all++
	l.of[network]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all--
		if l.of[network]--; l.of[network] == 0 {
			delete(l.of, network)
		}
	}, nil
}
