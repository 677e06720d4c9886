package practice

import (
	"maps"
	"slices"

	"anteroom/db"
)

// Notices are all that there are, for tests from outside.
func Notices() []notice { return slices.Sorted(maps.Keys(languages[0].notices)) }

// Tell is tell, for them.
func (p *Practice) Tell(tx *db.Tx, who Actor, what notice, at Browser) error {
	return p.tell(tx, who, what, at)
}
