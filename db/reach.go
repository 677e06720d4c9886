package db

import "fmt"

// Reach says whose clients a query may touch. The zero value finds nobody.
type Reach struct {
	kind reachKind
	id   int64
}

type reachKind int

const (
	reachNobody reachKind = iota
	reachEverybody
	reachAssigned
	reachOneself
)

// Everybody is an administrator's reach.
func Everybody() Reach { return Reach{kind: reachEverybody} }

// AssignedTo is the reach of a staff member to whom clients are assigned.
func AssignedTo(staffID int64) Reach { return Reach{reachAssigned, staffID} }

// Oneself is the reach of a client: their own record.
func Oneself(clientID int64) Reach { return Reach{reachOneself, clientID} }

// holds is the SQL condition under which the column, a client's id, is within reach.
func (r Reach) holds(column string) string {
	switch r.kind {
	case reachEverybody:
		return "1"
	case reachAssigned:
		return fmt.Sprintf("%s IN (SELECT client_id FROM assignments WHERE staff_id = %d)", column, r.id)
	case reachOneself:
		return fmt.Sprintf("%s = %d", column, r.id)
	}
	return "0"
}
