package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"anteroom/db"
)

// The figures of the comparison: as many samples of each kind as ANTEROOM_TIMINGS says, and how far apart two kinds may be.
const (
	fewTimings = 100 // only to see that the comparison works: so few say nothing
	maxT       = 4.5
)

// cuts are which parts of all samples, the quickest of both kinds taken together, are compared. What is slower was held up by
// something else on the machine, and is left out of both kinds by the same limit.
var cuts = []float64{0.5, 0.75, 0.9, 0.95}

// How long the program takes to answer tells nobody who has an account: neither at signing in nor when a password was forgotten.
// Each account and each stranger's address is asked for once, each time from another network, so that no throttle answers.
func TestTimingTellsNothing(t *testing.T) {
	t.Parallel()
	samples, judged := fewTimings, false
	if n, err := strconv.Atoi(os.Getenv("ANTEROOM_TIMINGS")); err == nil {
		samples, judged = n, true
	}
	known, unknown := func(i int) string { return fmt.Sprintf("c%05d@known.example", i) }, func(i int) string { return fmt.Sprintf("s%05d@other.example", i) }
	h := furnish(t, func(tx *db.Tx, h *house) error {
		for i := range samples {
			c := db.Client{FirstName: "Client", LastName: fmt.Sprintf("Number%d", i), Email: address(t, known(i))}
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			if err := tx.SetPortalPassword(c.ID, h.hash); err != nil {
				return err
			}
		}
		return nil
	})
	site := h.serve()
	network := networks()
	for _, ask := range []struct {
		name, path string
		hands      int // that ask at once
		form       func(address string) url.Values
		status     int
	}{
		{"signing in", "/sign-in", 3, func(a string) url.Values { return url.Values{"email": {a}, "password": {"not the password"}} }, http.StatusUnprocessableEntity},
		{"a forgotten password", "/forgotten-password", 8, func(a string) url.Values { return url.Values{"email": {a}} }, http.StatusSeeOther},
	} {
		t.Run(ask.name, func(t *testing.T) {
			var mu sync.Mutex
			times, next := map[bool][]float64{}, map[bool]int{}
			draw := func() (here bool, form url.Values, from string) {
				mu.Lock()
				defer mu.Unlock()
				here = rand.IntN(2) == 0
				if next[here] == samples {
					here = !here
				}
				to := unknown
				if here {
					to = known
				}
				next[here]++
				return here, ask.form(to(next[here] - 1)), network()
			}
			var all sync.WaitGroup
			for range ask.hands {
				v := site.visit("")
				all.Go(func() {
					for range 2 * samples / ask.hands {
						here, form, from := draw()
						v.network = from
						clear(v.cookies)
						began := time.Now()
						r, err := v.try(http.MethodPost, ask.path, form)
						took := time.Since(began)
						if err != nil || r.status != ask.status {
							t.Error(r.status, err)
							return
						}
						mu.Lock()
						times[here] = append(times[here], took.Seconds()*1000)
						mu.Unlock()
					}
				})
			}
			all.Wait()
			for _, cut := range cuts {
				value := welch(times[true], times[false], cut)
				t.Logf("the quickest %2.0f %%: t = %+.2f; known %s, unknown %s", cut*100, value, summary(times[true], cut), summary(times[false], cut))
				if judged && math.Abs(value) >= maxT {
					t.Errorf("the quickest %.0f %% tell known from unknown addresses: t = %+.2f", cut*100, value)
				}
			}
		})
	}
}

// welch is Welch's t of two kinds of samples, of which those are left out that are slower than that part of all.
func welch(a, b []float64, part float64) float64 {
	all := slices.Sorted(slices.Values(slices.Concat(a, b)))
	limit := all[int(float64(len(all)-1)*part)]
	meanA, varianceA, nA := moments(a, limit)
	meanB, varianceB, nB := moments(b, limit)
	return (meanA - meanB) / math.Sqrt(cmp.Or(varianceA/nA+varianceB/nB, math.SmallestNonzeroFloat64))
}

func moments(samples []float64, limit float64) (mean, variance, n float64) {
	for _, x := range samples {
		if x <= limit {
			n++
			mean += x
		}
	}
	mean /= n
	for _, x := range samples {
		if x <= limit {
			variance += (x - mean) * (x - mean)
		}
	}
	return mean, variance / (n - 1), n
}

func summary(samples []float64, part float64) string {
	sorted := slices.Sorted(slices.Values(samples))
	return fmt.Sprintf("%.3f ms", sorted[int(float64(len(sorted)-1)*part/2)])
}
