package mail

import (
	"context"
	"time"

	"anteroom/db"
)

// Dialogue is what we and a relay said to each other, in order.
type Dialogue []Spoken

// Spoken is one line of it. Secrets are replaced by "(hidden)", a letter by its size.
type Spoken struct {
	Ours  bool
	Line  string
	After time.Duration // since the beginning
}

// Try sends one letter over a connection of its own, and tells the whole dialogue, however it ends.
func (r Relay) Try(ctx context.Context, from, to db.Email, data []byte) (Dialogue, Result) {
	l := r.Line()
	defer l.Close()
	return nil, l.Send(ctx, from, to, data)
}
