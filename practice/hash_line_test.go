package practice

import (
	"errors"
	"fmt"
	"testing"
)

func TestOneNetworkLeavesRoomInTheLine(t *testing.T) {
	line := hashLine{of: map[string]int{}}
	var leave []func()
	flood := func(network string, n int) (in int) {
		for range n {
			if out, err := line.join(network); err == nil {
				in++
				leave = append(leave, out)
			} else if !errors.Is(err, ErrCrowded) {
				t.Fatal(err)
			}
		}
		return in
	}
	if in := flood("192.0.2.1", 1000); in != hashPlacesByNetwork {
		t.Errorf("%d of one network", in)
	}
	if in := flood("192.0.2.2", 1); in != 1 {
		t.Error("no room for another")
	}
	leave[0]()
	if in := flood("192.0.2.1", 1000); in != 1 {
		t.Errorf("%d in the place of one", in)
	}
	all := hashPlacesByNetwork + 1
	for i := range 1000 {
		all += flood(fmt.Sprintf("198.51.100.%d", i), 1)
	}
	if all != hashPlaces {
		t.Errorf("%d of all", all)
	}
	for _, out := range leave[1:] {
		out()
	}
	if line.all != 0 || len(line.of) != 0 {
		t.Error(line.all, line.of)
	}
}

// FillLine takes every place in the line of those who wait for a hash; empty gives them back.
func (p *Practice) FillLine(t *testing.T) (empty func()) {
	t.Helper()
	var leave []func()
	for i := range hashPlaces {
		out, err := p.line.join(fmt.Sprint("a network ", i))
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, out)
	}
	return func() {
		for _, out := range leave {
			out()
		}
	}
}
